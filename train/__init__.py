"""Stages, the training loop, inference and evaluation."""
