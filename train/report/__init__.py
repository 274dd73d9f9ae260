"""A run as one HTML page: its settings and where they come from, curves, checkpoints and predictions."""
