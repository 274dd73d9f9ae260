"""Frames corrected in rounds of scribbles: the command `vosforge-eval rounds`."""
