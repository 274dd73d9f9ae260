"""Video sets in the folders in which they are published."""
