"""Methods without a network, which any trained one has to beat. T frames, H W pixels.

Each is called with a sequence and the masks it is given, frame number -> uint8 ids (H, W) of the objects that come in
there, and yields uint8 ids (H, W) for every frame, zeros before the first mask.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import cv2
import numpy as np

from .sequences import AnnotatedSequence

Given = Mapping[int, np.ndarray]


def copy_first_mask(sequence: AnnotatedSequence, given: Given) -> Iterator[np.ndarray]:
    """Yield the given masks for every frame behind them, later ones over earlier ones."""
    ids = np.zeros_like(next(iter(given.values())))
    for t in range(sequence.num_frames):
        if t in given:
            ids = np.where(given[t] > 0, given[t], ids)
        yield ids


def dis_flow(sequence: AnnotatedSequence, given: Given) -> Iterator[np.ndarray]:
    """Yield the given masks carried along by DIS optical flow, see `FlowCarrier`."""
    carrier = FlowCarrier(next(iter(given.values())).shape)
    previous = None
    for t in range(sequence.num_frames):
        if carrier.planes:
            current = sequence.read_luma(t)
            carrier.carry(sequence.read_luma(t - 1) if previous is None else previous, current)
            previous = current
        if t in given:
            carrier.give(given[t])
        yield carrier.ids()


class FlowCarrier:
    """Carries masks from frame to frame by DIS optical flow (Kroeger et al., ECCV 2016).

    Each frame looks up its mask in the one before, through the flow from it to that one. Soft masks are carried, one
    an object: warping thresholded ones again and again wears the shape away (J 0.507 instead of 0.510 on six videos).
    What enters from outside the picture is background.
    planes: object id -> its soft mask, float32 (H, W) in [0, 1].
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        height, width = shape
        self._columns, self._rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
        self._flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        # cv2.remap takes up to 4 channels at once, so each object has a plane of its own.
        self.planes: dict[int, np.ndarray] = {}

    def give(self, ids: np.ndarray) -> None:
        """Take the objects of a mask, uint8 (H, W), over; their pixels belong to them alone."""
        self.planes = {i: np.where(ids > 0, np.float32(0), plane) for i, plane in self.planes.items()}
        self.planes |= {int(i): (ids == i).astype(np.float32) for i in np.unique(ids[ids > 0])}

    def carry(self, previous: np.ndarray, current: np.ndarray) -> None:
        """Go from one frame to another, earlier or later; both are luma, uint8 (H, W)."""
        flow = self._flow.calc(current, previous, None)
        map_x, map_y = self._columns + flow[..., 0], self._rows + flow[..., 1]
        self.planes = {
            i: cv2.remap(plane, map_x, map_y, cv2.INTER_LINEAR, borderValue=0) for i, plane in self.planes.items()
        }

    def ids(self) -> np.ndarray:
        """The ids that the planes stand for, uint8 (H, W)."""
        planes = list(self.planes.values())
        background = 1 - np.sum(planes, axis=0) if planes else np.ones(self._rows.shape, np.float32)
        return np.array([0, *self.planes], np.uint8)[np.argmax([background, *planes], axis=0)]


BASELINES: dict[str, Callable[[AnnotatedSequence, Given], Iterator[np.ndarray]]] = {
    "copy-first-mask": copy_first_mask,
    "dis-flow": dis_flow,
}
