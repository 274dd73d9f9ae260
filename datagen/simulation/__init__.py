"""Simulated users: scribbles, robot, clicks, and the errors that they correct."""
