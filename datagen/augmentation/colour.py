"""Colour changes of augmentation: drawn once, applied as one 3x4 matrix per picture."""

from dataclasses import dataclass

import cv2
import numpy as np

GREY_WEIGHTS = np.array([0.299, 0.587, 0.114])


@dataclass(frozen=True, kw_only=True)
class JitterRange:
    """Each factor is drawn from [1 - x, 1 + x]; 0 leaves that property as it is."""

    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0


@dataclass(frozen=True, kw_only=True)
class ColourChange:
    """Factors of brightness, contrast (about the mean grey of the picture) and saturation; saturation 0 is grey."""

    brightness: float = 1.0
    contrast: float = 1.0
    saturation: float = 1.0


def draw_jitter(rng: np.random.Generator, limits: JitterRange) -> ColourChange:
    """Draw the three factors."""
    factors = [rng.uniform(1 - x, 1 + x) for x in (limits.brightness, limits.contrast, limits.saturation)]
    return ColourChange(brightness=factors[0], contrast=factors[1], saturation=factors[2])


def change_colour(rgb: np.ndarray, *changes: ColourChange) -> np.ndarray:
    """Return the picture after the changes, in their order; rounding and clipping to 0..255 happen once, at the end.

    rgb: uint8 (H, W, 3).
    """
    matrix, offset = np.eye(3), np.zeros(3)
    mean = np.array(cv2.mean(rgb)[:3])
    for change in changes:
        matrix, offset = matrix * change.brightness, offset * change.brightness
        mean_grey = GREY_WEIGHTS @ (matrix @ mean + offset)
        matrix, offset = matrix * change.contrast, offset * change.contrast + (1 - change.contrast) * mean_grey
        saturate = change.saturation * np.eye(3) + (1 - change.saturation) * np.tile(GREY_WEIGHTS, (3, 1))
        matrix, offset = saturate @ matrix, saturate @ offset
    return cv2.transform(rgb, np.column_stack([matrix, offset]))
