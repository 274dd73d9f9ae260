"""Binary morphology of the simulated users: published kernels, erosion by discs, edits in random rectangles.

Masks here are uint8 0/1 views of a picture's box. Beyond the array nothing is eroded and nothing grows in, so that the
picture's border is no boundary; boxes cut out of a picture keep a margin of at least the largest kernel's radius.
"""

from functools import cache

import cv2
import numpy as np

SQUARE_3 = np.ones((3, 3), np.uint8)
CROSS_3 = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)
_LARGEST_KERNEL = 15
"""Above this size, in pixels, a distance map erodes faster than a kernel."""


@cache
def ellipse(width: int, height: int) -> np.ndarray:
    """Return OpenCV's elliptic kernel, uint8 (height, width)."""
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, height))


@cache
def error_kernel(shape: int, size: int) -> np.ndarray:
    """Return a kernel of the published four: 0 square, 1 ellipse, 2 wide and 3 tall ellipse, half as thick as long."""
    if shape == 0:
        return np.ones((size, size), np.uint8)
    return ellipse(*[(size, size), (size, size // 2), (size // 2, size)][shape - 1])


def erode_disc(mask: np.ndarray, size: int) -> np.ndarray:
    """Erode by a disc `size` pixels across, which is OpenCV's elliptic kernel to half a pixel. mask: uint8 (H, W)."""
    if size <= _LARGEST_KERNEL:
        return cv2.erode(mask, ellipse(size, size))
    if mask.all():
        return mask.copy()  # without any pixel outside there is no distance to it
    return (cv2.distanceTransform(mask, cv2.DIST_L2, 5) > size // 2).view(np.uint8)


def edit_rectangle(height: int, width: int, corner: np.ndarray) -> tuple[int, int, int, int]:
    """Return left, top, right, bottom of a rectangle from four numbers in [0, 1).

    As published, one corner lies anywhere and the opposite one anywhere to the right of it and below.
    """
    left, top = int(corner[0] * width), int(corner[1] * height)
    return left, top, left + 1 + int(corner[2] * (width - left)), top + 1 + int(corner[3] * (height - top))
