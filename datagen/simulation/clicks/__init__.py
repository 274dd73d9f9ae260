"""Clicks and random points, and the maps that networks are given."""
