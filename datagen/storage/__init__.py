"""Where bytes lie: a folder or any fsspec URL."""
