"""Regions of random shape, so that objects come to be anything: what tells one is its mask, not its kind."""

import cv2
import numpy as np

from .stills import Still

_NUM_CORNERS = 96
_NUM_WAVES = 6
_ROUGHNESS = 0.35
"""Standard deviation of the first wave of the outline, in radii; wave k has 1/k of it."""
_THINNEST = 0.25


def draw_region(rng: np.random.Generator, height: int, width: int, size: tuple[float, float]) -> np.ndarray:
    """Draw a lobed region and return it as bool (height, width), never empty.

    Its outline is a circle with waves, stretched to between a quarter and the whole of its length and turned. size:
    range of its length, as a share of the picture's shorter side. Its centre lies in the picture; what reaches beyond
    is cut.
    """
    angles = np.linspace(0, 2 * np.pi, _NUM_CORNERS, endpoint=False)
    waves = np.arange(1, _NUM_WAVES + 1)
    heights, phases = rng.normal(0, _ROUGHNESS / waves), rng.uniform(0, 2 * np.pi, _NUM_WAVES)
    radii = np.maximum(1 + (heights * np.cos(waves * angles[:, None] + phases)).sum(1), 0.15)
    outline = np.stack([np.cos(angles), np.sin(angles) * rng.uniform(_THINNEST, 1)], 1) * radii[:, None]
    outline *= rng.uniform(*size) * min(height, width) / np.ptp(outline, axis=0).max()
    turn = rng.uniform(0, 2 * np.pi)
    turned = outline @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    centre = rng.uniform(0, 1, 2) * (width - 1, height - 1)
    region = np.zeros((height, width), np.uint8)
    cv2.fillPoly(region, [np.rint(turned + centre).astype(np.int32)], 1)
    region[tuple(np.rint(centre).astype(int)[::-1])] = 1
    return region.view(bool)


def with_region(rng: np.random.Generator, still: Still, size: tuple[float, float]) -> Still:
    """Return the still with one object, a random region of the picture (`draw_region`), in place of its own objects."""
    height, width = still.ids.shape
    return Still(name=still.name, rgb=still.rgb, ids=draw_region(rng, height, width, size).astype(np.uint8))
