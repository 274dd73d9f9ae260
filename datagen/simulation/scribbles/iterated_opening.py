"""Scribbles along the middle of the regions that survive repeated opening.

After Oh et al., "Fast User-Guided Video Object Segmentation by Interaction-and-Propagation Networks" (CVPR 2019):
opening drops small scattered errors, thinning after Guo and Hall gives the lines, and the lines are widened as the
network sees them in use. Kernel and number of openings are not stated there, so these are ours.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from ..morphology import CROSS_3
from ..regions import as_bytes, draw_size, region_box, require_masks, require_range
from ..robot.skeleton import thin
from .scribble_mixture import UserInput


@dataclass(frozen=True, kw_only=True)
class OpeningSettings:
    """Settings of the scribbles.

    num_openings: range, both included, of how often the region is eroded by a 3x3 cross, and then dilated as often.
    allow_none: whether a region that does not survive gets no scribble; False opens it less often instead, so that
    every region gets one. widenings: dilations of the line by a 3x3 cross. keep_inside: cut the widened line to its
    region; False lets it stick out of thin ones.
    """

    num_openings: tuple[int, int] = (2, 6)
    allow_none: bool = True
    widenings: int = 2
    keep_inside: bool = True

    def __post_init__(self) -> None:
        require_range("num_openings", self.num_openings, 0)
        if self.widenings < 0:
            raise ValueError(f"widenings is {self.widenings}; it must be 0 or more")


OURS = OpeningSettings()


def opened_scribbles(
    rng: np.random.Generator,
    true_mask: np.ndarray,
    current_mask: np.ndarray | None,
    settings: OpeningSettings = OURS,
) -> UserInput:
    """Scribble on the errors of `current_mask`: positive on missing pixels, negative on wrong ones.

    true_mask, current_mask: bool (H, W). None is the first round, with positive scribbles alone.
    """
    if current_mask is None:
        current_mask = np.zeros_like(true_mask)
    require_masks(true_mask=true_mask, current_mask=current_mask)
    positive = opened_scribble(rng, true_mask & ~current_mask, settings)
    negative = opened_scribble(rng, current_mask & ~true_mask, settings)
    kinds = ("opened",) * (int(positive.any()) + int(negative.any()))
    return UserInput(positive=positive, negative=negative, kinds=kinds)


def opened_scribble(rng: np.random.Generator, region: np.ndarray, settings: OpeningSettings = OURS) -> np.ndarray:
    """Return the widened middle lines of the region after its openings; bool (H, W).

    region: bool (H, W). Empty where the region is, or where no part of it survives and settings.allow_none holds.
    """
    require_masks(region=region)
    scribble = np.zeros(region.shape, bool)
    num_openings = draw_size(rng, settings.num_openings)
    box = region_box(region, margin=settings.widenings + 1)
    if box is None:
        return scribble
    opened = _open(region[box], num_openings, settings.allow_none)
    line = cv2.dilate(as_bytes(thin(opened, "guo-hall")), CROSS_3, iterations=settings.widenings)
    scribble[box] = line.view(bool) & region[box] if settings.keep_inside else line.view(bool)
    return scribble


def _open(region: np.ndarray, num_openings: int, allow_none: bool) -> np.ndarray:
    """Erode as often as asked, or, where none is not allowed, as often as leaves a pixel; then dilate as often."""
    eroded, done = as_bytes(region), 0
    for _ in range(num_openings):
        smaller = cv2.erode(eroded, CROSS_3)
        if not allow_none and not smaller.any():
            break
        eroded, done = smaller, done + 1

    return cv2.dilate(eroded, CROSS_3, iterations=done).view(bool) if done else region.copy()
