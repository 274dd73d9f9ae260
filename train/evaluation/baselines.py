"""Methods without a network, which any trained one has to beat."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import cv2
import numpy as np

from .sequences import AnnotatedSequence


def copy_first_mask(sequence: AnnotatedSequence, first_ids: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the first mask for every frame: uint8 ids (H, W), one array a frame."""
    for _ in range(sequence.num_frames):
        yield first_ids


def dis_flow(sequence: AnnotatedSequence, first_ids: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the first mask carried along by DIS optical flow (Kroeger et al., ECCV 2016): uint8 ids (H, W) a frame.

    Each frame looks up its mask in the one before, through the flow from it to that one. Soft masks are carried, one
    an object: warping thresholded ones again and again wears the shape away (J 0.507 instead of 0.510 on six videos).
    What enters from outside the picture is background.
    """
    yield first_ids
    ids = np.unique(first_ids)
    ids = ids[ids > 0]
    # cv2.remap takes up to 4 channels at once, so each object has a plane of its own.
    planes = [(first_ids == i).astype(np.float32) for i in ids]
    height, width = first_ids.shape
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    flow_estimator = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    previous = sequence.read_luma(0)
    for t in range(1, sequence.num_frames):
        current = sequence.read_luma(t)
        flow = flow_estimator.calc(current, previous, None)
        map_x, map_y = columns + flow[..., 0], rows + flow[..., 1]
        planes = [cv2.remap(plane, map_x, map_y, cv2.INTER_LINEAR, borderValue=0) for plane in planes]
        background = 1 - np.sum(planes, axis=0) if planes else np.ones((height, width), np.float32)
        yield np.concatenate(([0], ids)).astype(np.uint8)[np.argmax([background, *planes], axis=0)]
        previous = current


BASELINES: dict[str, Callable[[AnnotatedSequence, np.ndarray], Iterator[np.ndarray]]] = {
    "copy-first-mask": copy_first_mask,
    "dis-flow": dis_flow,
}
