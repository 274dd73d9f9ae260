"""Distances inside a mask, the same at every call.

OpenCV's precise transform rounds differently by where an array lies in memory, in the last bits: enough to break ties
of depth, and radii, now this way, now that. Squares of distances between pixels are whole numbers.
"""

import cv2
import numpy as np

_FAR = 1 << 15
"""More than any exact distance: what pixels get where no pixel lies off the mask."""


def squared_distance(mask: np.ndarray) -> np.ndarray:
    """Return the squared distance in pixels from each pixel of the mask to the nearest pixel off it, int32 (H, W).

    mask: bool or uint8 (H, W). Whole numbers, exact up to distances of 1,000 pixels; pixels outside the picture do not
    count, and without any pixel off the mask all is 2 ** 30.
    """
    distance = cv2.distanceTransform(np.ascontiguousarray(mask).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    np.minimum(distance, _FAR, out=distance)
    distance *= distance
    distance += 0.5
    return distance.astype(np.int32)


def distance_inside(mask: np.ndarray) -> np.ndarray:
    """Return the distance itself, float32 (H, W): the rounded root of `squared_distance`."""
    return np.sqrt(squared_distance(mask), dtype=np.float32)
