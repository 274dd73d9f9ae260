"""J and F as the DAVIS evaluation defines them, written plainly: whole pictures, one object at a time.

H, W pixels. A peer to measure and to check against: arrays of truth values, a dilation of the whole boundary map by a
disk, sums. Definitions: Perazzi et al., CVPR 2016, sec. 4, and the published DAVIS 2017 evaluation.
"""

import math

import cv2
import numpy as np
import skimage.morphology

TOLERANCE = 0.008


def plain_measures(truth: np.ndarray, prediction: np.ndarray, ids: list[int]) -> dict[int, tuple[float, float]]:
    """Object id -> (J, F) of uint8 ids (H, W)."""
    return {i: (plain_region(truth == i, prediction == i), plain_boundary(truth == i, prediction == i)) for i in ids}


def plain_region(truth: np.ndarray, prediction: np.ndarray) -> float:
    """Intersection over union of bool masks (H, W)."""
    union = np.sum(truth | prediction)
    return 1.0 if union == 0 else np.sum(truth & prediction) / union


def plain_boundary(truth: np.ndarray, prediction: np.ndarray) -> float:
    """F of the boundaries of bool masks (H, W)."""
    true_map, predicted_map = boundaries(truth), boundaries(prediction)
    radius = math.ceil(TOLERANCE * np.linalg.norm(truth.shape))
    near = skimage.morphology.disk(radius).astype(np.uint8)
    near_true = cv2.dilate(true_map.astype(np.uint8), near)
    near_predicted = cv2.dilate(predicted_map.astype(np.uint8), near)
    num_true, num_predicted = np.sum(true_map), np.sum(predicted_map)
    if num_true == 0 or num_predicted == 0:
        return float(num_true == num_predicted)
    precision = np.sum(predicted_map * near_true) / num_predicted
    recall = np.sum(true_map * near_predicted) / num_true
    return 0.0 if precision + recall == 0 else 2 * precision * recall / (precision + recall)


def boundaries(mask: np.ndarray) -> np.ndarray:
    """Pixels unlike their right, lower or lower-right neighbour, bool (H, W); the border of the picture is none."""
    padded = np.pad(mask, ((0, 1), (0, 1)), mode="edge")
    right, below, diagonal = padded[:-1, 1:], padded[1:, :-1], padded[1:, 1:]
    return (mask ^ right) | (mask ^ below) | (mask ^ diagonal)
