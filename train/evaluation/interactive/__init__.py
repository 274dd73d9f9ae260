"""The DAVIS interactive benchmark: a robot draws scribbles, a session answers, quality is measured against time."""
