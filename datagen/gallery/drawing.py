"""Masks, scribbles and clicks drawn on a picture: green for the object, red for everything else."""

from collections.abc import Sequence

import cv2
import numpy as np

from ..simulation.clicks.clicks import Click

POSITIVE_COLOUR = (0, 230, 70)
NEGATIVE_COLOUR = (255, 40, 40)
MASK_COLOUR = (70, 130, 255)
_SUBPIXEL_BITS = 4


def with_mask(rgb: np.ndarray, mask: np.ndarray, colour: tuple[int, int, int] = MASK_COLOUR) -> np.ndarray:
    """Return a copy of the picture, a little faded, with a tinted and outlined mask; rgb: uint8 (H, W, 3)."""
    drawn = np.rint(rgb * 0.75 + 40).astype(np.uint8)
    drawn[mask] = np.rint(drawn[mask] * 0.5 + np.multiply(colour, 0.5)).astype(np.uint8)
    outline = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)).view(bool) & mask
    drawn[outline] = (255, 255, 255)
    return drawn


def with_scribbles(rgb: np.ndarray, positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    """Return a copy of the picture with two maps of scribbles, bool (H, W), drawn over it."""
    drawn = rgb.copy()
    drawn[positive], drawn[negative] = POSITIVE_COLOUR, NEGATIVE_COLOUR
    return drawn


def with_clicks(rgb: np.ndarray, clicks: Sequence[Click], radius: int | None = None) -> np.ndarray:
    """Return a copy of the picture with a disc at every click; radius in pixels, one for the size by default."""
    radius = radius or max(2, round(max(rgb.shape[:2]) / 110))
    drawn = np.ascontiguousarray(rgb).copy()
    for click in clicks:
        # OpenCV puts pixel centres on whole numbers, our coordinates put them on halves.
        centre = tuple(round((place - 0.5) * 2**_SUBPIXEL_BITS) for place in (click.x, click.y))
        for size, colour in ((radius + 1, (255, 255, 255)), (radius, _colour(click))):
            cv2.circle(drawn, centre, size << _SUBPIXEL_BITS, colour, -1, cv2.LINE_AA, _SUBPIXEL_BITS)
    return drawn


def as_grey(values: np.ndarray, lowest: float, highest: float) -> np.ndarray:
    """Return a map of numbers as a grey picture, uint8 (H, W, 3); `lowest` is black, `highest` white."""
    grey = np.clip((values - lowest) / (highest - lowest), 0, 1) * 255
    return np.repeat(np.rint(grey).astype(np.uint8)[..., None], 3, axis=2)


def _colour(click: Click) -> tuple[int, int, int]:
    return POSITIVE_COLOUR if click.positive else NEGATIVE_COLOUR
