"""What networks made of frames with given masks, kept as long as those masks stand."""

from collections.abc import Callable, Collection
from typing import Generic, TypeVar

from .store import View

Made = TypeVar("Made")
FrameRevisions = tuple[tuple[int, int], ...]
"""Frames, each with the revision of the store in which it is meant."""


class RevisionCache(Generic[Made]):
    """Keeps the last `at_most` things that were made; each is made of frames in certain revisions of the store."""

    def __init__(self, at_most: int) -> None:
        self._at_most = at_most
        self._made: dict[FrameRevisions, Made] = {}

    def of(self, frames: FrameRevisions, make: Callable[[], Made]) -> Made:
        """What was made of these frames, made now where it is not there."""
        if frames not in self._made:
            # Before it is made, so that never more are in memory.
            while len(self._made) >= self._at_most:
                self._made.pop(next(iter(self._made)))
            self._made[frames] = make()
        return self._made[frames]

    def find(self, newest: int) -> None:
        """Nothing lies in the folder."""

    def forget_after(self, revision: int) -> None:
        """Drop what was made of later revisions: their numbers will be those of other masks."""
        self._made = {
            frames: made for frames, made in self._made.items() if all(number <= revision for _, number in frames)
        }

    def forget_unseen(self, views: Collection[View], given: Collection[int]) -> None:
        """Nothing: what is not asked for any more is pushed out by what is."""
