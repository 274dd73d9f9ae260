"""The zero-download set: families of shapes, textures and backgrounds, drawn from an rng without Blender."""
