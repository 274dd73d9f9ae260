"""Environments under a roof: a photographer's studio, a hall, a living room.

Each takes (rng, H) and returns linear radiance, float32 (H, 2H, 3), a lit white wall near 0.5.
"""

from __future__ import annotations

import numpy as np

from .painting import fbm, mix, smoothstep
from .sphere_painting import box_hit, direction_of, directions, linear, linear_palette, on_plane, rectangle
from .texture_materials import wood

SIDE_AXES = ((1, 2), (1, 2), (0, 2), (0, 2), (0, 1), (0, 1))
"""The two coordinates that run along each side of a box, in the order of `box_hit`."""


def studio(rng: np.random.Generator, height: int) -> np.ndarray:
    """Softboxes around a seamless backdrop."""
    rays = directions(height)
    base = rng.uniform(0.03, 0.35)
    tint = 1 + rng.normal(0, 0.04, 3)
    curve = smoothstep(-0.6, 0.5, rays[..., 2])
    picture = (base * (1.3 - 0.9 * curve))[..., None] * tint
    picture = picture * (0.97 + 0.06 * fbm(rng, height, 2 * height, 6, 3)[..., None])
    start = rng.uniform(0, 2 * np.pi)
    for number in range(int(rng.integers(2, 5))):
        middle = direction_of(start + number * 2.1 + rng.normal(0, 0.3), rng.uniform(0.35, 1.1))
        picture = _softbox(rng, rays, picture, middle, rng.uniform(12, 45) / (1 + number))
    if rng.random() < 0.6:
        picture = _softbox(rng, rays, picture, direction_of(start, 1.45), rng.uniform(6, 14))
    return picture


def _softbox(
    rng: np.random.Generator, rays: np.ndarray, picture: np.ndarray, middle: np.ndarray, power: float
) -> np.ndarray:
    """A bright cloth in a dark frame, seen in perspective, brighter in its middle."""
    side = np.cross(middle, [0.0, 0.0, 1.0])
    side /= np.linalg.norm(side)
    above = np.cross(side, middle)
    depth = rays @ middle
    safe = np.maximum(depth, 1e-3)
    across, along = (rays @ side) / safe, (rays @ above) / safe
    half = (rng.uniform(0.15, 0.4), rng.uniform(0.2, 0.55))
    front = (depth > 0.05).astype(np.float32)
    picture = mix(
        picture, np.full(3, 0.01), front * rectangle(across, along, (0, 0), (half[0] + 0.03, half[1] + 0.03), 0.01)
    )
    hot = 0.55 + 0.45 * np.exp(-(across**2 + along**2) / (2 * (0.6 * half[0]) ** 2))
    warmth = np.array([1.0, 0.97, 0.93]) if rng.random() < 0.5 else np.array([0.94, 0.98, 1.0])
    return mix(picture, power * hot[..., None] * warmth, front * rectangle(across, along, (0, 0), half, 0.012))


def warehouse(rng: np.random.Generator, height: int) -> np.ndarray:
    """A long hall of sheet metal and concrete with lamps in rows and windows under the roof."""
    rays = directions(height)
    half = np.array([rng.uniform(7, 12), rng.uniform(14, 26)])
    low, high = np.array([-half[0], -half[1], -1.6]), np.array([half[0], half[1], rng.uniform(5.5, 8.5)])
    points, side = box_hit(rays, low, high)
    paint = linear_palette(rng, 3, ("stone", "clay", "sea")[rng.integers(3)])
    picture = np.zeros(rays.shape, np.float32)
    for number, axes in enumerate(SIDE_AXES):
        u, v = points[..., axes[0]], points[..., axes[1]]
        grime = on_plane(fbm(rng, 512, 512, 10, 7, 0.6), u, v, 0.11)
        if number == 4:
            sheet = mix(paint[1], paint[1].mean(), 0.8) * 0.5 * (0.6 + 0.7 * grime[..., None])
            joint = (np.minimum(u % 3.0, v % 3.0) < 0.035)[..., None]
            sheet = np.where(joint, sheet * 0.6, sheet)
        elif number == 5:
            sheet = _hall_roof(rng, u, v, paint[0] * 0.35 * (0.7 + 0.5 * grime[..., None]))
        else:
            ribs = 0.85 + 0.15 * np.sin(u * 2 * np.pi / 0.45)
            sheet = paint[2] * 0.32 * (ribs * (0.6 + 0.6 * grime))[..., None]
            base = (v < 0.2)[..., None]
            sheet = np.where(base, np.array([0.2, 0.2, 0.19]) * (0.5 + 0.6 * grime[..., None]), sheet)
            post = (np.abs((u % 5.0) - 2.5) < 0.18)[..., None]
            sheet = np.where(post, paint[0] * 0.25, sheet)
            if number < 2:
                window = rectangle(u % 5.0, v, (2.5, high[2] - 1.3), (1.9, 0.7), 0.05) * ((u % 0.95) > 0.06)
                sheet = mix(sheet, np.array([2.6, 2.9, 3.3]), window * (np.abs(u % 5.0 - 2.5) > 0.18))
        picture = np.where((side == number)[..., None], sheet, picture)
    return _stacks(rng, rays, picture, paint) * _corner_shade(points, low, high)


def _hall_roof(rng: np.random.Generator, u: np.ndarray, v: np.ndarray, sheet: np.ndarray) -> np.ndarray:
    """Beams, and lamps in rows."""
    beam = (np.abs((v % 4.0) - 2.0) < 0.2)[..., None]
    sheet = np.where(beam, sheet * 0.5, sheet)
    is_long = rng.random() < 0.5
    half = (0.25, 1.3) if is_long else (0.6, 0.6)
    lamp = rectangle((u + 1.75) % 3.5, v % 4.0, (1.75, 0.9), half, 0.04)
    return mix(sheet, np.array([1.0, 0.95, 0.86]) * rng.uniform(9, 18), lamp)


def _stacks(rng: np.random.Generator, rays: np.ndarray, picture: np.ndarray, paint: np.ndarray) -> np.ndarray:
    """Crates on the floor, far to near: the boxes of a hall that is in use."""
    places = rng.uniform(-1, 1, (14, 2)) * np.array([6.0, 11.0])
    places = places[np.linalg.norm(places, axis=1) > 4.0]
    for place in places[np.argsort(-np.linalg.norm(places, axis=1))]:
        half = rng.uniform(0.4, 1.1, 3)
        low = np.array([place[0] - half[0], place[1] - half[1], -1.6])
        high = np.array([place[0] + half[0], place[1] + half[1], -1.6 + 2 * half[2]])
        safe = np.where(np.abs(rays) < 1e-6, 1e-6, rays)
        first, second = np.minimum(low / safe, high / safe), np.maximum(low / safe, high / safe)
        enter, leave = first.max(axis=-1), second.min(axis=-1)
        hit = (enter < leave) & (enter > 0)
        axis = first.argmax(axis=-1)
        points = rays * np.where(hit, enter, 1.0)[..., None]
        colour = linear(np.array([0.62, 0.48, 0.33])) if rng.random() < 0.6 else paint[rng.integers(3)] * 0.8
        shade = np.choose(axis, (0.25, 0.38, 0.6))
        slats = 0.8 + 0.2 * (np.abs((points[..., 2] * 4) % 1 - 0.5) < 0.42)
        picture = np.where(hit[..., None], colour * (shade * slats)[..., None], picture)
    return picture


def _corner_shade(points: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Less light reaches the corners of a room: (H, W, 1) factors."""
    gaps = np.sort(np.minimum(points - low, high - points), axis=-1)[..., 1:2]
    return 0.55 + 0.45 * smoothstep(0.0, 1.6, gaps)


def living_room(rng: np.random.Generator, height: int) -> np.ndarray:
    """A room with windows on one side, a lamp, pictures on its walls and boards on its floor."""
    rays = directions(height)
    low = np.array([-rng.uniform(2.2, 3.5), -rng.uniform(2.5, 4.0), -1.4])
    high = np.array([rng.uniform(2.2, 3.5), rng.uniform(2.5, 4.0), 1.3])
    points, side = box_hit(rays, low, high)
    wall = linear_palette(rng, 3, ("pastel", "earth", "clay")[rng.integers(3)])[2]
    window_side = int(rng.integers(4))
    boards = linear(wood(rng, 512))
    picture = np.zeros(rays.shape, np.float32)
    for number, axes in enumerate(SIDE_AXES):
        u, v = points[..., axes[0]], points[..., axes[1]]
        if number == 4:
            sheet = 0.45 * on_plane(boards, u, v, 0.9)
        elif number == 5:
            sheet = np.full(rays.shape, 0.42, np.float32)
            sheet = mix(sheet, np.array([1.0, 0.86, 0.66]) * rng.uniform(6, 14), smoothstep(0.3, 0.27, np.hypot(u, v)))
        else:
            sheet = wall * (0.34 + 0.05 * on_plane(fbm(rng, 256, 256, 30, 4), u, v, 0.4))[..., None]
            sheet = np.where((v < low[2] + 0.12)[..., None], np.array([0.45, 0.44, 0.42]), sheet)
            sheet = _window(rng, sheet, u, v) if number == window_side else _pictures(rng, sheet, u, v)
        picture = np.where((side == number)[..., None], sheet, picture)
    return picture * _corner_shade(points, low, high)


def _window(rng: np.random.Generator, sheet: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Two windows that show a bright sky over a garden."""
    for centre in (-1.1, 1.1):
        sheet = mix(sheet, np.full(3, 0.6), rectangle(u, v, (centre, 0.1), (0.82, 0.92), 0.02))
        view = np.where((v > -0.25)[..., None], np.array([7.0, 8.2, 10.0]), np.array([0.9, 1.3, 0.5]))
        pane = (
            rectangle(u, v, (centre, 0.1), (0.75, 0.85), 0.02) * (np.abs(u - centre) > 0.03) * (np.abs(v - 0.2) > 0.03)
        )
        sheet = mix(sheet, view, pane)
    return sheet


def _pictures(rng: np.random.Generator, sheet: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Framed pictures, a shelf or a sofa against a wall."""
    for centre in (-1.6, 0.0, 1.6):
        kind, colours = rng.random(), linear_palette(rng, 3)
        if kind < 0.5:
            half = (rng.uniform(0.2, 0.5), rng.uniform(0.2, 0.4))
            sheet = mix(sheet, np.full(3, 0.05), rectangle(u, v, (centre, 0.3), (half[0] + 0.04, half[1] + 0.04), 0.01))
            inside = on_plane(fbm(rng, 128, 128, 5, 4), u, v, 0.8)[..., None]
            sheet = mix(
                sheet,
                0.4 * (colours[0] + (colours[2] - colours[0]) * inside),
                rectangle(u, v, (centre, 0.3), half, 0.01),
            )
        elif kind < 0.85:
            half = (rng.uniform(0.5, 0.75), rng.uniform(0.3, 1.0))
            body = rectangle(u, v, (centre, -1.4 + half[1]), half, 0.02)
            bands = (np.abs((v * 3.1) % 1 - 0.5) < 0.46) * (0.6 + 0.4 * (np.abs((u * 1.7) % 1 - 0.5) < 0.47))
            sheet = mix(sheet, 0.3 * colours[1] * (0.5 + 0.5 * bands)[..., None], body)
    return sheet
