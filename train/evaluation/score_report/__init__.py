"""Scores of semi-supervised methods as files, tables of the terminal and a page."""
