"""Pictures, ids and passes as bytes, and to look at."""
