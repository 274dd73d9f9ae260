"""Clicks of a user on one object: first clicks on it and around it, and clicks that correct a mask.

After Benard and Gygli, "Interactive Video Object Segmentation in the Wild" (2017), whose first clicks follow Xu et
al., "Deep Interactive Object Selection" (CVPR 2016).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ..distances import squared_distance
from ..regions import Box, as_bytes, region_box, require_masks

_QUICK_TRIALS = 16
"""Draws that may fall too near an earlier click before the pixels near them are sorted out."""


@dataclass(frozen=True, kw_only=True)
class Click:
    """A click at (x, y), continuous pixels: the middle of pixel (column c, row r) is (c + 0.5, r + 0.5).

    positive: "this is the object"; otherwise "this is not".
    """

    x: float
    y: float
    positive: bool

    @property
    def pixel(self) -> tuple[int, int]:
        """The (row, column) of the pixel under the click."""
        return int(self.y), int(self.x)


@dataclass(frozen=True, kw_only=True)
class ClickSettings:
    """Settings of the clicks. Distances in pixels between pixel middles.

    margin (d_margin): of first clicks from the object's boundary. step (d_step): between clicks. hull (d_hull): how
    far from the object negative clicks lie. correction_counts (N_corr): one is drawn. These are Benard and Gygli's;
    the largest numbers of first clicks are Xu et al.'s: max_positive, max_hull and max_other (on each of the
    others) are the ends of ranges drawn from 1, num_surround is always the same.
    """

    margin: float = 3.0
    step: float = 5.0
    hull: float = 40.0
    max_positive: int = 5
    max_hull: int = 10
    max_other: int = 5
    num_surround: int = 10
    correction_counts: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 10, 20)

    def __post_init__(self) -> None:
        if self.margin < 1 or self.step < 1 or self.hull < self.margin:
            raise ValueError(
                f"margin {self.margin}, step {self.step}, hull {self.hull}: margin and step must be 1 pixel or more "
                "and hull at least the margin"
            )
        if min(self.max_positive, self.max_hull, self.max_other, self.num_surround) < 1:
            raise ValueError("max_positive, max_hull, max_other and num_surround must be 1 or more")
        if not self.correction_counts or min(self.correction_counts) < 0:
            raise ValueError(f"correction_counts are {self.correction_counts}; give one or more whole numbers from 0")


PUBLISHED = ClickSettings()


def positive_clicks(
    rng: np.random.Generator, mask: np.ndarray, settings: ClickSettings = PUBLISHED, num: int | None = None
) -> tuple[Click, ...]:
    """Click on the object, away from its boundary and from earlier clicks.

    mask: bool (H, W). num: how many, drawn from 1..max_positive when None; fewer where there is no room. An object
    without any pixel that far inside is clicked where it is deepest; only an empty mask gives (). The picture's
    border is no boundary.
    """
    require_masks(mask=mask)
    num = int(rng.integers(1, settings.max_positive + 1)) if num is None else num
    box = region_box(mask, int(np.ceil(settings.margin)))
    if box is None:
        return ()
    return place_clicks(rng, away_from_boundary(mask[box], settings.margin), box, num, settings.step, True)


def corrective_clicks(
    rng: np.random.Generator,
    true_mask: np.ndarray,
    predicted_mask: np.ndarray,
    settings: ClickSettings = PUBLISHED,
    num: int | None = None,
) -> tuple[Click, ...]:
    """Click anywhere on the errors: positive where the object is missing, negative where the mask is too large.

    true_mask, predicted_mask: bool (H, W). num: how many, one of correction_counts when None; fewer where there is no
    room. (): none drawn, or no error.
    """
    require_masks(true_mask=true_mask, predicted_mask=predicted_mask)
    num = int(rng.choice(settings.correction_counts)) if num is None else num
    errors = true_mask ^ predicted_mask
    box = region_box(errors)
    if box is None or num == 0:
        return ()
    clicks = place_clicks(rng, errors[box], box, num, settings.step, True)
    return tuple(Click(x=c.x, y=c.y, positive=bool(true_mask[c.pixel])) for c in clicks)


def away_from_boundary(region: np.ndarray, margin: float) -> np.ndarray:
    """Return the pixels of the region at least `margin` from any pixel outside, or its deepest ones; bool (H, W).

    region: bool (H, W), not empty, with `margin` pixels around it where the picture goes on.
    """
    inside = cv2.erode(as_bytes(region), _open_disc(margin))
    if inside.any():
        return inside.view(bool)
    depth = squared_distance(region)
    return depth == depth.max()


def place_clicks(
    rng: np.random.Generator, allowed: np.ndarray, box: Box, num: int, step: float, positive: bool
) -> tuple[Click, ...]:
    """Draw up to `num` clicks one after another, each evenly from the allowed pixels `step` or more from all earlier.

    allowed: bool (h, w), which lies at `box` in the picture.
    """
    pixels, taken, trials = np.flatnonzero(allowed), [], 0
    while len(taken) < num and len(pixels):
        row, column = divmod(int(pixels[rng.integers(len(pixels))]), allowed.shape[1])
        if all((row - r) ** 2 + (column - c) ** 2 >= step**2 for r, c in taken):
            taken.append((row, column))
            trials = 0
            continue
        trials += 1
        if trials >= _QUICK_TRIALS:
            # Most of the region lies near clicks: sort these pixels out, the rest stay equally likely.
            rows, columns = np.divmod(pixels, allowed.shape[1])
            far = np.ones(len(pixels), bool)
            for r, c in taken:
                far &= (rows - r) ** 2 + (columns - c) ** 2 >= step**2
            pixels, trials = pixels[far], 0
    return clicks_at([(r + box[0].start, c + box[1].start) for r, c in taken], positive)


def clicks_at(pixels: Sequence[tuple[int, int]], positive: bool) -> tuple[Click, ...]:
    """Return clicks on the middles of pixels (row, column)."""
    return tuple(Click(x=column + 0.5, y=row + 0.5, positive=positive) for row, column in pixels)


def _open_disc(radius: float) -> np.ndarray:
    """Return the kernel of all offsets shorter than `radius`, uint8."""
    reach = int(np.ceil(radius))
    offsets = np.arange(-reach, reach + 1)
    return (offsets[:, None] ** 2 + offsets**2 < radius**2).astype(np.uint8)
