"""Adapters of published datasets, packed into the one corpus format."""
