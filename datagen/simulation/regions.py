"""Regions of a boolean mask: boxes, random pixels; checks of masks and numbers. Rows run down, columns run right."""

from collections.abc import Sequence

import cv2
import numpy as np

Box = tuple[slice, slice]
"""Rows and columns of a rectangle: `mask[box]` is a view."""


def require_masks(**masks: np.ndarray) -> None:
    """Raise ValueError, by the argument's name, unless all are boolean masks (H, W) of one size."""
    first_name, first = next(iter(masks.items()))
    for name, mask in masks.items():
        if not isinstance(mask, np.ndarray) or mask.dtype != bool or mask.ndim != 2 or mask.size == 0:
            kind = f"{mask.dtype} {mask.shape}" if isinstance(mask, np.ndarray) else type(mask).__name__
            raise ValueError(f"{name} must be a boolean mask (H, W) with pixels, not {kind}; compare ids to get one")
        if mask.shape != first.shape:
            raise ValueError(f"{name} is {mask.shape}, but {first_name} is {first.shape}; the sizes must be the same")


def as_bytes(mask: np.ndarray) -> np.ndarray:
    """Return the boolean mask as uint8 0/1 for OpenCV, sharing its memory."""
    return mask.view(np.uint8)


def region_box(mask: np.ndarray, margin: int = 0) -> Box | None:
    """Return the smallest box around the mask's pixels, `margin` pixels wider on each side within the picture.

    mask: bool (H, W). An empty mask gives None.
    """
    left, top, width, height = cv2.boundingRect(as_bytes(mask))
    if not width:
        return None
    return (
        slice(max(top - margin, 0), min(top + height + margin, mask.shape[0])),
        slice(max(left - margin, 0), min(left + width + margin, mask.shape[1])),
    )


def inner_box(outer: Box, inner: Box) -> Box:
    """Return, in the picture, the box `inner` that is stated relative to the box `outer`."""
    return tuple(slice(o.start + i.start, o.start + i.stop) for o, i in zip(outer, inner, strict=True))


def draw_pixels(rng: np.random.Generator, mask: np.ndarray, num: int, replace: bool = False) -> np.ndarray:
    """Draw `num` pixels evenly from the mask, which has one or more.

    mask: bool (H, W). Returns int64 (P, 2), each (column, row). Without replace they are different, and all of the
    mask's, shuffled, where it has no more than `num`; with replace each is drawn by itself.
    """
    inside = np.flatnonzero(mask)
    if replace:
        chosen = inside[rng.integers(len(inside), size=num)]
    else:
        chosen = inside[rng.choice(len(inside), size=min(num, len(inside)), replace=False)]
    return np.column_stack([chosen % mask.shape[1], chosen // mask.shape[1]])


def draw_size(rng: np.random.Generator, limits: Sequence[int]) -> int:
    """Draw a whole number evenly from limits[0]..limits[1], both included."""
    return int(rng.integers(limits[0], limits[1] + 1))


def require_range(name: str, limits: Sequence[float], lowest: float, highest: float = np.inf) -> None:
    """Raise ValueError unless limits is (low, high) with lowest <= low <= high <= highest."""
    if len(limits) != 2 or not lowest <= limits[0] <= limits[1] <= highest:
        raise ValueError(f"{name} is {tuple(limits)}; it must be (low, high) with {lowest} <= low <= high <= {highest}")


def require_limits(lowest: float, highest: float | None = None, **values: float) -> None:
    """Raise ValueError, by the argument's name, unless each is finite, at least lowest and at most highest."""
    for name, value in values.items():
        if not lowest <= value <= (np.finfo(float).max if highest is None else highest):
            allowed = f"at least {lowest}" if highest is None else f"from {lowest} to {highest}"
            raise ValueError(f"{name} is {value}, it must be {allowed}")


def require_share(**shares: float) -> None:
    """Raise ValueError, by the argument's name, unless each is a probability in [0, 1]."""
    for name, share in shares.items():
        if not 0 <= share <= 1:
            raise ValueError(f"{name} is {share}; a probability lies in [0, 1]")
