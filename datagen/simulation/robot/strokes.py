"""Strokes of a user and the label maps they leave on a frame.

A stroke's path is relative to the frame, so it fits any size of it; x = 1 and y = 1 are the last column and row when
the path is drawn, as the DAVIS interactive benchmark has it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

NO_STROKE = -1
"""What a label map holds where nobody drew."""

StrokeTip = Literal["square", "diamond", "ellipse"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Stroke:
    """One line that a user draws in one go on one frame.

    object_id: what the user says is under the line; 0 is background. path: float64 (P, 2), points (x, y) in [0, 1],
    P >= 1.
    """

    object_id: int
    path: np.ndarray

    def __post_init__(self) -> None:
        path = np.array(self.path, np.float64)
        if path.ndim != 2 or path.shape[1] != 2 or len(path) == 0:
            raise ValueError(f"the path of a stroke has shape {path.shape}; give one row (x, y) a point, at least one")
        if not (np.isfinite(path).all() and path.min() >= 0 and path.max() <= 1):
            raise ValueError(
                f"the path of a stroke runs from {path.min(axis=0)} to {path.max(axis=0)}; points (x, y) are relative "
                "to the frame, within [0, 1]: divide pixels by the frame's width and height"
            )
        path.flags.writeable = False
        object.__setattr__(self, "path", path)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Stroke):
            return NotImplemented
        return self.object_id == other.object_id and np.array_equal(self.path, other.path)


def draw_strokes(
    strokes: Sequence[Stroke], height: int, width: int, thickness: int = 1, tip: StrokeTip = "square"
) -> np.ndarray:
    """Draw strokes as Bresenham lines and return their object ids, int16 (height, width); `NO_STROKE` elsewhere.

    Points are scaled by (width - 1, height - 1) and cut to whole pixels; a later stroke covers an earlier one.
    thickness: odd width of the lines in pixels. tip: what widens them; published widths are 3 "square" (Scribble-to-
    Mask), 5 "diamond" (IPN: a cross of three pixels, twice) and 5 "ellipse" (ATNet, before its blur).
    Source: DAVIS interactive benchmark, scribbles to masks.
    """
    if thickness < 1 or thickness % 2 == 0:
        raise ValueError(
            f"thickness is {thickness}; give an odd number of pixels, 1 or more, so that lines stay centred"
        )
    labels = np.full((height, width), NO_STROKE, np.int16)
    kernel = _tip_kernel(tip, thickness)
    for stroke in strokes:
        pixels = (stroke.path * (width - 1, height - 1)).astype(np.int64)
        columns, rows = bresenham(pixels).T
        if thickness == 1:
            labels[rows, columns] = stroke.object_id
            continue
        line = np.zeros((height, width), np.uint8)
        line[rows, columns] = 1
        labels[cv2.dilate(line, kernel).view(bool)] = stroke.object_id
    return labels


def bresenham(points: np.ndarray) -> np.ndarray:
    """Return all pixels on the line through `points`, int64 (N, 2); 8-connected, in drawing order.

    points: whole (P, 2), any axis order. A pixel half way between two candidates goes along the direction of drawing,
    so the pixels are those of Bresenham's algorithm run from each point to the next.
    """
    points = np.asarray(points, np.int64)
    steps = np.diff(points, axis=0)
    lengths = np.abs(steps).max(axis=1, initial=0)
    starts = np.repeat(points[:-1], lengths, axis=0)
    # The index of each pixel within its own segment: 1 .. length.
    index = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths) + 1
    step, length = np.repeat(steps, lengths, axis=0), np.repeat(lengths, lengths)[:, None]
    offsets = np.sign(step) * ((2 * index[:, None] * np.abs(step) + length) // np.maximum(2 * length, 1))
    return np.concatenate([points[:1], starts + offsets])


def _tip_kernel(tip: StrokeTip, thickness: int) -> np.ndarray:
    """The pixels under the tip, uint8 (thickness, thickness)."""
    if tip == "square":
        return np.ones((thickness, thickness), np.uint8)
    if tip == "ellipse":
        return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (thickness, thickness))
    if tip == "diamond":
        away = np.abs(np.arange(thickness) - thickness // 2)
        return (away[:, None] + away <= thickness // 2).astype(np.uint8)
    raise ValueError(f"tip is {tip!r}; choose 'square', 'diamond' or 'ellipse'")
