"""Measures and pictures of a network while it trains: held-out batches, and J and F over whole sequences."""
