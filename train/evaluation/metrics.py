"""Region similarity J and boundary accuracy F of two masks, and their statistics over a sequence (DAVIS 2016, sec. 4).

H, W: height and width in pixels. A mask is a bool array (H, W); True is the object.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

BOUNDARY_TOLERANCE = 0.008
"""Share of the image diagonal within which two boundary pixels match: 8 px at 854x480."""

NUM_DECAY_BINS = 4


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """Mean, recall (share of values above 0.5) and decay (first quarter's mean minus the last's) of values a frame."""

    mean: float
    recall: float
    decay: float


def region_similarity(truth: np.ndarray, prediction: np.ndarray) -> float:
    """Intersection over union of two bool masks (H, W), in [0, 1]; two empty masks agree perfectly (1)."""
    truth, prediction = _same_shape(truth, prediction)
    union = np.count_nonzero(truth | prediction)
    return 1.0 if union == 0 else np.count_nonzero(truth & prediction) / union


def boundary_accuracy(truth: np.ndarray, prediction: np.ndarray, tolerance: float = BOUNDARY_TOLERANCE) -> float:
    """F measure of two bool masks' boundaries (H, W), in [0, 1].

    Precision is the share of predicted boundary pixels that have a true one within `tolerance`, recall the reverse.
    `tolerance` below 1 is a share of the image diagonal, from 1 on it is in pixels. One boundary empty: 0; both: 1.
    """
    truth, prediction = _same_shape(truth, prediction)
    true_boundary, predicted_boundary = boundary_map(truth), boundary_map(prediction)
    num_true, num_predicted = np.count_nonzero(true_boundary), np.count_nonzero(predicted_boundary)
    if num_true == 0 or num_predicted == 0:
        return float(num_true == num_predicted)
    radius = tolerance if tolerance >= 1 else math.ceil(tolerance * np.linalg.norm(truth.shape))
    # No boundary pixel lies outside this box, so a dilation inside it decides every match; small objects cost little.
    box = bounding_box(true_boundary | predicted_boundary)
    true_boundary = np.ascontiguousarray(true_boundary[box], dtype=np.uint8)
    predicted_boundary = np.ascontiguousarray(predicted_boundary[box], dtype=np.uint8)
    near = disk(int(radius))
    precision = np.count_nonzero(predicted_boundary & cv2.dilate(true_boundary, near)) / num_predicted
    recall = np.count_nonzero(true_boundary & cv2.dilate(predicted_boundary, near)) / num_true
    return 0.0 if precision + recall == 0 else 2 * precision * recall / (precision + recall)


def boundary_map(mask: np.ndarray) -> np.ndarray:
    """Pixels of a bool mask (H, W) that differ from their right, lower or lower-right neighbour, as bool (H, W).

    The image border is no boundary: the last row looks right only, the last column down only.
    """
    boundary = np.zeros(mask.shape, dtype=bool)
    boundary[:, :-1] |= mask[:, :-1] ^ mask[:, 1:]
    boundary[:-1, :] |= mask[:-1, :] ^ mask[1:, :]
    boundary[:-1, :-1] |= mask[:-1, :-1] ^ mask[1:, 1:]
    return boundary


def bounding_box(mask: np.ndarray) -> tuple[slice, slice]:
    """Row and column slices of the smallest box that holds every True pixel of a mask with at least one."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


@functools.lru_cache(maxsize=8)
def disk(radius: int) -> np.ndarray:
    """Structuring element of all offsets at most `radius` pixels away, uint8 (2 radius + 1, 2 radius + 1)."""
    offsets = np.arange(-radius, radius + 1)
    return (offsets[:, None] ** 2 + offsets[None, :] ** 2 <= radius**2).astype(np.uint8)


def statistics(values: Sequence[float]) -> Statistics:
    """Mean, recall and decay of per-frame values.

    The four bins of the decay share their end frames, as in the published evaluation, whose 8-bit bin limits overflow
    above 256 frames; these do not. Raises ValueError when there is no value.
    """
    values = np.asarray(values, dtype=np.float64)
    if values.size == 0:
        raise ValueError("no frame to score: statistics need at least one per-frame value")
    limits = np.floor(np.linspace(1, len(values), NUM_DECAY_BINS + 1) + 0.5).astype(np.int64) - 1
    first, last = values[limits[0] : limits[1] + 1], values[limits[-2] : limits[-1] + 1]
    return Statistics(
        mean=float(values.mean()), recall=float((values > 0.5).mean()), decay=float(first.mean() - last.mean())
    )


def _same_shape(truth: np.ndarray, prediction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if truth.shape != prediction.shape or truth.ndim != 2:
        raise ValueError(
            f"masks must have one shape (H, W); truth has {truth.shape}, prediction has {prediction.shape}"
        )
    return truth.astype(bool, copy=False), prediction.astype(bool, copy=False)
