"""Propagation of masks through a video."""
