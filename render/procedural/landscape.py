"""What several backgrounds share: skies, ground seen in perspective, ridges, foliage, haze.

H, W pixels. Pictures are float32 (H, W, 3) RGB in [0, 1]; rows and columns in pixels.
"""

from __future__ import annotations

import cv2
import numpy as np

from .painting import blurred, fbm, mix, noise, normalised, oklch_to_rgb, ramp, relief, shaded, smoothstep


def sky(rng: np.random.Generator, height: int, width: int, horizon: float) -> tuple[np.ndarray, np.ndarray]:
    """A sky with clouds down to the row `horizon`; returns the picture and its haze colour (3,)."""
    moods = [  # zenith and horizon in OKLCH
        ((0.55, 0.13, 250), (0.88, 0.04, 235)),
        ((0.7, 0.07, 245), (0.93, 0.02, 220)),
        ((0.72, 0.015, 250), (0.85, 0.01, 240)),
        ((0.42, 0.09, 275), (0.8, 0.12, 60)),
        ((0.5, 0.06, 310), (0.82, 0.1, 40)),
        ((0.3, 0.05, 265), (0.55, 0.06, 250)),
    ]
    zenith, low = moods[rng.choice(len(moods), p=[0.28, 0.24, 0.2, 0.1, 0.06, 0.12])]
    colours = oklch_to_rgb(np.array([zenith, low]) + rng.normal(0, 1, (2, 3)) * (0.03, 0.008, 8))
    y = np.linspace(0, height / max(horizon, 1), height, dtype=np.float32)
    picture = ramp(colours, np.clip(np.broadcast_to(y[:, None], (height, width)) ** 0.8, 0, 1))
    rows = max(8, int(horizon))
    # Clouds lie on a plane overhead: far ones, near the horizon, are flatter and smaller.
    deep = fbm(rng, 256, 512, rng.uniform(4, 8), 7, 0.58)
    depth = 1 / (1.15 - np.linspace(0, 1, rows, dtype=np.float32) * 0.95)
    column = (np.linspace(-0.5, 0.5, width, dtype=np.float32)[None] * depth[:, None] * 110 + 256).astype(np.float32)
    row = np.broadcast_to((np.log(depth[:, None]) * 190 + 40).astype(np.float32), column.shape)
    cloud = cv2.remap(deep, column, np.ascontiguousarray(row), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    cloud = 0.85 * cloud + 0.15 * fbm(rng, rows, width, 24, 4, 0.6)
    cover = rng.uniform(0.38, 0.62)
    shape = smoothstep(cover, cover + rng.uniform(0.08, 0.25), cloud)
    lit = np.clip(1.0 - 0.35 * smoothstep(cover, 0.95, blurred(cloud, 6)), 0, 1) * relief(blurred(cloud, 2), 2.0, -1.2)
    bright = np.clip(colours[1] * 0.35 + 0.65 * (0.75 + 0.25 * colours[1]), 0, 1)
    picture[:rows] = mix(picture[:rows], shaded(np.broadcast_to(bright, (rows, width, 3)), lit), shape * 0.9)
    return picture, colours[1]


def ridge(rng: np.random.Generator, width: int, cells: float, octaves: int = 6, gain: float = 0.5) -> np.ndarray:
    """A skyline in [0, 1]: float32 (W,)."""
    total = np.zeros(width, np.float32)
    for octave in range(octaves):
        knots = rng.random(max(3, int(cells * 2**octave)) + 1)
        at = np.linspace(0, len(knots) - 1.001, width)
        i, t = at.astype(int), at % 1
        t = t * t * (3 - 2 * t)
        total += (gain**octave * (knots[i] * (1 - t) + knots[np.minimum(i + 1, len(knots) - 1)] * t)).astype(np.float32)
    return normalised(total)


def below(line: np.ndarray, height: int) -> np.ndarray:
    """The soft mask of pixels under a skyline of rows (W,): float32 (H, W)."""
    return np.clip(np.arange(height, dtype=np.float32)[:, None] - line[None] + 0.5, 0, 1)


def ground(
    texture: np.ndarray, height: int, width: int, horizon: float, tiles_across: float, centre: float = 0.5
) -> tuple[np.ndarray, np.ndarray]:
    """A square texture laid on the floor and seen in perspective, from the row `horizon` down.

    tiles_across: how many repeats fit in the picture's width on the bottom row. centre: where the middle of a tile
    stands, in widths. Returns the picture (rows above the horizon hold far ground) and nearness (H, W): 0 at the
    horizon, 1 on the bottom row.
    """
    size = texture.shape[0]
    near = np.clip((np.arange(height, dtype=np.float32) - horizon + 0.5) / (height - horizon), 1e-3, 1)[:, None]
    across = (np.arange(width, dtype=np.float32)[None] / width - centre) * tiles_across / near + 0.5
    away = np.broadcast_to(tiles_across * 0.45 / near, across.shape)
    column, row = np.mod(across, 1).astype(np.float32) * size, np.mod(away, 1).astype(np.float32) * size
    # Texels per pixel grow with distance: three blurred copies stand in for a mip pyramid.
    texels = np.broadcast_to(size * tiles_across / width / near * (1 + 0.45 / near), across.shape)
    level = np.clip(np.log2(np.maximum(texels, 1)) / 2, 0, 3)
    texture = np.ascontiguousarray(texture, dtype=np.float32)
    copies = [texture, *(cv2.GaussianBlur(texture, (0, 0), s, borderType=cv2.BORDER_REFLECT) for s in (2.0, 8.0))]
    layers = [cv2.remap(c, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP) for c in copies]
    layers.append(np.broadcast_to(texture.mean((0, 1)), layers[0].shape))
    picture = layers[0]
    for i in (1, 2, 3):
        picture = mix(picture, layers[i], np.clip(level - (i - 1), 0, 1))
    return picture, np.broadcast_to(near, across.shape)


def seamless(texture: np.ndarray) -> np.ndarray:
    """A square texture without structure made to repeat: its edges fade into its own middle."""
    size = texture.shape[0]
    near_edge = np.abs(np.linspace(-1, 1, size, dtype=np.float32))
    fade = smoothstep(0.6, 0.98, np.maximum(near_edge[:, None], near_edge[None]))
    return mix(texture, np.roll(texture, (size // 2, size // 2), (0, 1)), fade)


def foliage(rng: np.random.Generator, height: int, width: int, colours: np.ndarray, cells: float) -> np.ndarray:
    """Leaves in sun and shade: clumps with bright flecks and deep gaps, float32 (H, W, 3)."""
    clump = fbm(rng, height, width, cells, 5, 0.6)
    leaves = fbm(rng, height, width, cells * 10, 3, 0.75)
    picture = ramp(colours, np.clip(0.55 * clump + 0.75 * leaves - 0.15, 0, 1))
    return shaded(picture, relief(clump * 2 + leaves, 0.5, -1.3) * (0.55 + 0.7 * smoothstep(0.25, 0.7, clump)))


def treeline(rng: np.random.Generator, height: int, width: int, base: np.ndarray, size: float) -> np.ndarray:
    """Soft mask of tree crowns that stand on a skyline `base` (W,) of rows; `size` of a crown in pixels."""
    mask = np.zeros((height, width), np.float32)
    for _ in range(int(width / size * rng.uniform(0.6, 1.6))):
        x, crown = int(rng.integers(width)), size * rng.uniform(0.4, 1.1)
        foot, tall = float(base[x]), crown * rng.uniform(0.6, 1.6)
        if rng.random() < 0.3:
            points = np.array([(x - crown * 0.35, foot + 3), (x, foot - tall * 1.5), (x + crown * 0.35, foot + 3)])
            cv2.fillPoly(mask, [points.astype(np.int32)], 1.0, cv2.LINE_AA)
        else:
            for _ in range(5):
                spot = (int(x + rng.normal(0, crown * 0.25)), int(foot - tall * rng.uniform(0.2, 0.8)))
                cv2.circle(mask, spot, max(1, int(crown * rng.uniform(0.15, 0.4))), 1.0, -1, cv2.LINE_AA)
    ragged = noise(rng, height, width, max(height, width) / max(3.0, size * 0.18))
    return smoothstep(0.35, 0.65, blurred(mask, max(0.5, size * 0.06)) + 0.5 * (ragged - 0.5))


def finish(rng: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    """What a camera adds: a little colour cast, contrast, vignette and sensor noise."""
    height, width = picture.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    picture = picture * (1 + rng.normal(0, 0.03, 3)).astype(np.float32)
    picture = np.clip(0.5 + (picture - 0.5) * np.float32(rng.uniform(0.9, 1.2)), 0, 1)
    picture = shaded(picture, 1 - np.float32(rng.uniform(0, 0.2)) * (x * x + y * y) / 2)
    grain = rng.standard_normal((height, width), dtype=np.float32)
    return picture + grain[..., None] * np.float32(rng.uniform(0.004, 0.02))
