"""Corpora in other layouts."""
