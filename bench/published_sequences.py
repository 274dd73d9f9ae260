"""A plain reference of the published pretraining generator (Mask-Propagation's static images), for comparison alone.

Written from its description, step by step and picture by picture with Pillow and numpy, without any shortcut: decode,
then for each of the three frames the affine and the jitter of the whole still, another affine, resize, crop, jitter
and, at 0.33, a thin-plate spline evaluated at every pixel.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageEnhance

SIZE = 384
MEAN_RGB = (124, 116, 104)
SPLINE_PROBABILITY = 0.33


def make_sample(rng: np.random.Generator, picture: Path, mask: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return three frames of a still: rgb uint8 (3, 384, 384, 3) and masks uint8 (3, 384, 384) in {0, 1}."""
    still = Image.open(picture).convert("RGB"), Image.open(mask).convert("L")
    sequence_seed, frames = int(rng.integers(2**31)), []
    for _ in range(3):
        rgb, grey = change_still(np.random.default_rng(sequence_seed), *still)
        frames.append(make_frame(rng, rgb, grey))
    return np.stack([frame for frame, _ in frames]), np.stack([mask for _, mask in frames])


def change_still(rng: np.random.Generator, rgb: Image.Image, grey: Image.Image) -> tuple[Image.Image, Image.Image]:
    """What all frames share. The published loader computes it for each frame anew, from one seed."""
    scale, is_flipped = rng.uniform(0.8, 1.5), rng.random() < 0.5
    rgb = affine(rgb, 0, scale, 0, Image.Resampling.NEAREST, MEAN_RGB)
    grey = affine(grey, 0, scale, 0, Image.Resampling.NEAREST, 0)
    if is_flipped:
        rgb, grey = (image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for image in (rgb, grey))
    rgb = jitter(rng, rgb, 0.1, 0.05, 0.05, 0.05)
    if rng.random() < 0.05:
        rgb = rgb.convert("L").convert("RGB")
    return rgb, grey


def make_frame(rng: np.random.Generator, rgb: Image.Image, grey: Image.Image) -> tuple[np.ndarray, np.ndarray]:
    """Return one frame: rgb uint8 (384, 384, 3), mask uint8 (384, 384) in {0, 1}."""
    angle, scale, shear = rng.uniform(-20, 20), rng.uniform(0.9, 1.1), rng.uniform(-10, 10)
    rgb = affine(rgb, angle, scale, shear, Image.Resampling.BICUBIC, MEAN_RGB)
    grey = affine(grey, angle, scale, shear, Image.Resampling.BICUBIC, 0)
    enlarge = SIZE / min(rgb.size)
    size = tuple(SIZE if side == min(rgb.size) else int(side * enlarge) for side in rgb.size)
    rgb, grey = rgb.resize(size, Image.Resampling.BICUBIC), grey.resize(size, Image.Resampling.NEAREST)
    left, top = rng.integers(size[0] - SIZE + 1), rng.integers(size[1] - SIZE + 1)
    box = (left, top, left + SIZE, top + SIZE)
    rgb, grey = np.array(jitter(rng, rgb.crop(box), 0.1, 0.05, 0.05, 0)), np.array(grey.crop(box))
    if rng.random() < SPLINE_PROBABILITY:
        map_x, map_y = spline_map(rng)
        rgb = cv2.remap(rgb, map_x, map_y, cv2.INTER_LINEAR)
        grey = cv2.remap(grey, map_x, map_y, cv2.INTER_NEAREST)
    return rgb, (grey / 255 > 0.5).astype(np.uint8)


def affine(image: Image.Image, angle: float, scale: float, shear: float, method: int, fill: object) -> Image.Image:
    """Rotate, scale and shear (degrees) a picture about its centre, on a canvas of its own size."""
    rotation, tangent = np.deg2rad(angle), np.tan(np.deg2rad(shear))
    turn = np.array([[np.cos(rotation), -np.sin(rotation)], [np.sin(rotation), np.cos(rotation)]])
    inverse = np.linalg.inv(scale * turn @ np.array([[1, -tangent], [0, 1]]))
    centre = np.array(image.size) / 2
    offset = centre - inverse @ centre
    rows = np.column_stack([inverse, offset]).ravel()
    return image.transform(image.size, Image.Transform.AFFINE, tuple(rows), method, fillcolor=fill)


def jitter(
    rng: np.random.Generator, rgb: Image.Image, brightness: float, contrast: float, saturation: float, hue: float
) -> Image.Image:
    """Change the colours in a random order, rounding to 8 bits after each step."""
    for step in rng.permutation(4):
        if step == 0:
            rgb = ImageEnhance.Brightness(rgb).enhance(rng.uniform(1 - brightness, 1 + brightness))
        elif step == 1:
            rgb = ImageEnhance.Contrast(rgb).enhance(rng.uniform(1 - contrast, 1 + contrast))
        elif step == 2:
            rgb = ImageEnhance.Color(rgb).enhance(rng.uniform(1 - saturation, 1 + saturation))
        elif hue:
            channel, *others = rgb.convert("HSV").split()
            turned = np.array(channel) + np.uint8(int(rng.uniform(-hue, hue) * 255) % 256)
            rgb = Image.merge("HSV", (Image.fromarray(turned), *others)).convert("RGB")
    return rgb


def spline_map(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw a thin-plate spline of 12 points and return the maps of x and y that `cv2.remap` takes, float32."""
    points = np.stack([rng.permutation(SIZE)[:12], rng.permutation(SIZE)[:12]], axis=1) / SIZE
    moved = points + rng.normal(0, 0.02, points.shape)
    system = np.zeros((15, 15))
    system[:12, :12] = kernel(distances(moved, moved))
    system[:12, 12], system[:12, 13:] = 1, moved
    system[12:, :12] = system[:12, 12:].T
    targets = np.zeros((15, 2))
    targets[:12] = points - moved
    weights = np.linalg.solve(system, targets)
    line = np.linspace(0, 1, SIZE)
    grid = np.stack(np.meshgrid(line, line), axis=-1)
    shift = kernel(distances(grid, moved)) @ weights[:12] + weights[12] + grid @ weights[13:]
    maps = ((grid + shift) * SIZE).astype(np.float32)
    return maps[..., 0], maps[..., 1]


def distances(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Distances of points (..., 2) to others (N, 2), float64 (..., N)."""
    return np.sqrt(np.square(points[..., None, :] - others).sum(-1))


def kernel(radius: np.ndarray) -> np.ndarray:
    """The kernel r^2 log r of thin-plate splines."""
    return radius**2 * np.log(radius + 1e-6)
