"""Colour changes of augmentation: drawn once, applied as 3x4 matrices, with hue as a turn in HSV between them."""

from dataclasses import dataclass

import cv2
import numpy as np

GREY_WEIGHTS = np.array([0.299, 0.587, 0.114])
_STRIP_PIXELS = 8192
"""Floats of this many pixels stay in the cache; a whole picture at once takes four times as long."""
_MEAN_STEP = 7
"""Every seventh row and column gives the mean of a picture whose hue was turned; no divisor of the blocks of a JPEG."""


@dataclass(frozen=True, kw_only=True)
class JitterRange:
    """Each factor is drawn from [1 - x, 1 + x], the hue from [-x, x] turns; 0 leaves that property as it is."""

    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0

    def __post_init__(self) -> None:
        for name in ("brightness", "contrast", "saturation"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} of a jitter is {getattr(self, name)}, it must be from 0 to 1")
        if not 0 <= self.hue <= 0.5:
            raise ValueError(f"hue of a jitter is {self.hue} turns, it must be from 0 to 0.5")


@dataclass(frozen=True, kw_only=True)
class ColourChange:
    """Factors of brightness, contrast (about the mean grey of the picture) and saturation; then hue, in turns.

    Saturation 0 is grey. The three factors commute, so their order does not matter.
    """

    brightness: float = 1.0
    contrast: float = 1.0
    saturation: float = 1.0
    hue: float = 0.0


def draw_jitter(rng: np.random.Generator, limits: JitterRange) -> ColourChange:
    """Draw the three factors, and the hue where it has a range."""
    factors = [rng.uniform(1 - x, 1 + x) for x in (limits.brightness, limits.contrast, limits.saturation)]
    hue = rng.uniform(-limits.hue, limits.hue) if limits.hue else 0.0
    return ColourChange(brightness=factors[0], contrast=factors[1], saturation=factors[2], hue=hue)


def change_colour(
    rgb: np.ndarray,
    *changes: ColourChange,
    mean: np.ndarray | None = None,
    whole: np.ndarray | None = None,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Return the picture after the changes, in their order; rounding and clipping to 0..255 happen once, at the end.

    rgb: uint8 (H, W, 3). whole: the picture that rgb is a part of, where it is one; contrast is about its mean colour,
    and after a change of hue about that of every 49th pixel of it. mean: (3,), that of the whole before any change of
    hue, where it is known. out: an array for the result, a new one when left out. A change of hue rounds and clips too,
    because it is no matrix.
    """
    matrix, offset = np.eye(3), np.zeros(3)
    for number, change in enumerate(changes):
        matrix, offset = matrix * change.brightness, offset * change.brightness
        if change.contrast != 1:
            mean = mean_colour(rgb if whole is None else whole) if mean is None else mean
            mean_grey = GREY_WEIGHTS @ (matrix @ mean + offset)
            matrix, offset = matrix * change.contrast, offset * change.contrast + (1 - change.contrast) * mean_grey
        if change.saturation != 1:
            saturate = change.saturation * np.eye(3) + (1 - change.saturation) * GREY_WEIGHTS
            matrix, offset = saturate @ matrix, saturate @ offset
        if change.hue:
            linear = np.column_stack([matrix, offset])
            rgb = turn_hue(cv2.transform(rgb, linear), change.hue)
            if whole is not None and any(later.contrast != 1 for later in changes[number + 1 :]):
                sparse = np.ascontiguousarray(whole[::_MEAN_STEP, ::_MEAN_STEP])
                whole = turn_hue(cv2.transform(sparse, linear), change.hue)
            matrix, offset = np.eye(3), np.zeros(3)
            mean = None
    return cv2.transform(rgb, np.column_stack([matrix, offset]), out)


def mean_colour(rgb: np.ndarray) -> np.ndarray:
    """Return the mean colour of a picture, float64 (3,). rgb: uint8 (H, W, 3)."""
    # OpenCV adds up four channels in a third of the time of three.
    return np.array(cv2.mean(cv2.cvtColor(rgb, cv2.COLOR_RGB2RGBA))[:3])


def turn_hue(rgb: np.ndarray, turns: float) -> np.ndarray:
    """Return the picture with its hue turned in HSV, value and saturation kept; greys stay as they are.

    rgb: uint8 (H, W, 3). Computed in float32: hues of 8 bits, as Pillow has them, are up to 3 grey levels off.
    """
    result = np.empty_like(rgb, order="C")
    turn = (360.0 * (turns % 1.0), 0.0, 0.0, 0.0)
    rows = max(1, _STRIP_PIXELS // rgb.shape[1])
    for top in range(0, rgb.shape[0], rows):
        strip = rgb[top : top + rows].astype(np.float32)
        cv2.cvtColor(strip, cv2.COLOR_RGB2HSV, strip)
        cv2.add(strip, turn, strip)  # hues of a full turn and more are understood
        cv2.cvtColor(strip, cv2.COLOR_HSV2RGB, strip)
        cv2.convertScaleAbs(strip, result[top : top + rows])
    return result
