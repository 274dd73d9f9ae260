"""The corpus format: written crash-only, read at random."""
