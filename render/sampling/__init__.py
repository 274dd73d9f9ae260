"""The draw of a scene from a recipe."""
