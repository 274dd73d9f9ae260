"""Held-out data, looked at while a stage trains."""
