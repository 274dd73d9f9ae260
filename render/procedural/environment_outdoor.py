"""Environments under the sky: sun, clouds, dusk, trees, buildings, a street at night.

Each takes (rng, H) and returns linear radiance, float32 (H, 2H, 3), the white of a cloud near 1.
"""

from __future__ import annotations

import itertools

import numpy as np

from .landscape import ridge
from .painting import fbm, mix, smoothstep
from .sphere_painting import closed_noise, direction_of, directions, glow, ground_below, linear_palette, on_plane

SUN_RADIUS = 0.012
"""Radians; the sun's own 0.0047 would fall between the pixels of a small map."""


def clear_sky(rng: np.random.Generator, height: int) -> np.ndarray:
    """A high sun in a blue sky with a few clouds over open land."""
    rays, sun = directions(height), direction_of(rng.uniform(-np.pi, np.pi), rng.uniform(0.45, 1.1))
    return _open_land(rng, rays, _sky(rng, rays, sun, cover=rng.uniform(0.62, 0.8), sunlight=9000.0), 0.35)


def cloudy_sky(rng: np.random.Generator, height: int) -> np.ndarray:
    """Broken clouds with the sun between them."""
    rays, sun = directions(height), direction_of(rng.uniform(-np.pi, np.pi), rng.uniform(0.4, 0.9))
    return _open_land(rng, rays, _sky(rng, rays, sun, cover=rng.uniform(0.4, 0.52), sunlight=3000.0), 0.3)


def overcast(rng: np.random.Generator, height: int) -> np.ndarray:
    """A closed grey sky, three times as bright above as at the horizon (the CIE's overcast sky)."""
    rays = directions(height)
    clouds = _clouds(rng, rays)
    level = 0.9 * (1 + 2 * np.clip(rays[..., 2], 0, 1)) / 3 * (0.75 + 0.5 * clouds)
    tint = np.array([0.93, 0.98, 1.05], np.float32) * (1 + rng.normal(0, 0.02, 3)).astype(np.float32)
    return _open_land(rng, rays, level[..., None] * tint, 0.25)


def sunset(rng: np.random.Generator, height: int) -> np.ndarray:
    """A low red sun, warm towards it and blue away from it, clouds lit from below."""
    rays, sun = directions(height), direction_of(rng.uniform(-np.pi, np.pi), rng.uniform(0.03, 0.14))
    up = np.clip(rays[..., 2], 0, 1)[..., None]
    towards = np.clip(0.5 + 0.5 * (rays @ sun), 0, 1)[..., None]
    warm, cool = np.array([1.0, 0.42, 0.14]), np.array([0.26, 0.27, 0.42])
    zenith = np.array([0.10, 0.15, 0.34])
    low = cool + (warm * rng.uniform(0.9, 1.4) - cool) * towards**3
    sky = low + (zenith - low) * smoothstep(0.0, 0.55, up)
    lit = np.array([1.3, 0.5, 0.25]) * towards**2 + np.array([0.2, 0.16, 0.24])
    cover = rng.uniform(0.42, 0.6)
    sky = mix(sky, lit, 0.85 * smoothstep(cover, cover + 0.2, _clouds(rng, rays)))
    sky = sky + glow(rays, sun, 0.12, 1.0)[..., None] * np.array([1.6, 0.7, 0.25])
    sky = sky + glow(rays, sun, SUN_RADIUS * 1.5, 6.0)[..., None] * np.array([900.0, 380.0, 110.0])
    return _open_land(rng, rays, sky, 0.3)


def forest(rng: np.random.Generator, height: int) -> np.ndarray:
    """A clearing: grass, trunks and crowns all around, the sky above them."""
    rays, sun = directions(height), direction_of(rng.uniform(-np.pi, np.pi), rng.uniform(0.6, 1.1))
    sky = _sky(rng, rays, sun, cover=rng.uniform(0.4, 0.7), sunlight=5000.0)
    picture = _open_land(rng, rays, sky, 0.3, scheme="foliage", hills=False)
    elevation = np.arcsin(rays[..., 2])
    for layer, (top, light) in enumerate(((0.22, 0.55), (0.36, 0.4), (0.55, 0.28))):
        crown = top * (0.45 + 0.75 * _closed_ridge(rng, 2 * height, 10 + 6 * layer))[None]
        leaves = closed_noise(rng, height, min(height / 3, 400), 3, 0.8)
        clump = closed_noise(rng, height, 36, 4, 0.6)
        edge = smoothstep(-0.05, 0.05, crown - elevation + 0.35 * top * (clump + 0.7 * leaves - 0.85))
        greens = linear_palette(rng, 3, "foliage") * light
        tree = mix(np.broadcast_to(greens[0], rays.shape), greens[2], smoothstep(0.12, 0.5, leaves * clump))
        trunk_top = crown * 0.55
        trunks = (closed_noise(rng, 8, 60 + 20 * layer, 1)[:1] > 0.8).astype(np.float32)
        trunks = np.repeat(trunks, height, 0)[:, np.linspace(0, trunks.shape[1] - 1, 2 * height).astype(int)]
        understory = smoothstep(0.03, -0.03, elevation - trunk_top * 0.5) * (0.25 + 0.3 * leaves)
        tree = tree * (1 - understory[..., None])
        tree = mix(
            tree, np.array([0.05, 0.035, 0.022]) * light * 2, trunks * smoothstep(0.02, -0.02, elevation - trunk_top)
        )
        rooted = smoothstep(-0.05 - 0.03 * layer, -0.03 - 0.03 * layer, elevation)
        picture = mix(picture, tree, edge * rooted)
    return picture


def courtyard(rng: np.random.Generator, height: int) -> np.ndarray:
    """A paved yard between houses with rows of windows, half in the sun."""
    rays, sun = directions(height), direction_of(rng.uniform(-np.pi, np.pi), rng.uniform(0.7, 1.1))
    sky = _sky(rng, rays, sun, cover=rng.uniform(0.45, 0.8), sunlight=6000.0)
    picture = _open_land(rng, rays, sky, 0.3, scheme="stone", hills=False)
    return _houses(rng, rays, picture, sun=sun, lit_share=0.0)


def night_street(rng: np.random.Generator, height: int) -> np.ndarray:
    """Houses with lit windows and a row of street lamps under a dark sky."""
    rays = directions(height)
    up = np.clip(rays[..., 2], 0, 1)[..., None]
    sky = np.array([0.010, 0.014, 0.030]) + np.array([0.05, 0.03, 0.018]) * (1 - up) ** 6
    asphalt = linear_palette(rng, 2, "stone") * 0.25 * np.array([1.0, 0.85, 0.65])
    below = ground_below(rng, rays, asphalt, np.array([0.04, 0.028, 0.018]), 60) * 0.35
    warm = np.array([1.0, 0.62, 0.28]) if rng.random() < 0.6 else np.array([0.85, 0.95, 1.0])
    heading, lamps = rng.uniform(0, 2 * np.pi), []
    for side in (-1, 1):
        for place in np.arange(-3, 4) + rng.uniform(-0.2, 0.2):
            along, across = place * 9.0, side * rng.uniform(4.5, 5.5)
            x, y = (
                along * np.sin(heading) + across * np.cos(heading),
                along * np.cos(heading) - across * np.sin(heading),
            )
            lamps.append((x, y, float(np.sqrt(x * x + y * y + 4.2**2))))
    for x, y, distance in lamps:
        pool = np.array([x, y, -1.6], np.float32) / np.float32(np.sqrt(x * x + y * y + 1.6**2))
        below = below * (1 + 4.0 * glow(rays, pool, 2.2 / distance, 1.3)[..., None] * warm)
    picture = np.where(rays[..., 2:] < 0, below, sky).astype(np.float32)
    picture = _houses(rng, rays, picture, sun=None, lit_share=rng.uniform(0.15, 0.4))
    for x, y, distance in lamps:
        lamp = np.array([x, y, 4.2], np.float32) / np.float32(distance)
        picture = picture + glow(rays, lamp, 0.22 / distance, 6.0)[..., None] * warm * 120.0
        picture = picture + glow(rays, lamp, 0.9 / distance, 1.3)[..., None] * warm * 0.12
    return picture


def _clouds(rng: np.random.Generator, rays: np.ndarray) -> np.ndarray:
    """A cloud layer on a plane overhead, in [0, 1]."""
    depth = 1.0 / (np.clip(rays[..., 2], 0, 1) + 0.12)
    fields = [fbm(rng, 1024, 1024, cells, 7, 0.58) for cells in (22, 50)]
    across, along = rays[..., 0] * depth, rays[..., 1] * depth
    return 0.75 * on_plane(fields[0], across, along, 0.055) + 0.25 * on_plane(fields[1], along, across, 0.055)


def _sky(rng: np.random.Generator, rays: np.ndarray, sun: np.ndarray, cover: float, sunlight: float) -> np.ndarray:
    """Blue overhead, pale at the horizon, bright around the sun; clouds from `cover` of the noise upwards."""
    up = np.clip(rays[..., 2], 0, 1)[..., None]
    zenith = np.array([0.10, 0.22, 0.55]) * rng.uniform(0.8, 1.3)
    horizon = np.array([0.55, 0.68, 0.85]) * rng.uniform(0.85, 1.1)
    sky = zenith + (horizon - zenith) * (1 - up) ** 4
    sky = sky + glow(rays, sun, 0.22, 0.9)[..., None] * np.array([1.0, 0.95, 0.85])
    clouds = _clouds(rng, rays)
    opacity = smoothstep(cover, cover + 0.16, clouds)
    shade = 1.25 - 0.75 * smoothstep(cover + 0.05, 1.0, clouds)
    lit = shade[..., None] * np.array([1.0, 0.98, 0.96]) * (0.8 + 0.5 * glow(rays, sun, 0.6, 0.8))[..., None]
    sky = mix(sky, lit, 0.95 * opacity)
    return sky + (glow(rays, sun, SUN_RADIUS, 6.0) * sunlight)[..., None] * np.array([1.0, 0.93, 0.82])


def _open_land(
    rng: np.random.Generator,
    rays: np.ndarray,
    sky: np.ndarray,
    light: float,
    scheme: str | None = None,
    hills: bool = True,
) -> np.ndarray:
    """The sky over ground that reflects `light` of it, with ridges at the horizon."""
    height = rays.shape[0]
    horizon = sky[int(0.46 * height) : height // 2].clip(0, 2).mean(axis=(0, 1))
    brightness = float(sky[: height // 2].clip(0, 2).mean()) * light * 2.2
    scheme = scheme or ("earth", "foliage", "autumn", "stone")[rng.integers(4)]
    ground = ground_below(rng, rays, linear_palette(rng, 3, scheme) * brightness, 0.5 * horizon)
    picture = np.where(rays[..., 2:] < 0, ground, sky).astype(np.float32)
    if not hills:
        return picture
    elevation = np.arcsin(rays[..., 2])
    for distance in (1.0, 0.5, 0.2):
        top = rng.uniform(0.02, 0.09) * (1.2 - distance) * _closed_ridge(rng, 2 * height, rng.uniform(5, 20))[None]
        leaves = closed_noise(rng, height, height / 5, 3, 0.7)
        colour = mix(linear_palette(rng, 3, "foliage")[1] * brightness * 0.8, 0.55 * horizon, distance * 0.85)
        mask = smoothstep(-0.006, 0.006, top + 0.012 * (leaves - 0.5) - elevation) * (rays[..., 2] > -0.004)
        picture = mix(picture, colour * (0.6 + 0.8 * leaves[..., None] * (1 - distance * 0.7)), mask)
    return picture


def _closed_ridge(rng: np.random.Generator, width: int, cells: float) -> np.ndarray:
    """A skyline in [0, 1] whose ends meet: float32 (W,)."""
    overlap = width // 8
    line = ridge(rng, width + overlap, cells)
    fade = np.linspace(0, 1, overlap, dtype=np.float32)
    line[:overlap] = line[:overlap] * fade + line[width:] * (1 - fade)
    return line[:width]


def _houses(
    rng: np.random.Generator, rays: np.ndarray, picture: np.ndarray, sun: np.ndarray | None, lit_share: float
) -> np.ndarray:
    """A ring of facades around the viewer; `lit_share` of their windows shine."""
    azimuth, elevation = np.arctan2(rays[..., 0], rays[..., 1]) + np.pi, np.arcsin(rays[..., 2])
    edges = np.cumsum(rng.uniform(0.18, 0.5, 30))
    edges = edges[edges < 2 * np.pi - 0.15]
    borders = np.concatenate([[0.0], edges, [2 * np.pi]])
    for start, end in itertools.pairwise(borders):
        middle, distance = 0.5 * (start + end), rng.uniform(7.0, 16.0)
        # The facade is a plane across the middle of its sector: heights shrink towards its sides in perspective.
        turned = np.clip(azimuth - middle, -1.2, 1.2)
        along, above = distance * np.tan(turned), np.tan(elevation) * distance / np.cos(turned)
        inside = (azimuth >= start) & (azimuth < end) & (above > -1.6) & (above < rng.uniform(4.0, 11.0))
        wall = linear_palette(rng, 3, ("clay", "stone", "earth")[rng.integers(3)])[2]
        facing = 0.03 if sun is None else 0.25 + 1.3 * max(0.0, -float(direction_of(middle - np.pi, 0.0) @ sun))
        shade = wall * facing * (0.85 + 0.3 * closed_noise(rng, rays.shape[0], 200, 3, 0.7))[..., None]
        pitch, storey = rng.uniform(1.1, 1.8), rng.uniform(1.7, 2.4)
        column, floor = np.floor(along / pitch).astype(int), np.floor((above + 1.0) / storey).astype(int)
        u, v = along / pitch - column, (above + 1.0) / storey - floor
        window = (np.abs(u - 0.5) < 0.27) & (np.abs(v - 0.5) < 0.3)
        frame = window & ((np.abs(u - 0.5) > 0.23) | (np.abs(v - 0.5) > 0.26) | (np.abs(u - 0.5) < 0.02))
        table = rng.random((64, 16))
        chance = table[column % 64, floor % 16]
        dark = np.array([0.10, 0.13, 0.17]) if sun is not None else np.array([0.006, 0.008, 0.012])
        glass = np.where(
            (chance < lit_share)[..., None],
            np.array([1.6, 1.0, 0.45]) * (0.3 + chance / max(lit_share, 0.01))[..., None],
            dark * (0.6 + chance[..., None]),
        )
        facade = np.where(window[..., None], glass, shade)
        facade = np.where(frame[..., None], wall * facing * 1.3, facade)
        picture = np.where(inside[..., None], facade, picture)
    return picture.astype(np.float32)
