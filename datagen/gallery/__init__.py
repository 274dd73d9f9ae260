"""Labelled sheets of every kind of sample, to look at what a network will see."""
