"""Scene sampling, the Blender worker and the render jobs."""
