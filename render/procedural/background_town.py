"""Backgrounds of a town: skyline, street, wall, night lights. float32 (H, W, 3) RGB in [0, 1]."""

from __future__ import annotations

from functools import partial

import cv2
import numpy as np

from . import texture_materials, texture_patterns
from .collage import PAINTS, box, bump, cover, facade, paste, stamp
from .landscape import below, finish, foliage, ground, sky
from .painting import blurred, fbm, grid, mix, noise, oklch_to_rgb, palette, ramp, shaded, smoothstep


def city(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """A skyline of windowed towers in several depths, by day or night, perhaps over water."""
    picture, haze = sky(rng, height, width, height * 0.8)
    night = rng.random() < 0.35
    if night:
        picture, haze = picture * np.float32(0.25), haze * 0.3
    canvas = np.ascontiguousarray(picture, dtype=np.float32)
    base = height * rng.uniform(0.78, 1.05)
    for layer in range(3):
        near = (layer + 1) / 3
        fronts = [facade(rng, 240, 120, night, int(rng.integers(8, 20)), int(rng.integers(3, 9))) for _ in range(4)]
        x = -width * 0.05
        while x < width:
            wide = width * rng.uniform(0.04, 0.1) * (0.5 + near)
            tall = height * rng.uniform(0.25, 0.75) * (1.1 - 0.35 * near)
            front = mix(fronts[rng.integers(4)] * rng.uniform(0.75, 1.15), haze, 0.75 * (1 - near)).astype(np.float32)
            paste(canvas, front, box(x, base - tall, x + wide, base))
            side = wide * rng.uniform(0.1, 0.3)
            flank = np.array(
                [
                    (x + wide, base - tall),
                    (x + wide + side, base - tall * 0.97),
                    (x + wide + side, base),
                    (x + wide, base),
                ]
            )
            paste(canvas, front, flank, 0.6)
            roof = base - tall
            if rng.random() < 0.4:
                spire = (int(x + wide / 2), int(roof - tall * rng.uniform(0.05, 0.2)))
                cv2.line(canvas, (int(x + wide / 2), int(roof)), spire, front.mean((0, 1)).tolist(), 2, cv2.LINE_AA)
            x += (wide + side) * rng.uniform(0.9, 1.5 - 0.4 * near)
    if base < height:
        line = int(base)
        mirror = canvas[max(0, 2 * line - height) : line][::-1]
        rows = min(height - line, len(mirror))
        ripple = (6 * (noise(rng, rows, width, 60, 6.0) - 0.5) * np.linspace(0.5, 3, rows)[:, None]).astype(np.float32)
        column, row = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(rows, dtype=np.float32))
        water = cv2.remap(
            np.ascontiguousarray(mirror[:rows]),
            column + ripple,
            row + ripple,
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT,
        )
        canvas[line : line + rows] = mix(shaded(water, 0.7), haze * 0.4, 0.3)
    return finish(rng, canvas)


def street(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """A road between two rows of house fronts that run to a vanishing point, with trees, cars and lamp posts."""
    horizon = height * rng.uniform(0.4, 0.55)
    vanish = np.array([width * rng.uniform(0.3, 0.7), horizon])
    picture, haze = sky(rng, height, width, horizon)
    road = shaded(
        ramp(palette(rng, 4, "stone")[:3], fbm(rng, 256, 256, 40, 4, 0.8)), 0.8 + 0.3 * fbm(rng, 256, 256, 4, 4)
    )
    road[:, 124:132] = np.where((np.arange(256) % 64 < 36)[:, None, None], 0.85, road[:, 124:132])
    road[:, [20, 21, 22, 234, 235, 236]] = 0.75
    floor, near = ground(road, height, width, horizon, 0.55, vanish[0] / width)
    picture = mix(picture, mix(floor, haze, 0.5 * (1 - near) ** 3), below(np.full(width, horizon, np.float32), height))
    canvas = np.ascontiguousarray(picture, dtype=np.float32)
    for side in (0, 1):
        edge = 0.0 if side == 0 else float(width)
        depth = 0.05
        pieces = []
        while depth < 0.9:
            reach = rng.uniform(0.1, 0.25) * (1.1 - depth)
            pieces.append((depth, min(depth + reach, 0.93), rng.uniform(0.9, 1.9), rng.uniform(0.7, 1.1)))
            depth += reach
        for start, end, tall, light in reversed(pieces):
            front = mix(
                facade(rng, 220, 160, False, int(rng.integers(3, 7)), int(rng.integers(3, 7))), haze, 0.5 * start
            )
            outer = edge + (-0.25 if side == 0 else 0.25) * width
            xs = [outer + (vanish[0] - outer) * f**0.6 for f in (start, end)]
            tops = [horizon * (1 - tall * (1 - f**0.6)) for f in (start, end)]
            feet = [horizon + height * 0.4 * (1 - f**0.6) for f in (start, end)]
            corners = np.array([(xs[0], tops[0]), (xs[1], tops[1]), (xs[1], feet[1]), (xs[0], feet[0])])
            paste(canvas, front.astype(np.float32), corners if side == 0 else corners[[1, 0, 3, 2]], light)
    for _ in range(rng.integers(3, 9)):
        depth, side = rng.uniform(0.15, 0.8), rng.choice([-1, 1])
        foot = vanish + ((0.42 * side * width) * (1 - depth), height * 0.42 * (1 - depth))
        size = height * 0.5 * (1 - depth)
        kind = rng.integers(3)
        if kind == 0:  # tree
            crown = box(foot[0] - size * 0.35, foot[1] - size * 1.2, foot[0] + size * 0.35, foot[1] - size * 0.35)
            cv2.line(
                canvas,
                foot.astype(int).tolist(),
                (foot - (0, size * 0.6)).astype(int).tolist(),
                (0.25, 0.18, 0.12),
                max(1, int(size * 0.06)),
                cv2.LINE_AA,
            )
            leaves = foliage(rng, 96, 96, palette(rng, 4, "foliage"), 6)
            stamp(canvas, leaves, crown, smoothstep(0.33, 0.45, fbm(rng, 96, 96, 6, 4) * bump(96)))
        elif kind == 1:  # lamp post
            top = foot - (0, size * 1.1)
            cv2.line(
                canvas,
                foot.astype(int).tolist(),
                top.astype(int).tolist(),
                (0.12, 0.13, 0.14),
                max(1, int(size * 0.03)),
                cv2.LINE_AA,
            )
            cv2.circle(canvas, top.astype(int).tolist(), max(2, int(size * 0.06)), (0.95, 0.92, 0.8), -1, cv2.LINE_AA)
        else:  # parked car
            ink, s = palette(rng, 3)[1], size * 0.3
            body = foot + s * np.array(
                [(-1, 0), (-1, -0.45), (-0.6, -0.5), (-0.4, -0.9), (0.45, -0.9), (0.7, -0.5), (1, -0.42), (1, 0)]
            )
            cv2.fillPoly(canvas, [body.astype(np.int32)], ink.tolist(), cv2.LINE_AA)
            pane = foot + s * np.array([(-0.5, -0.5), (-0.33, -0.82), (0.38, -0.82), (0.58, -0.5)])
            cv2.fillPoly(canvas, [pane.astype(np.int32)], (0.15, 0.2, 0.25), cv2.LINE_AA)
            for wheel in (-0.6, 0.6):
                cv2.circle(
                    canvas,
                    (foot + (wheel * s, 0)).astype(int).tolist(),
                    max(1, int(s * 0.2)),
                    (0.06, 0.06, 0.07),
                    -1,
                    cv2.LINE_AA,
                )
    return finish(rng, canvas)


def wall(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Masonry, planks or peeling plaster in raking light, with posters, pipes, windows and shadows."""
    makers = [
        *[partial(texture_patterns.bricks, courses=(12, 30))] * 3,
        texture_materials.cracked_earth,
        texture_materials.wood,
        texture_materials.rust,
        texture_materials.pebbles,
    ]
    surface = cover(makers[rng.integers(len(makers))](rng, 768), height, width)
    plaster = fbm(rng, height, width, 3, 7, 0.6)
    coat = shaded(
        np.broadcast_to(palette(rng, 3, ["pastel", "earth", "stone"][rng.integers(3)])[2], surface.shape),
        0.75 + 0.3 * fbm(rng, height, width, 8, 6, 0.6),
    )
    level = rng.uniform(0.5, 0.8)
    surface = mix(surface, coat[..., :] * 0.5, smoothstep(level - 0.02, level, plaster))
    canvas = np.ascontiguousarray(mix(surface, coat, smoothstep(level, level + 0.01, plaster)), dtype=np.float32)
    for _ in range(rng.integers(1, 6)):  # posters
        wide, tall = width * rng.uniform(0.08, 0.2), height * rng.uniform(0.15, 0.35)
        x, y = rng.uniform(0, width - wide), rng.uniform(0, height - tall)
        corners = box(x, y, x + wide, y + tall) + rng.normal(0, height * 0.008, (4, 2))
        paper = (
            texture_patterns.lettering(rng, 128) if rng.random() < 0.6 else PAINTS[rng.integers(len(PAINTS))](rng, 128)
        )
        paste(canvas, mix(paper, np.float32(0.8), 0.2), corners, rng.uniform(0.7, 1.0), 0.4)
    for _ in range(rng.integers(0, 3)):  # windows or doors
        wide, tall = width * rng.uniform(0.1, 0.2), height * rng.uniform(0.25, 0.6)
        x, y = rng.uniform(0, width - wide), rng.uniform(0.1, 0.6) * height
        paste(
            canvas,
            facade(rng, 160, 120, False, int(rng.integers(1, 3)), int(rng.integers(1, 3))),
            box(x, y, x + wide, y + tall),
            0.9,
            0.5,
        )
    for _ in range(rng.integers(0, 4)):  # pipes and cables
        x, thick = rng.uniform(0, width), max(2, int(height * rng.uniform(0.005, 0.03)))
        ink = palette(rng, 3, "stone")
        for offset, colour in ((thick // 2 + 3, canvas.mean((0, 1)) * 0.3), (0, ink[1]), (-thick // 4, ink[2])):
            wide = thick if offset >= 0 else max(1, thick // 4)
            cv2.line(canvas, (int(x + offset), 0), (int(x + offset), height), colour.tolist(), wide, cv2.LINE_AA)
    x, y = grid(height, width)
    slope = rng.normal(0, 0.35, 2)
    light = 0.9 + slope[0] * (x - 0.5) + slope[1] * (y - 0.35)
    leaves = smoothstep(0.48, 0.55, fbm(rng, height, width, 6, 4, 0.55))
    return finish(rng, shaded(canvas, light * (1 - rng.uniform(0, 0.5) * blurred(leaves, height / 120))))


def bokeh(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Night or party lights out of focus: discs of several depths over blurred darkness."""
    colours = palette(rng, 4, ["dusk", "sea", "earth", "autumn"][rng.integers(4)])
    field = fbm(rng, height, width, 4, 5)
    canvas = np.ascontiguousarray(ramp(colours, field) * np.float32(rng.uniform(0.2, 0.5)), dtype=np.float32)
    for _ in range(rng.integers(4, 14)):
        x, wide = rng.uniform(0, width), width * rng.uniform(0.03, 0.15)
        cv2.rectangle(
            canvas,
            (int(x), int(height * rng.uniform(0.1, 0.7))),
            (int(x + wide), height),
            (palette(rng, 3)[0] * 0.4).tolist(),
            -1,
        )
    canvas = blurred(canvas, height / 50)
    lamps = oklch_to_rgb(
        np.array(
            [(0.85, 0.13, 75), (0.9, 0.05, 90), (0.7, 0.16, 35), (0.75, 0.12, 150), (0.7, 0.13, 250), (0.7, 0.15, 340)]
        )
    )
    weights = rng.dirichlet([1.2] * 6)
    sides = int(rng.choice([0, 6, 7]))
    for layer in range(4):
        light = np.zeros_like(canvas)
        size = height * (0.012, 0.03, 0.055, 0.09)[layer] * rng.uniform(0.7, 1.3)
        band = height * rng.uniform(0.25, 0.75)
        for _ in range((70, 45, 22, 8)[layer]):
            spot = np.array([rng.uniform(0, width), band + rng.normal(0, height * 0.2)])
            lamp = lamps[rng.choice(6, p=weights)] * rng.uniform(0.15, 0.8)
            radius = size * rng.uniform(0.7, 1.2)
            angle = np.arange(sides or 24) * 2 * np.pi / (sides or 24)
            rim = (spot + radius * np.stack([np.cos(angle), np.sin(angle)], axis=-1)).astype(np.int32)
            cv2.fillPoly(light, [rim], lamp.tolist(), cv2.LINE_AA)
            cv2.polylines(
                light, [rim], True, np.minimum(lamp * 1.5, 1).tolist(), max(1, int(radius * 0.08)), cv2.LINE_AA
            )
        canvas = 1 - (1 - np.clip(canvas, 0, 1)) * (1 - np.clip(blurred(light, 0.6 + size * 0.04), 0, 1) * 0.75)
    return finish(rng, canvas)
