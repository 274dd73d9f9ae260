"""Families turned on a lathe: vases, bowls, chess pieces."""

from __future__ import annotations

import numpy as np

from .shape_mesh import Shape, box, finished, lathe, merge, rotation, tube


def _smooth_profile(knots: list[tuple[float, float]], count: int = 60) -> np.ndarray:
    """(count, 2) of (radius, height): a monotone cubic through knots of (height, radius) in rising height."""
    from scipy.interpolate import PchipInterpolator

    height, radius = np.array(knots, float).T
    at = np.linspace(height[0], height[-1], count)
    return np.stack([np.clip(PchipInterpolator(height, radius)(at), 0.01, None), at], axis=-1)


def _hollow(outer: np.ndarray, thickness: float, floor: float) -> np.ndarray:
    """A vessel's full profile: up the outside, over the rim, down the inside to a floor."""
    inner = outer[outer[:, 1] > floor][::-1] - (thickness, 0)
    inner = np.maximum(inner, (0.008, -9))
    rim = [(outer[-1, 0] - thickness / 2, outer[-1, 1] + thickness / 2)]
    return np.concatenate([[(0, outer[0, 1])], outer, rim, inner, [(0, floor)]])


def _section(rng: np.random.Generator):
    """Round, fluted, faceted or oval: a factor on the lathe's radius."""
    kind = rng.integers(4)
    count, depth, twist = int(rng.integers(5, 15)), rng.uniform(0.03, 0.09), rng.uniform(-3, 3)
    if kind == 0:
        return lambda angle, height: 1 + depth * np.cos(count * angle + twist * height)
    if kind == 1:
        half = np.pi / (count // 2 + 2)
        return lambda angle, height: np.cos(half) / np.cos(((angle + twist * height * 0.2) % (2 * half)) - half)
    return None


def vase(rng: np.random.Generator) -> Shape:
    """A vase, amphora or bottle, sometimes fluted or faceted, sometimes with two handles."""
    foot, belly, neck = rng.uniform(0.2, 0.4), rng.uniform(0.35, 0.65), rng.uniform(0.1, 0.3)
    top = rng.uniform(1.2, 2.2)
    shoulder = top * rng.uniform(0.3, 0.6)
    lip = neck * rng.uniform(1.0, 2.0)
    knots = [
        (0, foot),
        (0.06, foot),
        (0.14 * top, foot * rng.uniform(0.6, 1.1)),
        (shoulder, belly),
        (top * rng.uniform(0.68, 0.82), neck),
        (top * 0.93, neck),
        (top, lip),
    ]
    section = _section(rng)
    mesh = lathe(_hollow(_smooth_profile(knots), 0.035, 0.08), 72, section)
    if section is None and rng.random() < 0.5:
        drop = np.linspace(0, np.pi, 14)
        reach = (belly - neck) * 0.5 + 0.25
        low, high = shoulder * 1.1, top * 0.9
        start, end = neck * 0.9, belly * 0.9
        arc = np.stack(
            [
                start + (end - start) * (1 - np.cos(drop)) / 2 + reach * np.sin(drop) * 0.6,
                0 * drop,
                high + (low - high) * (1 - np.cos(drop)) / 2,
            ],
            axis=-1,
        )
        handle = tube(arc, 0.045, 10)
        mesh = merge([mesh, handle] + ([handle.transformed(np.diag([-1.0, 1, 1]))] if rng.random() < 0.7 else []))
    return finished(mesh, crease_angle_degrees=45)


def bowl(rng: np.random.Generator) -> Shape:
    """A bowl, plate, goblet or mug."""
    kind = rng.integers(3)
    if kind == 0:
        depth, foot = rng.uniform(0.15, 0.8), rng.uniform(0.25, 0.5)
        knots = [(0, foot), (0.05, foot * 0.95), (depth * 0.4 + 0.05, rng.uniform(0.65, 0.9)), (depth + 0.1, 1.0)]
        mesh = lathe(_hollow(_smooth_profile(knots, 30), 0.05, 0.07), 72, _section(rng))
    elif kind == 1:
        stem = rng.uniform(0.5, 1.0)
        cup = rng.uniform(0.3, 0.5)
        knots = [
            (0, rng.uniform(0.3, 0.45)),
            (0.05, 0.25),
            (0.15, 0.06),
            (stem * 0.6, rng.uniform(0.05, 0.12)),
            (stem, 0.08),
            (stem + 0.15, cup * 0.8),
            (stem + 0.45, cup),
            (stem + rng.uniform(0.6, 0.9), cup * rng.uniform(0.7, 1.1)),
        ]
        mesh = lathe(_hollow(_smooth_profile(knots, 70), 0.03, stem + 0.06), 64)
    else:
        radius, height = rng.uniform(0.3, 0.5), rng.uniform(0.6, 1.0)
        knots = [(0, radius * 0.92), (0.05, radius), (height / 2, radius * rng.uniform(0.85, 1.1)), (height, radius)]
        body = lathe(_hollow(_smooth_profile(knots, 30), 0.05, 0.07), 64)
        turn = np.linspace(-np.pi / 2, np.pi / 2, 16)
        size = rng.uniform(0.22, 0.36)
        arc = np.stack([radius * 0.93 + size * np.cos(turn), 0 * turn, height / 2 + size * np.sin(turn)], axis=-1)
        mesh = merge([body, tube(arc, rng.uniform(0.04, 0.07), 12)])
    return finished(mesh, crease_angle_degrees=50)


def chess_piece(rng: np.random.Generator) -> Shape:
    """A turned piece: rings at the foot, a waisted stem, a collar and one of five heads."""
    foot, waist, top = rng.uniform(0.38, 0.5), rng.uniform(0.13, 0.22), rng.uniform(0.8, 1.5)
    profile = [(0.0, 0.0), (foot, 0.0), (foot, 0.1), (foot * 0.93, 0.14), (foot * 0.93, 0.18), (foot * 0.75, 0.24)]
    rise = np.linspace(0, 1, 16)[1:]
    profile += [(waist + (foot * 0.75 - waist) * (1 - t) ** 2.5, 0.24 + (top - 0.24) * t) for t in rise]
    collar = waist * rng.uniform(1.5, 2.0)
    profile += [(collar, top + 0.03), (collar, top + 0.07), (waist * 1.1, top + 0.1)]
    base, parts = top + 0.1, []
    head = rng.integers(5)
    if head == 0:  # pawn: ball
        size = rng.uniform(0.24, 0.32)
        turn = np.linspace(-0.9, np.pi / 2, 18)[:-1]
        profile += [(size * np.cos(t), base + size * (0.78 + np.sin(t))) for t in turn] + [(0, base + size * 1.78)]
    elif head == 1:  # bishop: drop with a knob
        t = np.linspace(0, 1, 20)[1:-1]
        profile += [(0.06 + 0.24 * np.sin(np.pi * s**0.75) ** 0.8, base + 0.5 * s) for s in t]
        profile += [(0.09, base + 0.54), (0.09, base + 0.6), (0, base + 0.64)]
    elif head == 2:  # rook: tower with battlements
        profile += [(0.3, base + 0.08), (0.3, base + 0.4), (0.2, base + 0.4), (0.2, base + 0.25), (0, base + 0.25)]
        count = int(rng.integers(4, 8))
        for i in range(count):
            block = box((0.11, 0.14, 0.14), (0.25, 0, base + 0.45))
            parts.append(block.transformed(rotation("z", 2 * np.pi * i / count)))
    elif head == 3:  # queen: flared crown with points
        profile += [
            (0.17, base + 0.1),
            (0.34, base + 0.45),
            (0.24, base + 0.42),
            (0.15, base + 0.5),
            (0.0, base + 0.56),
        ]
        count = int(rng.integers(6, 11))
        bead = lathe(np.array([(0.07 * np.cos(t), 0.07 * np.sin(t)) for t in np.linspace(-1.57, 1.57, 9)]), 10)
        for i in range(count):
            a = 2 * np.pi * i / count
            parts.append(bead.transformed(offset=(0.31 * np.cos(a), 0.31 * np.sin(a), base + 0.48)))
    else:  # king: crown with a cross
        profile += [(0.17, base + 0.1), (0.3, base + 0.42), (0.22, base + 0.48), (0.0, base + 0.54)]
        parts += [box((0.07, 0.07, 0.3), (0, 0, base + 0.66)), box((0.22, 0.07, 0.07), (0, 0, base + 0.69))]
    return finished(merge([lathe(np.array(profile), 48), *parts]), crease_angle_degrees=35)
