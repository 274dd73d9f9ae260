"""Sessions without networks, which any trained one has to beat: GrabCut on the drawn frame, its mask copied around or
carried by optical flow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ....datagen.simulation.robot.strokes import Stroke
from ..baselines import FlowCarrier
from ..rounds.methods import grabcut

if TYPE_CHECKING:
    from ...inference.session.frames import FrameSource
    from ...inference.session.protocol import Region, Scribbles


class CopySession:
    """Every frame has the mask of the nearest frame that was interacted with, of two the later interaction's.

    Strokes are answered by GrabCut, given masks are taken as they are. There are neither clicks nor regions. See the
    `Session` protocol.
    """

    def __init__(self) -> None:
        self.num_frames = 0
        self.object_ids: tuple[int, ...] = ()
        self._frames: FrameSource | None = None
        self._given: dict[int, np.ndarray] = {}
        self._shown: dict[int, np.ndarray] = {}
        self._before: list[tuple[dict[int, np.ndarray], dict[int, np.ndarray]]] = []

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
        self._shown[frame] = answer
        return answer.copy()

    def commit(self) -> None:
        """Nothing is open: every interaction stands at once."""

    def propagate(self) -> Iterator[tuple[int, np.ndarray]]:
        if not self._given:
            return
        self._before.append((dict(self._given), dict(self._shown)))
        for t in range(self.num_frames):
            if t not in self._given:
                self._shown[t] = self._carried(self._source(t), t)
                yield t, self.masks(t)

    def _source(self, t: int) -> int:
        """The interacted frame that is nearest to frame t, of two the later interaction's."""
        order = list(self._given)
        return min(order, key=lambda given: (abs(t - given), -order.index(given)))

    def _carried(self, source: int, t: int) -> np.ndarray:
        """What frame t gets of an interacted frame, uint8 (H, W)."""
        return self._given[source]

    def undo(self) -> None:
        if not self._before:
            raise ValueError("there is nothing to take back")
        self._given, self._shown = self._before.pop()

    def masks(self, t: int) -> np.ndarray:
        return self._shown[t].copy() if t in self._shown else np.zeros(self._frames.size, np.uint8)


class FlowSession(CopySession):
    """The same, but the nearest frame's mask is carried to a frame by DIS optical flow, frame by frame."""

    def __init__(self) -> None:
        super().__init__()
        self._walks: dict[int, tuple[np.ndarray, dict[int, np.ndarray]]] = {}

    def _carried(self, source: int, t: int) -> np.ndarray:
        given = self._given[source]
        start, found = self._walks.get(source, (None, {}))
        if start is not given or t not in found:
            found = self._walk(source, [k for k in range(self.num_frames) if self._source(k) == source])
            self._walks[source] = (given, found)
        return found[t]

    def _walk(self, source: int, frames: Sequence[int]) -> dict[int, np.ndarray]:
        """Frame -> ids, uint8 (H, W), of neighbouring frames around an interacted one."""
        found = {}
        for later in (range(source + 1, max(frames) + 1), range(source - 1, min(frames) - 1, -1)):
            carrier, previous = FlowCarrier(self._frames.size), self._luma(source)
            carrier.give(self._given[source])
            for t in later:
                current = self._luma(t)
                carrier.carry(previous, current)
                previous, found[t] = current, carrier.ids()
        return found

    def _luma(self, t: int) -> np.ndarray:
        return cv2.cvtColor(self._frames.read(t), cv2.COLOR_RGB2GRAY)
