"""A session without networks, which any trained one has to beat: GrabCut on the drawn frame, its mask copied around."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ....datagen.simulation.robot.strokes import Stroke
from ..rounds.methods import grabcut

if TYPE_CHECKING:
    from ...inference.session.frames import FrameSource
    from ...inference.session.protocol import Region, Scribbles


class CopySession:
    """Every frame has the mask of the nearest frame that was interacted with, of two the later interaction's.

    Strokes are answered by GrabCut, given masks are taken as they are. There are neither clicks nor regions. See the
    `Session` protocol; only the interacted frames' masks are kept.
    """

    def __init__(self) -> None:
        self.num_frames = 0
        self.object_ids: tuple[int, ...] = ()
        self._frames: FrameSource | None = None
        self._given: dict[int, np.ndarray] = {}
        self._shown: dict[int, int] = {}
        self._before: list[tuple[dict[int, np.ndarray], dict[int, int]]] = []

    def start(self, frames: FrameSource, object_ids: Sequence[int]) -> None:
        self.__init__()
        self._frames, self.num_frames, self.object_ids = frames, frames.num_frames, tuple(object_ids)

    def interact(
        self, frame: int, inputs: Mapping[int, Scribbles | np.ndarray], region: Region | None = None
    ) -> np.ndarray:
        """Return the frame's ids, uint8 (H, W); its strokes count once, so every interaction stands at once."""
        if region is not None:
            raise ValueError("this session cannot be limited to a region; leave it out")
        present = self.masks(frame)
        self._before.append((dict(self._given), dict(self._shown)))
        masks = {i: given for i, given in inputs.items() if isinstance(given, np.ndarray)}
        strokes = [
            Stroke(object_id=i, path=stroke.path)
            for i, given in inputs.items()
            if i not in masks
            for stroke in given.strokes
        ]
        answer = grabcut(self._frames.read(frame), present, strokes, self.object_ids)
        for i, mask in masks.items():
            answer[answer == i] = 0
            answer[mask] = i
        # Asked again, a frame becomes the latest.
        self._given.pop(frame, None)
        self._given[frame] = answer
        self._shown[frame] = frame
        return answer.copy()

    def commit(self) -> None:
        """Nothing is open: every interaction stands at once."""

    def propagate(self) -> Iterator[tuple[int, np.ndarray]]:
        order = list(self._given)
        if not order:
            return
        self._before.append((dict(self._given), dict(self._shown)))
        for t in range(self.num_frames):
            self._shown[t] = min(order, key=lambda given: (abs(t - given), -order.index(given)))
            if t not in self._given:
                yield t, self.masks(t)

    def undo(self) -> None:
        if not self._before:
            raise ValueError("there is nothing to take back")
        self._given, self._shown = self._before.pop()

    def masks(self, t: int) -> np.ndarray:
        if t in self._shown:
            return self._given[self._shown[t]].copy()
        return np.zeros(self._frames.size, np.uint8)
