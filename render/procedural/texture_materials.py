"""Textures of natural materials: marble, wood, stone, bark, rust, hides, camouflage. float32 (size, size, 3) RGB."""

from __future__ import annotations

import cv2
import numpy as np

from .painting import (
    blurred,
    cells,
    fbm,
    grid,
    mix,
    noise,
    normalised,
    palette,
    per_label,
    ramp,
    relief,
    shaded,
    smoothstep,
    turned,
    warped,
)


def _grain(rng: np.random.Generator, size: int, strength: float) -> np.ndarray:
    """Fine light and dark speckle about 1: float32 (size, size)."""
    return 1 + strength * (fbm(rng, size, size, size / 8, 3, 0.8) - 0.5)


def marble(rng: np.random.Generator, size: int) -> np.ndarray:
    """Clouded stone crossed by warped veins of several widths."""
    x, y = warped(rng, *grid(size, size), rng.uniform(2, 4), rng.uniform(0.3, 0.7), 6)
    colours = palette(rng, 4, ["stone", "earth", "sea", "pastel", None][rng.integers(5)])
    if rng.random() < 0.4:
        colours = colours[::-1]
    image = ramp(colours[1:], fbm(rng, size, size, 4, 6))
    for _ in range(rng.integers(2, 5)):
        u, _ = turned(x, y, rng.uniform(0, np.pi))
        sheet = np.abs(np.sin(np.pi * rng.uniform(2, 6) * u + 5 * noise(rng, size, size, 4)))
        thin = rng.uniform(0.03, 0.14) * (0.3 + fbm(rng, size, size, 6, 3))
        image = mix(image, colours[0], (1 - smoothstep(0, 1, sheet / thin)) * rng.uniform(0.4, 0.9))
    return shaded(image, _grain(rng, size, 0.08))


def wood(rng: np.random.Generator, size: int) -> np.ndarray:
    """Growth rings cut lengthwise or across, with knots and fibres; whole or as planks."""
    x, y = grid(size, size)
    if rng.random() < 0.5:
        x, y = y, x
    colours = palette(rng, 4, ["wood", "wood", "earth", "stone"][rng.integers(4)])
    planks = int(rng.integers(0, 8))
    board = np.floor(y * planks).astype(np.int32) if planks > 1 else np.zeros(x.shape, np.int32)
    shift, tint = per_label(rng, board) * 7, per_label(rng, board)
    u, v = warped(rng, x + shift, y + shift * 0.37, 3, 0.12, 4)
    if rng.random() < 0.3:
        rings = np.hypot(x - rng.uniform(0.2, 0.8) + 0.5 * (u - x - shift), y - rng.uniform(0.2, 0.8)) * rng.uniform(
            14, 34
        )
    else:
        rings = v * rng.uniform(9, 24) + 1.6 * np.sin(2.2 * u + 3 * tint)
        for _ in range(rng.integers(1, 5)):
            gap = np.hypot((x - rng.random()) * 0.5, y - rng.random())
            rings = rings + rng.uniform(1.0, 3.0) * np.exp(-((gap / rng.uniform(0.03, 0.07)) ** 2))
    saw = rings - np.floor(rings)
    fibre = fbm(rng, size, size, size / 5, 3, 0.8, stretch=10)
    fibre = fibre if not np.array_equal(x[0], np.full(size, x[0, 0])) else fibre.T
    image = ramp(colours, np.clip(0.15 + 0.45 * saw**2 + 0.3 * fibre + 0.25 * (tint - 0.5), 0, 1))
    if planks > 1:
        edge = np.abs(y * planks - np.round(y * planks))
        image = shaded(image, 0.35 + 0.65 * smoothstep(0.005, 0.03, edge))
    return image


def cracked_earth(rng: np.random.Generator, size: int) -> np.ndarray:
    """Dry mud, flagstones or leather: plates between dark cracks."""
    x, y = warped(rng, *grid(size, size), 8, rng.uniform(0.04, 0.12), 4)
    first, second, label = cells(rng, x, y, rng.uniform(4, 10))
    colours = palette(rng, 4, ["earth", "clay", "stone", None][rng.integers(4)])
    gap = second - first
    plate = smoothstep(0.02, rng.uniform(0.12, 0.3), gap)
    rough = fbm(rng, size, size, 14, 5, 0.65)
    image = ramp(colours[1:], np.clip(0.6 * rough + 0.4 * per_label(rng, label), 0, 1))
    image = shaded(image, relief(plate + 0.3 * rough, 0.9))
    return mix(colours[0] * 0.5, image, smoothstep(0.01, 0.06, gap))


def pebbles(rng: np.random.Generator, size: int) -> np.ndarray:
    """Rounded stones of many colours in sand, lit from one side."""
    x, y = warped(rng, *grid(size, size), 10, 0.03)
    colours = palette(rng, 6, ["stone", "earth", None][rng.integers(3)])
    image, ground = ramp(colours[:3], fbm(rng, size, size, size / 10, 3, 0.8)), None
    for count in (rng.uniform(14, 20), rng.uniform(6, 9)):
        first, second, label = cells(rng, x, y, count, 0.75)
        dome = np.clip(second - first, 0, 0.6) / 0.6
        stone = ramp(colours, np.clip(per_label(rng, label) + 0.25 * (fbm(rng, size, size, 20, 4) - 0.5), 0, 1))
        stone = shaded(stone, (0.5 + 0.6 * np.sqrt(dome)) * relief(np.sqrt(dome), 1.0))
        shown = smoothstep(0.06, 0.12, dome) * (per_label(rng, label) < (1 if ground is None else 0.5))
        image, ground = mix(shaded(image, 1 - 0.5 * blurred(shown.astype(np.float32), size / 90)), stone, shown), True
    return image


def bark(rng: np.random.Generator, size: int) -> np.ndarray:
    """Deeply furrowed ridges that run one way, with moss."""
    x, y = warped(rng, *grid(size, size), 5, 0.15, 4)
    first, second, _ = cells(rng, x * rng.uniform(2.5, 4.0), y, rng.uniform(4, 7))
    ridge = smoothstep(0, 0.5, second - first) * 0.7 + 0.5 * fbm(rng, size, size, 14, 5, 0.65)
    image = ramp(palette(rng, 4, ["wood", "earth", "stone"][rng.integers(3)]), normalised(ridge))
    moss = smoothstep(0.5, 0.75, fbm(rng, size, size, 4, 6, 0.6))
    image = mix(image, ramp(palette(rng, 3, "foliage"), fbm(rng, size, size, 50, 3)), moss * rng.uniform(0, 0.8))
    image = shaded(image, relief(ridge, 1.3))
    return np.ascontiguousarray(image.transpose(1, 0, 2)) if rng.random() < 0.5 else image


def rust(rng: np.random.Generator, size: int) -> np.ndarray:
    """Paint or copper eaten by blotches of rust or patina with drips and pits."""
    paint = palette(rng, 3, ["sea", "cloth", "pastel", "foliage"][rng.integers(4)])[1]
    eaten = palette(rng, 5, ["autumn", "clay", "autumn", "sea"][rng.integers(4)])
    blotch = fbm(rng, size, size, rng.uniform(2, 5), 7, 0.62) + 0.25 * (fbm(rng, size, size, 24, 2, stretch=0.1) - 0.5)
    level = rng.uniform(0.4, 0.6)
    image = shaded(np.broadcast_to(paint, (size, size, 3)), 0.8 + 0.3 * fbm(rng, size, size, 3, 6, 0.6))
    corroded = shaded(ramp(eaten, fbm(rng, size, size, 10, 6, 0.7)), relief(fbm(rng, size, size, 40, 3), 1.0))
    image = mix(image, eaten[1] * 0.6, smoothstep(level - 0.05, level - 0.01, blotch))
    image = mix(image, corroded, smoothstep(level - 0.02, level + 0.02, blotch))
    pits = smoothstep(0.78, 0.85, fbm(rng, size, size, 30, 3, 0.6))
    return mix(image, eaten[0] * 0.5, pits * 0.8)


def terrazzo(rng: np.random.Generator, size: int) -> np.ndarray:
    """Chips of stone of several sizes in a pale or dark binder."""
    colours = palette(rng, 6)
    binder = colours[-1] if rng.random() < 0.6 else colours[0]
    image = shaded(np.broadcast_to(binder, (size, size, 3)), 0.9 + 0.2 * fbm(rng, size, size, 30, 4, 0.8))
    for count, share in ((rng.uniform(28, 45), 0.4), (rng.uniform(14, 20), 0.35), (rng.uniform(5, 9), 0.45)):
        x, y = warped(rng, *grid(size, size), count, 0.25 / count, 2)
        first, second, label = cells(rng, x, y, count, 1.0)
        chip = (second - first > 0.12 + 0.25 * per_label(rng, label)) & (per_label(rng, label) < share)
        tone = ramp(colours[1:-1] if len(colours) > 2 else colours, per_label(rng, label))
        tone = shaded(tone, 0.85 + 0.3 * fbm(rng, size, size, 16, 4))
        image = mix(image, tone, blurred(chip.astype(np.float32), 0.6))
    return image


def zebra(rng: np.random.Generator, size: int) -> np.ndarray:
    """Turing stripes or labyrinths (iterated sharpening of noise) over short fur."""
    small = 192
    field = rng.random((small, small), dtype=np.float32)
    narrow = rng.uniform(1.6, 3.2)
    along = rng.uniform(1.0, 2.4)
    for _ in range(14):
        near = cv2.GaussianBlur(field, (0, 0), narrow * along, sigmaY=narrow, borderType=cv2.BORDER_REFLECT)
        far = cv2.GaussianBlur(field, (0, 0), narrow * along * 1.7, sigmaY=narrow * 1.7, borderType=cv2.BORDER_REFLECT)
        field = (near - far > 0).astype(np.float32)
    edge = cv2.resize(blurred(field, 1.2), (size, size), interpolation=cv2.INTER_CUBIC)
    stripe = smoothstep(0.4, 0.6, edge + 0.25 * (fbm(rng, size, size, 60, 3, 0.8, stretch=0.3) - 0.5))
    colours = palette(rng, 5, ["earth", "stone", "wood", "autumn", None][rng.integers(5)])
    fur = fbm(rng, size, size, size / 4, 3, 0.8, stretch=0.12)
    light = ramp(colours[3:], fbm(rng, size, size, 3, 5))
    image = mix(light, colours[0] * 0.7, stripe)
    return shaded(image, 0.75 + 0.5 * fur)


def leopard(rng: np.random.Generator, size: int) -> np.ndarray:
    """Broken rosettes, or a giraffe's patches, over shaded fur."""
    x, y = warped(rng, *grid(size, size), 9, 0.07)
    first, second, label = cells(rng, x, y, rng.uniform(6, 12), 0.7)
    colours = palette(rng, 5, ["autumn", "earth", "wood", None][rng.integers(4)])
    coat = ramp(colours[2:], fbm(rng, size, size, 3, 5))
    if rng.random() < 0.35:
        image = mix(coat, ramp(colours[:3], fbm(rng, size, size, 8, 5)), smoothstep(0.06, 0.14, second - first))
    else:
        size_of = 0.28 + 0.2 * per_label(rng, label)
        ring = np.abs(first - size_of) < 0.1 + 0.12 * (fbm(rng, size, size, 30, 3) - 0.35)
        broken = fbm(rng, size, size, 16, 3) > 0.42
        image = mix(coat, colours[1] * 1.05, smoothstep(0.02, -0.08, first - size_of) * 0.7)
        image = mix(image, colours[0] * 0.5, blurred((ring & broken).astype(np.float32), size / 300))
    return shaded(image, 0.75 + 0.5 * fbm(rng, size, size, size / 4, 3, 0.8, stretch=0.15))


def camouflage(rng: np.random.Generator, size: int) -> np.ndarray:
    """Three to five flat colours in torn patches, smooth or made of square pixels, on a fine weave."""
    colours = palette(rng, 5, ["foliage", "earth", "stone", "sea", None][rng.integers(5)])
    side = size if rng.random() < 0.6 else int(rng.integers(32, 64))
    image = np.broadcast_to(colours[rng.integers(5)], (side, side, 3))
    for layer in rng.permutation(5):
        patch = fbm(rng, side, side, rng.uniform(4, 8), 4, 0.5, stretch=rng.uniform(0.8, 2.0)) > rng.uniform(0.52, 0.62)
        image = mix(image, colours[layer], patch.astype(np.float32))
    image = cv2.resize(image.astype(np.float32), (size, size), interpolation=cv2.INTER_NEAREST)
    x, y = grid(size, size)
    weave = np.sin(x * size * 0.8) * np.sin(y * size * 0.8)
    return shaded(image, 0.95 + 0.07 * weave + 0.12 * (fbm(rng, size, size, 4, 5) - 0.5))


def fur(rng: np.random.Generator, size: int) -> np.ndarray:
    """Long combed hair or grass: fine streaks that follow a flow, with tufts and colour patches."""
    streaks = rng.random((size, size), dtype=np.float32)
    streaks = 0.6 * streaks + 0.4 * noise(rng, size, size, size / 4)
    flow = fbm(rng, size, size, rng.uniform(2, 4), 2) * rng.uniform(2, 5) + rng.uniform(0, 6)
    step_x, step_y = np.cos(flow), np.sin(flow)
    column, row = np.meshgrid(np.arange(size, dtype=np.float32), np.arange(size, dtype=np.float32))
    total, u, v = streaks.copy(), column, row
    for _ in range(14):  # line-integral convolution: averages the noise along the flow
        u, v = u + step_x, v + step_y
        total += cv2.remap(streaks, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    hair = np.clip(0.5 + 1.9 * (total / 15 - 0.5), 0, 1)
    colours = palette(rng, 4, ["wood", "earth", "foliage", "stone", "autumn", None][rng.integers(6)])
    tuft = fbm(rng, size, size, 5, 4)
    return ramp(colours, np.clip(0.65 * hair + 0.5 * tuft - 0.1, 0, 1))
