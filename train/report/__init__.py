"""A finished or running stage as one HTML page."""
