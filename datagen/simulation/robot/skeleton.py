"""Skeletons of masks: the medial axis, and thinning by Zhang and Suen or by Guo and Hall.

Masks are bool (H, W) and so are skeletons; outside the picture counts as background. Work happens in the box around
the mask alone.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Literal

import cv2
import numpy as np
import skimage.morphology

from ..distances import squared_distance

try:
    # The public function builds its table with 1,024 labellings and sorts three float keys, which is nine tenths of
    # its time; its compiled loop does the rest. Releases without the loop under this name use the public function.
    from skimage.morphology._skeletonize_various_cy import _skeletonize_loop as _peel_in_order
except ImportError:
    _peel_in_order = None

ThinningMethod = Literal["zhang-suen", "guo-hall"]

_RING = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))
"""(row, column) steps to the neighbours P2 .. P9 of Zhang and Suen: north first, then clockwise."""


_CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)


def medial_axis(rng: np.random.Generator, mask: np.ndarray) -> np.ndarray:
    """Return the medial axis of a mask, bool (H, W); 8-connected, one pixel wide, one part for each part of the mask.

    Pixels are taken away from the border inwards wherever that neither splits nor shortens what is left. `rng` orders
    pixels of equal rank, so equal generators give equal axes: those of scikit-image's `medial_axis`.
    """
    axis = np.zeros(mask.shape, bool)
    box = box_of(mask)
    if box is None:
        return axis
    inner = np.pad(mask[box], 1)
    if _peel_in_order is None:
        axis[box] = skimage.morphology.medial_axis(inner, rng=rng)[1:-1, 1:-1]
        return axis
    order = _medial_order(rng, inner)
    rows, columns = (np.ascontiguousarray(indices, np.intp) for indices in np.nonzero(inner))
    result = inner.astype(np.uint8)
    _peel_in_order(result, rows, columns, order, _keep_table())
    axis[box] = result[1:-1, 1:-1]
    return axis


def thin(mask: np.ndarray, method: ThinningMethod = "zhang-suen") -> np.ndarray:
    """Return the mask thinned to lines of one pixel, bool (H, W).

    Two rules take turns at taking away border pixels, all at once, until neither finds any. Sources: Zhang and Suen,
    Communications of the ACM 27(3), 1984; Guo and Hall, Communications of the ACM 32(3), 1989 (A1).
    """
    if method not in _REMOVABLE:
        raise ValueError(f"the method of thinning is {method!r}; choose one of {', '.join(map(repr, _REMOVABLE))}")
    skeleton = np.zeros(mask.shape, bool)
    box = box_of(mask)
    if box is not None:
        skeleton[box] = _thin_from_the_border(np.pad(mask[box], 1), _thinning_tables(method))[1:-1, 1:-1]
    return skeleton


def box_of(mask: np.ndarray) -> tuple[slice, slice] | None:
    """Return the (rows, columns) of the smallest box around the mask, or None where the mask is empty."""
    left, top, width, height = cv2.boundingRect(np.ascontiguousarray(mask, bool).view(np.uint8))
    return (slice(top, top + height), slice(left, left + width)) if width else None


def _medial_order(rng: np.random.Generator, mask: np.ndarray) -> np.ndarray:
    """Return the mask's pixels, numbered by row, from the border inwards, int32; corners last, ties by `rng`."""
    neighbours = cv2.boxFilter(mask.view(np.uint8), -1, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT)
    keys = squared_distance(mask)[mask] * 9 + (9 - neighbours[mask])
    by_tie = np.empty(len(keys), np.int64)
    by_tie[rng.permutation(len(keys))] = np.arange(len(keys))
    # Ranks instead of keys: 16-bit numbers sort in linear time.
    is_used = np.bincount(keys) > 0
    ranks = np.cumsum(is_used) - 1
    dense = ranks.astype(np.uint16 if ranks[-1] < 1 << 16 else np.int64)[keys]
    return by_tie[np.argsort(dense[by_tie], kind="stable")].astype(np.int32)


@functools.cache
def _keep_table() -> np.ndarray:
    """Which 3x3 patterns keep their centre, uint8 (512,), bit 3 * row + column a pixel.

    The centre stays if without it the number of 8-connected parts changes, or if at most two pixels are set.
    """
    table = np.zeros(512, np.uint8)
    for code in range(512):
        pattern = ((code >> np.arange(9)) & 1).astype(np.uint8).reshape(3, 3)
        if pattern[1, 1]:
            without = pattern.copy()
            without[1, 1] = 0
            splits = cv2.connectedComponents(pattern)[0] != cv2.connectedComponents(without)[0]
            table[code] = splits or pattern.sum() < 3
    return table


def _thin_from_the_border(mask: np.ndarray, tables: Sequence[np.ndarray]) -> np.ndarray:
    """Thin a mask whose outermost pixels are off.

    Only pixels beside the background are looked at: neither method takes away a pixel whose four sides are all set.
    """
    width = mask.shape[1]
    ring = np.array([row * width + column for row, column in _RING])[:, None]
    is_set = mask.ravel().copy()
    is_inner = cv2.erode(mask.view(np.uint8), _CROSS).ravel().view(bool)
    border = np.flatnonzero(is_set & ~is_inner)
    place = np.empty(len(is_set), np.intp)
    idle = turn = 0
    while idle < len(tables):
        codes = np.packbits(is_set.take(border + ring), axis=0, bitorder="little")[0]
        is_removable = tables[turn].take(codes)
        turn = (turn + 1) % len(tables)
        removed = border[is_removable]
        idle = 0 if len(removed) else idle + 1
        is_set[removed] = False
        bared = (removed + ring[::2]).ravel()
        bared = bared[is_inner.take(bared)]
        is_inner[bared] = False
        # A pixel bared from several sides is kept once: where its own number is the last one written.
        numbers = np.arange(len(bared))
        place[bared] = numbers
        border = np.concatenate([border[~is_removable], bared[place.take(bared) == numbers]])
    return is_set.reshape(mask.shape)


@functools.cache
def _thinning_tables(method: ThinningMethod) -> tuple[np.ndarray, np.ndarray]:
    """For both turns of a method, which rings of neighbours make a pixel removable, bool (256,); bit i is P(i+2)."""
    return tuple(
        np.array([_REMOVABLE[method](*((code >> np.arange(8)) & 1).tolist(), turn) for code in range(256)])
        for turn in (0, 1)
    )


def _zhang_suen(n: int, ne: int, e: int, se: int, s: int, sw: int, w: int, nw: int, turn: int) -> bool:
    ring = (n, ne, e, se, s, sw, w, nw)
    rises = sum(before < after for before, after in zip(ring, ring[1:] + ring[:1], strict=True))
    sides = (n * e * s, e * s * w) if turn == 0 else (n * e * w, n * s * w)
    return 2 <= sum(ring) <= 6 and rises == 1 and not any(sides)


def _guo_hall(n: int, ne: int, e: int, se: int, s: int, sw: int, w: int, nw: int, turn: int) -> bool:
    parts = (1 - n) * (ne | e) + (1 - e) * (se | s) + (1 - s) * (sw | w) + (1 - w) * (nw | n)
    pairs = min((nw | n) + (ne | e) + (se | s) + (sw | w), (n | ne) + (e | se) + (s | sw) + (w | nw))
    side = (n | ne | (1 - se)) & e if turn == 0 else (s | sw | (1 - nw)) & w
    return parts == 1 and 2 <= pairs <= 3 and not side


_REMOVABLE: dict[str, Callable[..., bool]] = {"zhang-suen": _zhang_suen, "guo-hall": _guo_hall}
