"""What backgrounds paste together: textures on quadrilaterals, masked stamps, house fronts. float32 RGB in [0, 1]."""

from __future__ import annotations

import cv2
import numpy as np

from . import texture_materials, texture_patterns
from .painting import blurred, fbm, mix, oklch_to_rgb, palette, shaded

PAINTS = [
    texture_materials.marble,
    texture_materials.wood,
    texture_patterns.plaid,
    texture_patterns.stripes,
    texture_patterns.polka_dots,
    texture_patterns.mosaic,
    texture_patterns.lettering,
    texture_patterns.tiles,
    texture_patterns.brush_strokes,
    texture_materials.camouflage,
]


def cover(texture: np.ndarray, height: int, width: int) -> np.ndarray:
    """A square texture stretched over the larger side and cropped to (height, width)."""
    size = max(height, width)
    whole = cv2.resize(np.ascontiguousarray(texture, dtype=np.float32), (size, size), interpolation=cv2.INTER_LINEAR)
    return whole[:height, :width]


def box(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], float)


def bump(size: int) -> np.ndarray:
    """A round hill in [0, 1.4], float32 (size, size): 0 at the rim."""
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    return 1.4 * np.clip(1.1 - axis[:, None] ** 2 - axis[None] ** 2, 0, 1)


def paste(
    canvas: np.ndarray, picture: np.ndarray, corners: np.ndarray, light: float = 1.0, shadow: float = 0.0
) -> None:
    """Draws a picture into the quadrilateral `corners` (4, 2), clockwise from top left, with a soft shadow."""
    height, width = picture.shape[:2]
    source = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    low = np.floor(corners.min(0) - 24).astype(int).clip(0)
    high = np.ceil(corners.max(0) + 24).astype(int).clip(0, (canvas.shape[1], canvas.shape[0]))
    if (high - low).min() < 2:
        return
    size = (int(high[0] - low[0]), int(high[1] - low[1]))
    matrix = cv2.getPerspectiveTransform(source, (corners - low).astype(np.float32))
    window = canvas[low[1] : high[1], low[0] : high[0]]
    mask = cv2.warpPerspective(np.ones((height, width), np.float32), matrix, size, flags=cv2.INTER_LINEAR)
    if shadow:
        shade = np.zeros_like(mask)
        shade[6:, 5:] = mask[:-6, :-5]
        shade = blurred(shade, 5)
        window *= (1 - shadow * shade)[..., None]
    drawn = cv2.warpPerspective(picture.astype(np.float32), matrix, size, flags=cv2.INTER_LINEAR)
    window[:] = window * (1 - mask[..., None]) + drawn * light


def stamp(canvas: np.ndarray, picture: np.ndarray, corners: np.ndarray, mask: np.ndarray) -> None:
    """Draws a picture with its own mask into an upright box of the canvas."""
    low, high = corners.min(0).astype(int), corners.max(0).astype(int)
    size = (max(2, int(high[0] - low[0])), max(2, int(high[1] - low[1])))
    picture, mask = (
        cv2.resize(np.ascontiguousarray(a, dtype=np.float32), size, interpolation=cv2.INTER_LINEAR)
        for a in (picture, mask)
    )
    x0, y0 = max(low[0], 0), max(low[1], 0)
    x1, y1 = min(low[0] + size[0], canvas.shape[1]), min(low[1] + size[1], canvas.shape[0])
    if x1 <= x0 or y1 <= y0:
        return
    part = (slice(y0 - low[1], y1 - low[1]), slice(x0 - low[0], x1 - low[0]))
    canvas[y0:y1, x0:x1] = mix(canvas[y0:y1, x0:x1], picture[part], mask[part])


def facade(rng: np.random.Generator, height: int, width: int, night: bool, floors: int, columns: int) -> np.ndarray:
    """The front of a building: walls, window bays with frames, sills, reflections or lit rooms."""
    colours = palette(rng, 4, ["stone", "clay", "earth", "pastel"][rng.integers(4)])
    wall = shaded(
        np.broadcast_to(colours[rng.integers(1, 4)], (height, width, 3)), 0.8 + 0.3 * fbm(rng, height, width, 6, 6, 0.6)
    )
    wall = np.ascontiguousarray(wall, dtype=np.float32) * np.float32(0.45 if night else 1)
    step_y, step_x = height / floors, width / columns
    inset_x, inset_y = rng.uniform(0.1, 0.3), rng.uniform(0.1, 0.3)
    glass, trim, band = oklch_to_rgb(np.array([0.35, 0.03, 245.0])), colours[-1], rng.random() < 0.5
    for row in range(floors):
        if band:
            y = int(row * step_y)
            cv2.rectangle(wall, (0, y), (width, y + max(1, int(step_y * 0.08))), (trim * 0.85).tolist(), -1)
        for column in range(columns):
            low = np.array([(column + inset_x) * step_x, (row + inset_y) * step_y]).astype(int)
            high = np.array([(column + 1 - inset_x) * step_x, (row + 1 - inset_y) * step_y]).astype(int)
            lit = rng.random() < (0.45 if night else 0.06)
            pane = np.array([1.0, 0.85, 0.55]) * rng.uniform(0.6, 1.0) if lit else glass * rng.uniform(0.4, 1.7)
            cv2.rectangle(wall, (low - 1).tolist(), (high + 1).tolist(), (trim * 0.7).tolist(), -1)
            cv2.rectangle(wall, low.tolist(), high.tolist(), pane.tolist(), -1)
            if high[0] - low[0] > 8:
                slant = np.array([low, (high[0], low[1]), (low[0], high[1])])
                if not lit:
                    cv2.fillPoly(wall, [slant.astype(np.int32)], (pane * 1.25).tolist())
                middle = int((low[0] + high[0]) / 2)
                cv2.line(wall, (middle, int(low[1])), (middle, int(high[1])), (trim * 0.6).tolist(), 1)
                cv2.line(
                    wall,
                    (int(low[0]) - 1, int(high[1]) + 2),
                    (int(high[0]) + 1, int(high[1]) + 2),
                    (trim * 1.1).tolist(),
                    2,
                )
    return wall
