"""Runs on several processes: torchrun, Ray Train."""
