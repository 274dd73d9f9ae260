"""What environment maps share: directions of pixels, noise that closes around the horizon, planes and boxes seen.

H rows, W = 2 H columns, row 0 straight up. Directions are unit vectors, x to the right of the picture's centre, y away,
z up. Maps are linear radiance, float32 (H, W, 3); scalar fields float32 (H, W); angles in radians.
"""

from __future__ import annotations

import cv2
import numpy as np

from .painting import fbm, mix, palette, smoothstep


def directions(height: int) -> np.ndarray:
    """The direction of every pixel, float32 (H, W, 3)."""
    elevation = (np.pi / 2 - np.pi * (np.arange(height) + 0.5) / height)[:, None]
    azimuth = (2 * np.pi * (np.arange(2 * height) + 0.5) / (2 * height) - np.pi)[None, :]
    level = np.cos(elevation)
    parts = (level * np.sin(azimuth), level * np.cos(azimuth), np.sin(elevation) + 0 * azimuth)
    return np.stack(np.broadcast_arrays(*parts), axis=-1).astype(np.float32)


def direction_of(azimuth: float, elevation: float) -> np.ndarray:
    """A unit vector from angles, float32 (3,)."""
    level = np.cos(elevation)
    return np.array([level * np.sin(azimuth), level * np.cos(azimuth), np.sin(elevation)], np.float32)


def linear(colours: np.ndarray) -> np.ndarray:
    """sRGB in [0, 1] to linear values."""
    colours = np.asarray(colours, np.float32)
    return np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4).astype(np.float32)


def linear_palette(rng: np.random.Generator, count: int, scheme: str | None = None) -> np.ndarray:
    """`painting.palette` in linear values: float32 (count, 3), dark to light."""
    return linear(palette(rng, count, scheme))


def closed_noise(
    rng: np.random.Generator, height: int, cells: float, octaves: int = 6, gain: float = 0.5
) -> np.ndarray:
    """Fractal noise in [0, 1] whose left and right edges meet, float32 (H, 2H)."""
    width, overlap = 2 * height, height // 4
    field = fbm(rng, height, width + overlap, cells, octaves, gain)
    fade = np.linspace(0, 1, overlap, dtype=np.float32)[None]
    field[:, :overlap] = field[:, :overlap] * fade + field[:, width:] * (1 - fade)
    return field[:, :width]


def on_plane(texture: np.ndarray, across: np.ndarray, along: np.ndarray, repeats: float) -> np.ndarray:
    """A square texture (H, W) or (H, W, C) laid over plane coordinates, mirrored at its edges.

    The texture's corner is off the origin, so that no mirror axis runs through the viewer.
    """
    size = texture.shape[0]
    columns, rows = ((np.abs((c * repeats + 0.57) % 2 - 1) * (size - 1)).astype(np.float32) for c in (across, along))
    return cv2.remap(np.ascontiguousarray(texture, dtype=np.float32), columns, rows, cv2.INTER_LINEAR)


def glow(rays: np.ndarray, towards: np.ndarray, radius: float, sharpness: float = 2.0) -> np.ndarray:
    """A round light: 1 inside `radius` radians of a direction, falling off around it; float32 (H, W)."""
    angle = np.arccos(np.clip(rays @ towards, -1, 1))
    return (1.0 / (1.0 + (angle / radius) ** (2 * sharpness))).astype(np.float32)


def ground_below(rng: np.random.Generator, rays: np.ndarray, colours: np.ndarray, haze: np.ndarray, cells: float = 24):
    """The ground seen from eye height, fading into `haze` (3,) at the horizon: linear radiance under unit light."""
    depth = 1.0 / np.maximum(-rays[..., 2], 0.004)
    texture = fbm(rng, 512, 512, cells, 7, 0.65)
    shade = on_plane(texture, rays[..., 0] * depth, rays[..., 1] * depth, 0.12)
    coarse = on_plane(fbm(rng, 256, 256, 6, 4), rays[..., 0] * depth, rays[..., 1] * depth, 0.02)
    shade = shade + (0.5 - shade) * smoothstep(8, 60, depth)
    picture = mix(
        np.broadcast_to(colours[0], rays.shape), colours[-1], np.clip(0.75 * shade + 0.5 * coarse - 0.12, 0, 1)
    )
    return mix(picture, haze, 0.8 * smoothstep(20, 250, depth))


def box_hit(rays: np.ndarray, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where rays from the origin meet the inside of a box: points float32 (H, W, 3), and the side's number int (H, W).

    Sides: 0 left, 1 right, 2 near, 3 far, 4 below, 5 above.
    """
    safe = np.where(np.abs(rays) < 1e-6, 1e-6, rays)
    distances = np.where(safe > 0, high / safe, low / safe)
    axis = np.argmin(distances, axis=-1)
    nearest = np.take_along_axis(distances, axis[..., None], axis=-1)
    positive = np.take_along_axis(safe, axis[..., None], axis=-1)[..., 0] > 0
    return (rays * nearest).astype(np.float32), 2 * axis + positive


def rectangle(
    across: np.ndarray, along: np.ndarray, centre: tuple[float, float], half: tuple[float, float], soft: float
):
    """A rectangle's soft mask over plane coordinates: float32 (H, W)."""
    inside = np.minimum(half[0] - np.abs(across - centre[0]), half[1] - np.abs(along - centre[1]))
    return np.clip(inside / soft + 0.5, 0, 1).astype(np.float32)
