"""Backgrounds out of doors: hills, forest, grassland, desert, sea, under water. float32 (H, W, 3) in [0, 1]."""

from __future__ import annotations

import cv2
import numpy as np

from .landscape import below, finish, foliage, ground, ridge, seamless, sky, treeline
from .painting import blurred, fbm, grid, mix, noise, oklch_to_rgb, palette, ramp, relief, shaded, smoothstep, warped
from .texture_materials import cracked_earth, fur, pebbles, rust

_GREENS = ["foliage", "foliage", "autumn", "earth"]


def hills(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Ranges of hills one behind another, paler with distance, wooded in front."""
    horizon = rng.uniform(0.3, 0.6) * height
    picture, haze = sky(rng, height, width, horizon * 1.1)
    layers = int(rng.integers(4, 7))
    first = int(rng.integers(4))
    for layer in range(layers):
        near = (layer + 1) / layers
        colours = palette(rng, 5, _GREENS[first if rng.random() < 0.6 else rng.integers(4)])
        top = horizon + (height - horizon) * 0.9 * near**1.5 - height * 0.1
        swing = height * rng.uniform(0.08, 0.28) * (1.2 - 0.6 * near)
        line = top - swing * ridge(rng, width, rng.uniform(2, 5), 6 if layer < 2 else 4, 0.5 if layer < 2 else 0.35)
        land = below(line, height)
        if near > 0.3:
            land = np.maximum(land, treeline(rng, height, width, line, height * 0.09 * near))
        if near > 0.45:
            leaves = foliage(rng, height, width, colours, 14 / near)
            meadow = shaded(ramp(colours[2:], fbm(rng, height, width, 5, 7, 0.62)), 0.95)
            grazed = smoothstep(0.42, 0.55, fbm(rng, height, width, 4, 5, 0.55))
            surface = mix(leaves, meadow, grazed * below(line + height * 0.02, height))
        else:
            rock = fbm(rng, height, width, 8, 6, 0.6)
            surface = shaded(ramp(colours[:4], rock), relief(blurred(rock, 1.0), 4.0, 0.3))
        surface = mix(surface, haze, 0.85 * (1 - near) ** 0.9)
        depth = np.clip((np.arange(height)[:, None] - line[None]) / (height * 0.3), 0, 1).astype(np.float32)
        picture = mix(picture, shaded(surface, 1.12 - 0.35 * depth), land)
    return finish(rng, picture)


def forest(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Trunks at many depths among foliage, over a littered floor."""
    colours = palette(rng, 5, ["foliage", "foliage", "autumn"][rng.integers(3)])
    light = np.clip(colours[-1] * 0.5 + 0.5 * oklch_to_rgb(np.array([0.9, 0.05, 110.0])), 0, 1)
    leafy = palette(rng, 5, "foliage")
    picture = mix(foliage(rng, height, width, leafy[1:], 7), light, 0.5)
    floor_row = height * rng.uniform(0.62, 0.85)
    woods = palette(rng, 3, ["wood", "stone", "earth"][rng.integers(3)])
    rows, columns = np.arange(height, dtype=np.float32)[:, None], np.arange(width, dtype=np.float32)[None]
    furrows = np.ascontiguousarray(fbm(rng, width, height, max(20, height / 10), 3, 0.7, stretch=6).T)
    near_litter, far_litter = (mix(foliage(rng, height, width, colours, n), woods[1], 0.35) for n in (18, 40))
    canopy = foliage(rng, height, width, leafy, 9)
    layers = 5
    for layer in range(layers):
        near = (layer + 1) / layers
        foot = floor_row + (height - floor_row) * near**2 * 0.7
        floor = below(foot + height * 0.03 * (ridge(rng, width, 6) - 0.5), height)
        litter = near_litter if near > 0.5 else far_litter
        picture = mix(picture, mix(litter, light, 0.55 * (1 - near)), floor)
        for _ in range(rng.integers(3, 9) if near < 1 else rng.integers(1, 4)):
            spot, half = rng.uniform(0, width), width * 0.006 * (0.5 + 5 * near**2) * rng.uniform(0.6, 1.3)
            low, high = int(max(0, spot - half * 2 - width * 0.12)), int(min(width, spot + half * 2 + width * 0.12))
            sway = width * 0.015 * np.sin(rows / height * rng.uniform(1, 5) + rng.uniform(0, 6))
            sway = sway + (rows - foot) * rng.normal(0, 0.06)
            root = 0.4 * np.exp(-np.abs(foot - rows) / (half * 3))
            girth = half * (1 + root + 0.08 * np.sin(rows * 1.3 / half + spot))
            offset = (columns[:, low:high] - spot - sway) / girth
            trunk = smoothstep(1.0, 0.9, np.abs(offset)) * (rows < foot + half * 0.6)
            shift = int(rng.integers(0, max(1, width - (high - low))))
            grain = np.clip(0.15 + 0.7 * furrows[:, shift : shift + high - low], 0, 1)
            cover = mix(shaded(ramp(woods, grain), 0.9 - 0.45 * offset), light, 0.6 * (1 - near))
            picture[:, low:high] = mix(picture[:, low:high], cover, trunk)
        if layer in (1, 3):
            gaps = fbm(rng, height, width, 5, 6, 0.6) - 0.55 * smoothstep(0, 0.8, rows / height)
            picture = mix(
                picture,
                mix(canopy if layer == 1 else canopy[:, ::-1], light, 0.4 * (1 - near)),
                smoothstep(0.38, 0.48, gaps),
            )
    beams = smoothstep(0.55, 0.9, noise(rng, height, width, 12)) * rng.uniform(0, 0.25)
    return finish(rng, mix(picture, light, beams))


def grassland(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """A meadow, field or gravel plain in perspective under a sky, with bushes, fences, furrows or flowers."""
    horizon = rng.uniform(0.22, 0.5) * height
    picture, haze = sky(rng, height, width, horizon)
    far = horizon - height * 0.05 * ridge(rng, width, 4)
    colours = palette(rng, 5, _GREENS[rng.integers(3)])
    crowns = np.maximum(below(far, height), treeline(rng, height, width, far, height * 0.06))
    picture = mix(picture, mix(foliage(rng, height, width, colours, 30), haze, 0.45), crowns)
    texture = seamless([fur, fur, pebbles, cracked_earth][rng.integers(4)](rng, 256))
    tint = colours[2] / max(float(colours[2].mean()), 0.05) * 0.5
    land, near = ground(0.4 * texture + 0.6 * texture.mean(-1, keepdims=True) * 2 * tint, height, width, horizon, 1.7)
    patches, _ = ground(seamless(ramp(colours[1:], fbm(rng, 256, 256, 12, 6, 0.6))), height, width, horizon, 0.8)
    land = mix(land, patches, 0.5)
    if rng.random() < 0.4:  # furrows or mown stripes that meet at the horizon
        x = (np.arange(width, dtype=np.float32)[None] / width - rng.uniform(0.2, 0.8)) / near
        land = shaded(land, 1 + 0.25 * np.sin(x * rng.uniform(15, 50)) * smoothstep(0.03, 0.3, near))
    picture = mix(picture, mix(land, haze, 0.6 * (1 - near) ** 4), below(np.full(width, horizon, np.float32), height))
    blade = np.ascontiguousarray(picture)
    for i in range(900):  # blades and flowers, far ones first
        depth = (i / 900) ** 0.8
        row = horizon + (height - horizon) * (0.05 + 1.05 * depth**1.3)
        tall, column = height * 0.09 * depth**1.2 * rng.uniform(0.3, 1.0), rng.uniform(0, width)
        tip = (int(column + rng.normal(0, 0.35) * tall), int(row - tall))
        ink = (colours[rng.integers(1, 5)] * rng.uniform(0.5, 1.25)).tolist()
        cv2.line(blade, (int(column), int(row)), tip, ink, 1 + int(2 * depth), cv2.LINE_AA)
        if i % 9 == 0:
            flower = [(0.95, 0.93, 0.9), (0.9, 0.8, 0.25), (0.75, 0.25, 0.3), (0.6, 0.45, 0.8)][int(rng.integers(4))]
            cv2.circle(blade, tip, 1 + int(height * 0.009 * depth), flower, -1, cv2.LINE_AA)
    return finish(rng, blade)


def desert(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Dunes with lit and shaded flanks and wind ripples, or snow."""
    horizon = rng.uniform(0.25, 0.5) * height
    picture, haze = sky(rng, height, width, horizon * 1.1)
    sand = (
        oklch_to_rgb(
            np.array([(0.42, 0.07, 55), (0.72, 0.09, 70), (0.88, 0.06, 80)]) + rng.normal(0, 1, 3) * (0.03, 0.015, 10)
        )
        if rng.random() < 0.75
        else oklch_to_rgb(np.array([(0.55, 0.05, 260.0), (0.85, 0.02, 240), (0.96, 0.008, 90)]))
    )
    y = np.mgrid[0:height, 0:width][0].astype(np.float32)
    layers = int(rng.integers(4, 7))
    for layer in range(layers):
        near = (layer + 1) / layers
        top = horizon + (height - horizon) * near**1.6 * 0.8
        crest = top - height * rng.uniform(0.08, 0.22) * ridge(rng, width, rng.uniform(1.5, 4), 3, 0.3)
        slope = np.gradient(blurred(crest[None], width / 60)[0])
        # The lee side begins at a sinuous crest line under each summit.
        lee = smoothstep(-0.5, 0.5, slope * rng.choice([-1, 1]))[None] * np.ones((height, 1), np.float32)
        drop = (y - crest[None]) / (height * 0.25)
        edge = lee + 0.9 * (fbm(rng, height, width, 3, 3, 0.4) - 0.5) - 0.45 * drop
        bright = 0.35 + 0.55 * smoothstep(0.2, 0.35, edge) - 0.12 * np.clip(drop, 0, 1)
        wave = (y - crest[None]) / (near**1.3 + 0.05) + 14 * noise(rng, height, width, 7) * (height / 400)
        ripple = np.sin(wave * (520 / height)) * smoothstep(0, 0.25, drop)
        tone = bright + 0.1 * ripple * near + 0.09 * (fbm(rng, height, width, 60, 3, 0.8) - 0.5)
        picture = mix(picture, mix(ramp(sand, np.clip(tone, 0, 1)), haze, 0.65 * (1 - near)), below(crest, height))
    canvas = np.ascontiguousarray(picture)
    for _ in range(rng.integers(5, 40)):  # stones and scrub with their shadows
        depth = rng.random() ** 0.7
        spot = np.array([rng.uniform(0, width), horizon + (height - horizon) * (0.3 + 0.7 * depth)])
        size = height * 0.025 * depth * rng.uniform(0.3, 1.4) + 1
        ink = (sand[0] * rng.uniform(0.3, 0.9)).tolist()
        cv2.ellipse(
            canvas,
            (spot + (size, size * 0.5)).astype(int).tolist(),
            (int(size * 1.6), int(size * 0.4)),
            0,
            0,
            360,
            (sand[0] * 0.7).tolist(),
            -1,
            cv2.LINE_AA,
        )
        cv2.ellipse(canvas, spot.astype(int).tolist(), (int(size), int(size * 0.75)), 0, 0, 360, ink, -1, cv2.LINE_AA)
    return finish(rng, canvas)


def sea(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Open water in perspective with swell, foam and glitter; islands, sails or a beach."""
    horizon = rng.uniform(0.25, 0.55) * height
    picture, haze = sky(rng, height, width, horizon)
    if rng.random() < 0.6:
        for layer in range(rng.integers(1, 3)):
            line = horizon + 2 - height * rng.uniform(0.04, 0.16) * (ridge(rng, width, 3, 7) - 0.35 - 0.1 * layer)
            rock = fbm(rng, height, width, 20, 5, 0.6)
            land = shaded(ramp(palette(rng, 4, ["stone", "foliage"][rng.integers(2)]), rock), relief(rock, 3.0))
            picture = mix(picture, mix(land, haze, 0.55 - 0.2 * layer), below(line, height))
    water = palette(rng, 4, "sea")
    waves = 0.6 * fbm(rng, 512, 512, 18, 5, 0.6, stretch=2.5) + 0.4 * (
        1 - np.abs(2 * fbm(rng, 512, 512, 12, 4, 0.6, 3.0) - 1)
    )
    steep = relief(waves, 5.0, 1.4) - 1
    surface = ramp(water, np.clip(waves * 0.8 + 0.1 + 0.7 * steep, 0, 1))
    foam = smoothstep(0.62, 0.8, waves + 0.3 * (fbm(rng, 512, 512, 60, 3, 0.8) - 0.5)) * rng.uniform(0.1, 0.9)
    surface = mix(surface, np.float32(0.93), foam)
    plane, near = ground(seamless(surface), height, width, horizon, rng.uniform(0.8, 2.0))
    plane = mix(plane, haze * 0.9, 0.75 * (1 - near) ** 3)
    x, _ = grid(height, width)
    glitter = np.exp(-(((x - rng.uniform(0.1, 0.9) * float(x.max())) / (0.05 + 0.12 * near)) ** 2)) * rng.uniform(
        0, 0.8
    )
    plane = mix(
        plane, np.clip(haze * 1.2, 0, 1), glitter * smoothstep(0.45, 0.6, fbm(rng, height, width, 90, 2, 0.8, 4.0))
    )
    picture = mix(picture, plane, below(np.full(width, horizon, np.float32), height))
    canvas = np.ascontiguousarray(picture)
    for _ in range(rng.integers(0, 6)):
        size, spot = (
            height * rng.uniform(0.02, 0.09),
            np.array([rng.uniform(0, width), horizon + height * rng.uniform(0, 0.06)]),
        )
        hull = spot + size * np.array([(-0.6, -0.12), (0.7, -0.12), (0.5, 0.12), (-0.45, 0.12)])
        sail = spot + size * np.array([(0, -0.15), (0.05, -1.6), (0.55, -0.2)])
        cv2.fillPoly(canvas, [hull.astype(np.int32)], palette(rng, 1)[0].tolist(), cv2.LINE_AA)
        cv2.fillPoly(canvas, [sail.astype(np.int32)], rng.uniform(0.6, 0.98, 3).tolist(), cv2.LINE_AA)
    if rng.random() < 0.45:
        shore = height * rng.uniform(0.72, 0.92) - height * 0.12 * ridge(rng, width, 2, 4, 0.35)
        beach = shaded(
            ramp(palette(rng, 4, "earth")[1:], fbm(rng, height, width, 90, 4, 0.8)),
            0.8 + 0.5 * fbm(rng, height, width, 5, 5),
        )
        surf = below(shore - height * 0.02, height) * (
            1 - below(shore + height * 0.01 * noise(rng, 1, width, 20)[0], height)
        )
        canvas = mix(mix(canvas, beach, below(shore, height)), np.float32(0.95), blurred(surf, 1.5))
    return finish(rng, canvas)


def underwater(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """A reef: light shafts and caustics, rock and weed at several depths, bubbles and small fish."""
    deep = oklch_to_rgb(
        np.array([(0.8, 0.07, 200), (0.5, 0.1, 230), (0.28, 0.08, 250)]) + rng.normal(0, 1, 3) * (0.03, 0.01, 15)
    )
    x, y = grid(height, width)
    picture = ramp(deep, np.clip(y / float(y.max()) + 0.25 * (fbm(rng, height, width, 3, 4) - 0.5), 0, 1))
    lean = rng.uniform(-0.6, 0.6)
    shaft = noise(rng, 1, width * 2, 40)[0]
    column = np.clip((x + lean * y + 0.5) * width, 0, 2 * width - 1).astype(int)
    picture = mix(picture, deep[0], smoothstep(0.5, 0.9, shaft[column]) * np.clip(1 - 1.3 * y, 0, 1) * 0.6)
    canvas = picture
    for layer in range(4):
        near = (layer + 1) / 4
        line = height * (0.5 + 0.45 * near) - height * rng.uniform(0.15, 0.4) * ridge(
            rng, width, rng.uniform(2, 5), 6, 0.55
        )
        bumps = fbm(rng, height, width, 14, 5, 0.65)
        reef = shaded(
            ramp(palette(rng, 5, ["autumn", "clay", "dusk", "earth", None][rng.integers(5)]), bumps),
            relief(bumps, 4.0, -1.4),
        )
        u, v = warped(rng, x, y, 5, 0.15)
        net = np.abs(np.sin(40 * u + 4 * np.sin(30 * v))) * np.abs(np.sin(37 * v))
        reef = shaded(reef, 0.7 + 0.5 * smoothstep(0.6, 1.0, net))
        canvas = np.ascontiguousarray(mix(canvas, mix(reef, deep[1], 0.8 * (1 - near) + 0.1), below(line, height)))
        weed = palette(rng, 3)
        for _ in range(rng.integers(3, 12)):
            spot = int(rng.integers(width))
            t = np.linspace(0, 1, 14)
            tall = height * rng.uniform(0.08, 0.3) * near
            sway = spot + tall * 0.25 * np.sin(t * rng.uniform(2, 6) + rng.uniform(0, 6)) * t
            points = np.stack([sway, line[spot] + 4 - tall * t], axis=-1).astype(np.int32)
            ink = mix(weed[rng.integers(3)], deep[1], 0.7 * (1 - near)).tolist()
            for i in range(13):
                cv2.line(
                    canvas,
                    points[i].tolist(),
                    points[i + 1].tolist(),
                    ink,
                    max(1, int(height * 0.02 * near * (1 - t[i]))),
                    cv2.LINE_AA,
                )
        for _ in range(rng.integers(0, 10)):
            spot, size = rng.uniform(0, 0.8, 2) * (width, height), height * 0.03 * near * rng.uniform(0.5, 1.3) + 1
            ink = mix(palette(rng, 2)[1], deep[1], 0.6 * (1 - near)).tolist()
            cv2.ellipse(
                canvas,
                spot.astype(int).tolist(),
                (int(size), int(size * 0.45)),
                rng.uniform(-20, 20),
                0,
                360,
                ink,
                -1,
                cv2.LINE_AA,
            )
            tail = spot + size * np.array([(-0.8, 0), (-1.6, -0.5), (-1.6, 0.5)])
            cv2.fillPoly(canvas, [tail.astype(np.int32)], ink, cv2.LINE_AA)
    if rng.random() < 0.3:
        canvas = mix(canvas, blurred(rust(rng, 256), 2).mean((0, 1)), 0.08)
    return finish(rng, canvas)
