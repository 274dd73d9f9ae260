"""Interaction sessions: a user corrects frames, and the masks are carried through the video."""
