"""Child processes for Blender and why they fail."""
