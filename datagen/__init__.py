"""Corpus format, samples, the task farm and previews."""
