"""Ground truth in numpy: surfaces, tracks, self-checks."""
