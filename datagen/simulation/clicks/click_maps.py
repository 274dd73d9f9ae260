"""Clicks as input maps of a network: Gaussians, signed or apart by sign, distances, and discs."""

from collections.abc import Callable, Sequence

import numpy as np

from ..distances import distance_inside
from .clicks import Click

_REACH_SIGMAS = 5.0
"""A Gaussian ends here, where it is below 4e-6."""
LARGEST_DISTANCE = 255.0
"""Where distance maps are cut, in pixels."""


def sigma_of_fwhm(fwhm: float) -> float:
    """Return the standard deviation of the Gaussian whose full width at half maximum is `fwhm`.

    The 10 pixels of DEXTR (Maninis et al., CVPR 2018) are such a width: 4.25 pixels of standard deviation.
    """
    return fwhm / np.sqrt(8 * np.log(2))


DEXTR_SIGMA = sigma_of_fwhm(10)


def signed_gaussian_map(clicks: Sequence[Click], height: int, width: int, sigma: float = DEXTR_SIGMA) -> np.ndarray:
    """Return one map, float32 (H, W): a Gaussian of height 1 added for each positive click, subtracted for a negative.

    sigma: standard deviation in pixels. After Benard and Gygli (2017), who call it small and do not state it; the
    default is DEXTR's. Clicks may lie outside the picture.
    """
    drawn = np.zeros((height, width), np.float32)
    for click in clicks:
        _add_gaussian(drawn, click, sigma, np.add if click.positive else np.subtract)
    return drawn


def gaussian_maps(clicks: Sequence[Click], height: int, width: int, sigma: float = DEXTR_SIGMA) -> np.ndarray:
    """Return a positive and a negative map, float32 (2, H, W) in [0, 1]: at each pixel the nearest click's Gaussian.

    sigma: standard deviation in pixels. After DEXTR (Maninis et al., CVPR 2018), where Gaussians merge by maximum.
    """
    drawn = np.zeros((2, height, width), np.float32)
    for click in clicks:
        _add_gaussian(drawn[0 if click.positive else 1], click, sigma, np.maximum)
    return drawn


def disc_maps(clicks: Sequence[Click], height: int, width: int, radius: float = 5.0) -> np.ndarray:
    """Return a positive and a negative map, bool (2, H, W): all pixels up to `radius` pixels from a click.

    After RITM (Sofiiuk et al., 2021), which uses a radius of 5.
    """
    if not radius > 0:
        raise ValueError(f"radius is {radius}; it must be above 0 pixels")
    drawn = np.zeros((2, height, width), bool)
    for click in clicks:
        for part, x, y in _around(drawn[0 if click.positive else 1], click, radius):
            part |= y[:, None] ** 2 + x**2 <= radius**2
    return drawn


def distance_maps(clicks: Sequence[Click], height: int, width: int, truncation: float = LARGEST_DISTANCE) -> np.ndarray:
    """Return a positive and a negative map, float32 (2, H, W) in [0, 1]: the distance to the nearest click's pixel.

    Distances are in pixels, cut at `truncation`, which becomes 1, as is a map without clicks. After Xu et al., "Deep
    Interactive Object Selection" (CVPR 2016), who cut at 255. A click outside the picture counts at its border.
    """
    if not truncation > 0:
        raise ValueError(f"truncation is {truncation}; it must be above 0 pixels")
    drawn = np.ones((2, height, width), np.float32)
    for index, positive in enumerate((True, False)):
        given = [click.pixel for click in clicks if click.positive == positive]
        if given:
            elsewhere = np.ones((height, width), np.uint8)
            for row, column in given:
                elsewhere[min(max(row, 0), height - 1), min(max(column, 0), width - 1)] = 0
            drawn[index] = np.minimum(distance_inside(elsewhere), truncation) / truncation
    return drawn


def _add_gaussian(drawn: np.ndarray, click: Click, sigma: float, merge: Callable) -> None:
    if not sigma > 0:
        raise ValueError(f"sigma is {sigma}; it must be above 0 pixels")
    for part, x, y in _around(drawn, click, _REACH_SIGMAS * sigma):
        along_x, along_y = (np.exp(-0.5 * np.square(d / sigma)).astype(np.float32) for d in (x, y))
        merge(part, np.outer(along_y, along_x), out=part)


def _around(drawn: np.ndarray, click: Click, reach: float) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Return the view of the map within `reach` of the click and its pixels' offsets (x, y); [] off the picture."""
    height, width = drawn.shape
    left, right = max(int(np.floor(click.x - reach)), 0), min(int(np.ceil(click.x + reach)), width)
    top, bottom = max(int(np.floor(click.y - reach)), 0), min(int(np.ceil(click.y + reach)), height)
    if left >= right or top >= bottom:
        return []
    x, y = np.arange(left, right) + 0.5 - click.x, np.arange(top, bottom) + 0.5 - click.y
    return [(drawn[top:bottom, left:right], x, y)]
