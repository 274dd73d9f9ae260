"""Scribbles: on regions of errors, mixed as published, and after repeated opening."""
