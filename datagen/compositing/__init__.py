"""Pretraining sequences from still images."""
