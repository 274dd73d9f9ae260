"""What a user gives and what a session answers; one class per system implements it. T frames, N objects, H W pixels."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ....datagen.simulation.robot.strokes import Stroke
from ..geometry import Region
from .frames import FrameSource

__all__ = ["Clicks", "Input", "Region", "Scribbles", "Session"]


@dataclass(frozen=True, kw_only=True)
class Scribbles:
    """What a user drew on an object: strokes, relative to the frame. What they lie on is the object's, so the id that a
    stroke carries is not looked at.
    """

    strokes: tuple[Stroke, ...]


@dataclass(frozen=True, kw_only=True)
class Clicks:
    """Points (x, y) on an object and beside it, in pixels of the frame; the middle of the first pixel is (0.5, 0.5)."""

    positive: tuple[tuple[float, float], ...] = ()
    negative: tuple[tuple[float, float], ...] = ()


Input = Scribbles | Clicks | np.ndarray
"""What is said of an object in a frame; an array is its whole mask drawn free-hand, bool (H, W)."""


class Session(Protocol):
    """A user's work on one video.

    num_frames: T of the video. object_ids: 1..254, as given at the start.
    """

    num_frames: int
    object_ids: tuple[int, ...]

    def start(self, frames: FrameSource, object_ids: Sequence[int]) -> None:
        """Begin with a video of which nothing is known; all masks are empty."""

    def interact(self, frame: int, inputs: Mapping[int, Input], region: Region | None = None) -> np.ndarray:
        """Take inputs, object id -> what is said of it, and return the frame's ids, uint8 (H, W).

        All objects at once. Key 0 is the background. Inputs add up until they are committed; those of another frame
        commit the first frame's. Without inputs the frame's masks are taken as they stand. region: only there anything
        changes.
        """

    def commit(self) -> None:
        """Let the masks of the frame stand; the next inputs begin anew on top of them."""

    def propagate(self) -> Iterator[tuple[int, np.ndarray]]:
        """Commit, and carry the masks that were committed since the last time over the video.

        Yields (frame, ids uint8 (H, W)) for each frame that is set, once it is in the store. It may be closed half-way:
        what was yielded stands, and the next propagation does the whole of it anew.
        """

    def undo(self) -> None:
        """Take the last call of `interact`, `commit` or `propagate` back."""

    def masks(self, t: int) -> np.ndarray:
        """The ids of frame t as they stand, uint8 (H, W), 0 for background."""
