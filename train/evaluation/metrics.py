"""Region similarity J and boundary accuracy F of two masks, and their statistics over a sequence (DAVIS 2016, sec. 4).

H, W: height and width in pixels. A mask is a bool array (H, W); True is the object.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ...datagen.corpus.records import IGNORE_ID
from .bit_masks import BitGrid

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
    return _measure(truth.view(np.uint8), prediction.view(np.uint8), tolerance)[1]


def measures(
    truth: np.ndarray, prediction: np.ndarray, ids: Sequence[int], tolerance: float = BOUNDARY_TOLERANCE
) -> dict[int, tuple[float, float]]:
    """(J, F) of each object of one frame, id -> `region_similarity` and `boundary_accuracy` of its two masks.

    truth: uint8 ids (H, W), 255 where nothing is scored (void): there the prediction counts as background too.
    prediction: uint8 ids (H, W).
    """
    if truth.shape != prediction.shape or truth.ndim != 2:
        raise ValueError(f"ids must have one shape (H, W); truth has {truth.shape}, prediction {prediction.shape}")
    if truth.max(initial=0) == IGNORE_ID:
        prediction = np.where(truth == IGNORE_ID, 0, prediction).astype(np.uint8)
    true_mask, predicted_mask = _kept_masks(truth.shape)
    found = {}
    for i in ids:
        np.equal(truth, int(i), out=true_mask)
        np.equal(prediction, int(i), out=predicted_mask)
        found[i] = _measure(true_mask.view(np.uint8), predicted_mask.view(np.uint8), tolerance)
    return found


def boundary_map(mask: np.ndarray) -> np.ndarray:
    """Pixels of a bool mask (H, W) that differ from their right, lower or lower-right neighbour, as bool (H, W).

    The image border is no boundary: the last row looks right only, the last column down only.
    """
    boundary = np.zeros(mask.shape, dtype=bool)
    boundary[:, :-1] |= mask[:, :-1] ^ mask[:, 1:]
    boundary[:-1, :] |= mask[:-1, :] ^ mask[1:, :]
    boundary[:-1, :-1] |= mask[:-1, :-1] ^ mask[1:, 1:]
    return boundary


_kept = threading.local()


def _kept_masks(shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Two bool arrays that serve all objects and frames of a thread.

    Memory fresh from the system cost 0.3 ms for the two at 854x480, more than most objects take to score.
    """
    if getattr(_kept, "shape", None) != shape:
        _kept.shape, _kept.masks = shape, (np.empty(shape, bool), np.empty(shape, bool))
    return _kept.masks


def _measure(truth: np.ndarray, prediction: np.ndarray, tolerance: float) -> tuple[float, float]:
    """(J, F) of two uint8 masks (H, W), 0 or anything else."""
    radius = int(tolerance) if tolerance >= 1 else math.ceil(tolerance * math.hypot(*truth.shape))
    # Outside a frame of one pixel around both objects there is nothing to count; small objects cost little.
    box = _box_around(truth, prediction)
    if box is None:
        return 1.0, 1.0
    grid = BitGrid(*truth[box].shape, radius)
    true_mask, predicted_mask = grid.pack(truth[box]), grid.pack(prediction[box])
    region = (true_mask & predicted_mask).bit_count() / (true_mask | predicted_mask).bit_count()
    return region, _boundary_measure(grid, true_mask, predicted_mask, radius)


def _box_around(*masks: np.ndarray) -> tuple[slice, slice] | None:
    """Rows and columns of all pixels of the masks and of those beside them; None when there is no pixel."""
    boxes = [(x, y, x + width, y + height) for x, y, width, height in map(cv2.boundingRect, masks) if width]
    if not boxes:
        return None
    left, top, right, bottom = zip(*boxes, strict=True)
    return np.s_[max(min(top) - 1, 0) : max(bottom) + 1, max(min(left) - 1, 0) : max(right) + 1]


def _boundary_measure(grid: BitGrid, true_mask: int, predicted_mask: int, radius: int) -> float:
    true_boundary, predicted_boundary = grid.boundary(true_mask), grid.boundary(predicted_mask)
    num_true, num_predicted = true_boundary.bit_count(), predicted_boundary.bit_count()
    if num_true == 0 or num_predicted == 0:
        return float(num_true == num_predicted)
    precision = (predicted_boundary & grid.dilate(true_boundary, radius)).bit_count() / num_predicted
    recall = (true_boundary & grid.dilate(predicted_boundary, radius)).bit_count() / num_true
    return 0.0 if precision + recall == 0 else 2 * precision * recall / (precision + recall)


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
