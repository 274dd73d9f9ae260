"""Tiny masks for the tests of simulated users: drawn by hypothesis, and some made by hand."""

import numpy as np
from hypothesis import strategies as st

SEEDS = st.integers(0, 2**32 - 1)


@st.composite
def masks(draw, max_side: int = 48, shape: tuple[int, int] | None = None) -> np.ndarray:
    """Draw bool (H, W): empty, full, one pixel, lines of one pixel, discs and rectangles, holes, or dust."""
    height, width = shape or (draw(st.integers(1, max_side)), draw(st.integers(1, max_side)))
    mask = np.zeros((height, width), bool)
    kind = draw(st.sampled_from(["empty", "full", "pixel", "line", "shapes", "shapes", "shapes", "dust"]))
    row, column = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
    if kind == "full":
        mask[:] = True
    elif kind == "pixel":
        mask[row, column] = True
    elif kind == "line":
        mask[row, :] = True
        if draw(st.booleans()):
            mask[:, column] = True
    elif kind == "dust":
        mask = np.random.default_rng(draw(SEEDS)).random((height, width)) < 0.2
    elif kind == "shapes":
        rows, columns = np.mgrid[:height, :width]
        for filled in draw(st.lists(st.booleans(), min_size=1, max_size=4)):
            row, column = draw(st.integers(-5, height + 5)), draw(st.integers(-5, width + 5))
            size = draw(st.integers(1, 25))
            if draw(st.booleans()):
                inside = (rows - row) ** 2 + (columns - column) ** 2 <= (size / 2) ** 2
            else:
                inside = (abs(rows - row) <= size // 3) & (abs(columns - column) <= size)
            mask[inside] = filled
    return mask


@st.composite
def mask_pairs(draw, max_side: int = 48) -> tuple[np.ndarray, np.ndarray]:
    """Draw two such masks of one size."""
    first = draw(masks(max_side))
    return first, draw(masks(shape=first.shape))


def disc(size: int, radius: float, row: float | None = None, column: float | None = None) -> np.ndarray:
    """Return bool (size, size) with a disc, in its middle unless told otherwise."""
    rows, columns = np.mgrid[:size, :size]
    row, column = (size // 2 if row is None else row), (size // 2 if column is None else column)
    return (rows - row) ** 2 + (columns - column) ** 2 <= radius**2


def box(height: int, width: int, top: int, left: int, bottom: int, right: int) -> np.ndarray:
    """Return bool (height, width) with a filled box, `bottom` and `right` excluded."""
    mask = np.zeros((height, width), bool)
    mask[top:bottom, left:right] = True
    return mask


def iou(first: np.ndarray, second: np.ndarray) -> float:
    """Return the IoU of two boolean masks; 1 where both are empty."""
    union = np.count_nonzero(first | second)
    return np.count_nonzero(first & second) / union if union else 1.0
