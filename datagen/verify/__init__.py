"""A corpus against what it says of itself."""
