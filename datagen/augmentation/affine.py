"""Geometry of augmentation: drawn once, composed into one matrix, applied to picture and ids in one resampling.

Matrices are float64 (3, 3) and act on continuous coordinates (x, y, 1), where pixel (column c, row r) covers
[c, c+1) x [r, r+1); they map the source picture to the result.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from .colour import ColourChange, change_colour

BORDER_RGB = (124, 116, 104)
"""ImageNet's mean colour, for what lies outside the source picture."""
MAX_SHEAR_DEGREES = 80
"""At 90 a picture is a line."""
_CROP_TRIALS = 10
_MARGIN_PIXELS = 3
"""What bicubic interpolation reads around a pixel, and one more."""


@dataclass(frozen=True, kw_only=True)
class CropBox:
    """A rectangle of the source picture in pixels."""

    left: int
    top: int
    width: int
    height: int


def draw_crop(
    rng: np.random.Generator,
    height: int,
    width: int,
    area_scale: tuple[float, float],
    aspect_ratio: tuple[float, float],
) -> CropBox:
    """Draw the box of a random resized crop for a picture of height x width pixels.

    area_scale: range of the share of the picture's area, within (0, 1]. aspect_ratio: range of width / height, drawn
    evenly on a log scale. When ten boxes in a row do not fit, the largest centred box within the range is taken.
    """
    for _ in range(_CROP_TRIALS):
        area = height * width * rng.uniform(*area_scale)
        ratio = np.exp(rng.uniform(*np.log(aspect_ratio)))
        crop_width, crop_height = round(np.sqrt(area * ratio)), round(np.sqrt(area / ratio))
        if 0 < crop_width <= width and 0 < crop_height <= height:
            left, top = rng.integers(width - crop_width + 1), rng.integers(height - crop_height + 1)
            return CropBox(left=int(left), top=int(top), width=crop_width, height=crop_height)
    ratio = min(max(width / height, aspect_ratio[0]), aspect_ratio[1])
    crop_width, crop_height = min(width, round(height * ratio)), min(height, round(width / ratio))
    return CropBox(
        left=(width - crop_width) // 2, top=(height - crop_height) // 2, width=crop_width, height=crop_height
    )


def crop_matrix(box: CropBox, size: int) -> np.ndarray:
    """Return the matrix that maps the box to a square of size x size pixels."""
    scale_x, scale_y = size / box.width, size / box.height
    return np.array([[scale_x, 0, -box.left * scale_x], [0, scale_y, -box.top * scale_y], [0, 0, 1]])


def flip_matrix(width: float) -> np.ndarray:
    """Return the matrix that mirrors a picture of this width left to right."""
    return np.array([[-1.0, 0, width], [0, 1, 0], [0, 0, 1]])


def draw_rotation_shear(
    rng: np.random.Generator, rotation_degrees: float, shear_degrees: float, size: int
) -> np.ndarray:
    """Draw a rotation and a horizontal shear about the centre of a square of size x size pixels."""
    rotation = rng.uniform(-rotation_degrees, rotation_degrees)
    shear = rng.uniform(-shear_degrees, shear_degrees)
    return centred_matrix((size / 2, size / 2), rotation_degrees=rotation, shear_degrees=shear)


def centred_matrix(
    centre: tuple[float, float], *, rotation_degrees: float = 0.0, scale: float = 1.0, shear_degrees: float = 0.0
) -> np.ndarray:
    """Return the matrix that shears horizontally, then scales and turns clockwise, about the point `centre` (x, y)."""
    angle, shear = np.deg2rad(rotation_degrees), np.tan(np.deg2rad(shear_degrees))
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = np.eye(3)
    matrix[:2, :2] = scale * (rotation @ np.array([[1, shear], [0, 1]]))
    matrix[:2, 2] = np.array(centre) - matrix[:2, :2] @ np.array(centre)
    return matrix


def scale_matrix(scale_x: float, scale_y: float) -> np.ndarray:
    """Return the matrix that scales about the origin."""
    return np.diag([scale_x, scale_y, 1.0])


def translation_matrix(x: float, y: float) -> np.ndarray:
    """Return the matrix that moves points by (x, y)."""
    return np.array([[1.0, 0, x], [0, 1, y], [0, 0, 1]])


TO_CENTRES, FROM_CENTRES = translation_matrix(-0.5, -0.5), translation_matrix(0.5, 0.5)
"""OpenCV puts pixel centres on whole numbers, our coordinates put them on halves."""


def inverse_matrix(matrix: np.ndarray) -> np.ndarray:
    """Return the matrix that undoes `matrix`, float64 (3, 3); ZeroDivisionError where none does.

    Not by `np.linalg.inv`: OpenBLAS wakes a thread for it that waits for more by spinning, in a loader on two cores as
    long as the samples take.
    """
    (a, b, x), (c, d, y) = matrix[:2].tolist()
    share = 1 / (a * d - b * c)
    a, b, c, d = d * share, -b * share, -c * share, a * share
    return np.array([[a, b, -a * x - b * y], [c, d, -c * x - d * y], [0, 0, 1]])


def transform_points(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return points float64 (..., 2) under a matrix."""
    return points @ matrix[:2, :2].T + matrix[:2, 2]


def warp_rgb(rgb: np.ndarray, matrix: np.ndarray, size: int, *changes: ColourChange) -> np.ndarray:
    """Return the picture under `matrix`, uint8 (size, size, 3); bilinear, `BORDER_RGB` outside.

    rgb: uint8 (H, W, 3). Where the matrix shrinks by 2 or more, blocks of whole pixels are averaged first, so that
    fine texture does not turn into noise. changes: of its colours; they come before that, so the border keeps its own,
    and touch only the part of the picture that is seen.
    """
    factors = shrink_factors(matrix)
    corners = np.array([[0.0, 0], [size, 0], [0, size], [size, size]])
    box = shown_box(transform_points(inverse_matrix(matrix), corners), rgb.shape[:2], factors)
    if box is None:
        return np.full((size, size, 3), BORDER_RGB, np.uint8)
    left, top, right, bottom = box
    part = rgb[top:bottom, left:right]
    part = average_blocks(change_colour(part, *changes, whole=rgb) if changes else part, factors)
    matrix = matrix @ translation_matrix(left, top) @ scale_matrix(*factors)
    return _warp(part, matrix, size, cv2.INTER_LINEAR, BORDER_RGB)


def warp_ids(ids: np.ndarray, matrix: np.ndarray, size: int) -> np.ndarray:
    """Return the ids under `matrix`, uint8 (size, size); nearest neighbour, 0 outside. ids: uint8 (H, W)."""
    return _warp(ids, matrix, size, cv2.INTER_NEAREST, 0)


def shrink_factors(matrix: np.ndarray) -> tuple[int, int]:
    """How many source pixels fall on one result pixel, along the source's x and y, rounded down to 1 or more."""
    lengths = np.maximum(np.linalg.norm(matrix[:2, :2], axis=0), 1e-6)
    return max(1, int(1 / lengths[0] + 1e-9)), max(1, int(1 / lengths[1] + 1e-9))


def shown_box(
    outline: np.ndarray, shape: tuple[int, int], factors: tuple[int, int]
) -> tuple[int, int, int, int] | None:
    """Return the part of a picture (left, top, right, bottom) that is shown, a margin for interpolation with it.

    outline: (P, 2), points of the picture around all that is shown. shape: its height and width. factors: of the blocks
    (x, y) that are to be averaged; left and top are multiples of them. None when nothing is shown.
    """
    margin = _MARGIN_PIXELS * np.asarray(factors)
    low = np.floor((outline.min(0) - margin) / factors) * factors
    high = np.ceil(outline.max(0) + margin)
    left, top = np.maximum(low, 0).astype(int).tolist()
    right, bottom = np.minimum(high, [shape[1], shape[0]]).astype(int).tolist()
    return (left, top, right, bottom) if left < right and top < bottom else None


def average_blocks(image: np.ndarray, factors: tuple[int, int]) -> np.ndarray:
    """Return the means of blocks of factors (x, y) whole pixels, uint8 (H // y, W // x[, C]).

    Up to factor - 1 pixels at the right and bottom are cut, so that the scale is exact; a picture smaller than one
    block stays as it is along that side.
    """
    height, width = max(1, image.shape[0] // factors[1]), max(1, image.shape[1] // factors[0])
    if max(factors) < 2:
        return image
    whole = image[: height * factors[1], : width * factors[0]]
    return cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA)


def _warp(image: np.ndarray, matrix: np.ndarray, size: int, method: int, border: float | tuple) -> np.ndarray:
    inverse = TO_CENTRES @ inverse_matrix(matrix) @ FROM_CENTRES
    return cv2.warpAffine(
        image,
        inverse[:2],
        (size, size),
        flags=method | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=border,
    )
