"""First negative clicks of a user: three strategies, and a whole first set of clicks with one of them.

After Benard and Gygli (2017) and Xu et al. (CVPR 2016): scattered around the object, on other objects, or spread
evenly around the object.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from ..distances import distance_inside
from ..regions import Box, as_bytes, region_box, require_masks
from .clicks import PUBLISHED, Click, ClickSettings, away_from_boundary, clicks_at, place_clicks, positive_clicks

_SURROUND_CANDIDATES = 10_000
"""Pixels among which the next click around an object is sought; a larger hull is sought on a coarser grid."""


def hull_clicks(
    rng: np.random.Generator, mask: np.ndarray, settings: ClickSettings = PUBLISHED, num: int | None = None
) -> tuple[Click, ...]:
    """Click at random around the object, from `margin` to `hull` pixels away from it.

    mask: bool (H, W). num: how many, drawn from 1..max_hull when None; fewer where there is no room. (): an empty
    mask, or an object with nothing around it.
    """
    require_masks(mask=mask)
    num = int(rng.integers(1, settings.max_hull + 1)) if num is None else num
    around = _around(mask, settings)
    if around is None:
        return ()
    box, distance = around
    return place_clicks(rng, _in_hull(distance, settings), box, num, settings.step, False)


def other_object_clicks(
    rng: np.random.Generator,
    mask: np.ndarray,
    other_masks: Sequence[np.ndarray],
    settings: ClickSettings = PUBLISHED,
    num: int | None = None,
) -> tuple[Click, ...]:
    """Click on each other object of the picture, away from its boundary.

    mask: bool (H, W); its pixels are never clicked. other_masks: bool (H, W) each. num: how many on each, drawn from
    1..max_other when None. (): no other object has a pixel off the mask.
    """
    require_masks(mask=mask, **{f"other_masks[{i}]": other for i, other in enumerate(other_masks)})
    clicks = ()
    for other in other_masks:
        free = other & ~mask
        box = region_box(free, int(np.ceil(settings.margin)))
        wanted = int(rng.integers(1, settings.max_other + 1)) if num is None else num
        if box is not None:
            allowed = away_from_boundary(free[box], settings.margin)
            clicks += place_clicks(rng, allowed, box, wanted, settings.step, False)
    return clicks


def surround_clicks(
    rng: np.random.Generator, mask: np.ndarray, settings: ClickSettings = PUBLISHED, num: int | None = None
) -> tuple[Click, ...]:
    """Click all around the object: the first at random in its hull, each next one as far as can be from all others.

    mask: bool (H, W). num: how many, num_surround when None; fewer where none is `step` away from the others. A hull
    of many pixels is searched on a coarser grid, at most two or three pixels wide at 480p. (): as `hull_clicks`.
    """
    require_masks(mask=mask)
    num = settings.num_surround if num is None else num
    around = _around(mask, settings)
    if around is None:
        return ()
    box, distance = around
    hull = _in_hull(distance, settings)
    size = cv2.countNonZero(as_bytes(hull))
    if not size or num < 1:
        return ()
    stride = max(1, int(np.sqrt(size / _SURROUND_CANDIDATES)))
    phase = rng.integers(stride, size=2)
    coarse = hull[phase[0] :: stride, phase[1] :: stride]
    if not coarse.any():
        stride, phase, coarse = 1, (0, 0), hull
    rows, columns = np.nonzero(coarse)
    rows, columns = rows * stride + int(phase[0]), columns * stride + int(phase[1])
    # Squared distance of each candidate to the nearest click so far. Xu et al. also count the distance to the object,
    # but as that ends at the hull, it would let clicks crowd on one side of any object larger than the hull is wide.
    nearest, taken, chosen = np.full(len(rows), np.iinfo(np.int64).max), [], int(rng.integers(len(rows)))
    while len(taken) < num and nearest[chosen] >= settings.step**2:
        taken.append(chosen)
        np.minimum(nearest, (rows - rows[chosen]) ** 2 + (columns - columns[chosen]) ** 2, out=nearest)
        chosen = int(np.argmax(nearest))
    return clicks_at([(int(rows[i]) + box[0].start, int(columns[i]) + box[1].start) for i in taken], False)


def first_clicks(
    rng: np.random.Generator,
    mask: np.ndarray,
    other_masks: Sequence[np.ndarray] = (),
    settings: ClickSettings = PUBLISHED,
) -> tuple[Click, ...]:
    """Draw a user's first clicks: positive ones on the object, then negative ones by one of the three strategies.

    mask, other_masks: bool (H, W). Without other objects one of the two other strategies is drawn. () for an empty
    mask.
    """
    positive = positive_clicks(rng, mask, settings)
    if not positive:
        return ()
    strategy = int(rng.integers(3 if other_masks else 2))
    if strategy == 2:
        return positive + other_object_clicks(rng, mask, other_masks, settings)
    return positive + (hull_clicks, surround_clicks)[strategy](rng, mask, settings)


def _around(mask: np.ndarray, settings: ClickSettings) -> tuple[Box, np.ndarray] | None:
    """Return the box that holds the hull and, in it, the distance to the object, float32; None for an empty mask."""
    box = region_box(mask, int(settings.hull) + 1)
    if box is None:
        return None
    return box, distance_inside(~mask[box])


def _in_hull(distance: np.ndarray, settings: ClickSettings) -> np.ndarray:
    return (distance >= settings.margin) & (distance <= settings.hull)
