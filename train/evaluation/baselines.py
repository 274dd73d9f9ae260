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
    """Yield the given masks carried along by DIS optical flow (Kroeger et al., ECCV 2016).

    Each frame looks up its mask in the one before, through the flow from it to that one. Soft masks are carried, one
    an object: warping thresholded ones again and again wears the shape away (J 0.507 instead of 0.510 on six videos).
    What enters from outside the picture is background.
    """
    height, width = next(iter(given.values())).shape
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    flow_estimator = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    # cv2.remap takes up to 4 channels at once, so each object has a plane of its own.
    planes: dict[int, np.ndarray] = {}
    previous = None
    for t in range(sequence.num_frames):
        if planes:
            current = sequence.read_luma(t)
            flow = flow_estimator.calc(current, sequence.read_luma(t - 1) if previous is None else previous, None)
            map_x, map_y = columns + flow[..., 0], rows + flow[..., 1]
            planes = {i: cv2.remap(plane, map_x, map_y, cv2.INTER_LINEAR, borderValue=0) for i, plane in planes.items()}
            previous = current
        if t in given:
            # The given pixels belong to the new objects alone.
            planes = {i: np.where(given[t] > 0, np.float32(0), plane) for i, plane in planes.items()}
            planes |= {int(i): (given[t] == i).astype(np.float32) for i in np.unique(given[t][given[t] > 0])}
        background = 1 - np.sum(list(planes.values()), axis=0) if planes else np.ones((height, width), np.float32)
        yield np.array([0, *planes], np.uint8)[np.argmax([background, *planes.values()], axis=0)]


BASELINES: dict[str, Callable[[AnnotatedSequence, Given], Iterator[np.ndarray]]] = {
    "copy-first-mask": copy_first_mask,
    "dis-flow": dis_flow,
}
