"""Families made from a profile: turned on a lathe (vases, bowls, chess pieces) or cut from a plate (stars, letters)."""

from __future__ import annotations

import numpy as np
from vosforge.render.shape_mesh import Mesh, Shape, bevel, box, extrude, finished, lathe, merge, rings, rotation, tube


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


def _plate(rng: np.random.Generator, outline: np.ndarray, hole: np.ndarray | None = None) -> Shape:
    """An outline given thickness and bevelled edges."""
    size = np.linalg.norm(np.ptp(outline, axis=0))
    mesh = extrude(outline, size * rng.uniform(0.08, 0.35), hole)
    return finished(mesh, bevel(rng.uniform(0.006, 0.02), int(rng.integers(1, 4))), crease_angle_degrees=30)


def star(rng: np.random.Generator) -> Shape:
    """A star or flower cut from a plate, sometimes with a round hole, sometimes with a raised ridge."""
    points = int(rng.integers(4, 10))
    inner = rng.uniform(0.35, 0.7)
    if rng.random() < 0.4:
        angle = np.arange(points * 16) * 2 * np.pi / (points * 16)
        radius = (1 + inner) / 2 + (1 - inner) / 2 * np.cos(points * angle)
    else:
        angle = np.arange(points * 2) * np.pi / points
        radius = np.where(np.arange(points * 2) % 2 == 0, 1.0, inner)
    circle = np.stack([np.sin(angle), np.cos(angle)], axis=-1)
    outline = circle * radius[:, None]
    if rng.random() < 0.3:
        return _plate(rng, outline, circle * inner * rng.uniform(0.4, 0.75))
    if rng.random() < 0.5:
        return _plate(rng, outline)
    thick = rng.uniform(0.15, 0.4)
    rim = np.stack([outline[:, 0], 0 * angle, outline[:, 1]], axis=-1)
    vertices = np.concatenate([rim, [[0, -thick, 0], [0, thick, 0]]])
    count = len(rim)
    faces = [f for i in range(count) for f in ((count, i, (i + 1) % count), (count + 1, (i + 1) % count, i))]
    return finished(Mesh(vertices, faces).outward(), bevel(0.008, 2), smooth=False)


def gear(rng: np.random.Generator) -> Shape:
    """A toothed wheel with a hub hole, sometimes with a second wheel or a shaft."""
    teeth = int(rng.integers(7, 21))

    def wheel(count: int, radius: float, depth: float) -> Mesh:
        step, tooth = 2 * np.pi / count, rng.uniform(0.12, 0.28)
        offsets = np.array([0, 0.2, 0.3, 0.55, 0.65, 0.9]) * step
        angle = (np.arange(count)[:, None] * step + offsets).ravel()
        rim = np.tile([1 - tooth, 1 - tooth, 1, 1, 1 - tooth, 1 - tooth], count)
        circle = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
        hole = circle * rng.uniform(0.15, 0.55) * radius
        return extrude(circle * rim[:, None] * radius, depth, hole)

    parts = [wheel(teeth, 1.0, rng.uniform(0.2, 0.6))]
    if rng.random() < 0.5:
        shaft = rng.uniform(0.5, 1.2)
        parts.append(wheel(max(6, teeth // 2), 0.62, 0.35).transformed(offset=(0, 0.4, 0)))
        parts.append(tube(np.array([(0, -shaft, 0), (0, shaft, 0)]), rng.uniform(0.1, 0.2), 24))
    return finished(merge(parts), bevel(rng.uniform(0.003, 0.008), 2), crease_angle_degrees=30)


def letter(rng: np.random.Generator) -> Shape:
    """A block letter or sign (L T E F H U Z plus arrow bolt moon) with its own stroke width and slant."""
    t, h, w = rng.uniform(0.2, 0.32), rng.uniform(1.0, 1.6), rng.uniform(0.8, 1.2)
    m = h / 2
    signs: dict[str, list[tuple[float, float]]] = {
        "L": [(0, 0), (w, 0), (w, t), (t, t), (t, h), (0, h)],
        "T": [
            (w / 2 - t / 2, 0),
            (w / 2 + t / 2, 0),
            (w / 2 + t / 2, h - t),
            (w, h - t),
            (w, h),
            (0, h),
            (0, h - t),
            (w / 2 - t / 2, h - t),
        ],
        "E": [
            (0, 0),
            (w, 0),
            (w, t),
            (t, t),
            (t, m - t / 2),
            (w * 0.8, m - t / 2),
            (w * 0.8, m + t / 2),
            (t, m + t / 2),
            (t, h - t),
            (w, h - t),
            (w, h),
            (0, h),
        ],
        "F": [
            (0, 0),
            (t, 0),
            (t, m - t / 2),
            (w * 0.8, m - t / 2),
            (w * 0.8, m + t / 2),
            (t, m + t / 2),
            (t, h - t),
            (w, h - t),
            (w, h),
            (0, h),
        ],
        "H": [
            (0, 0),
            (t, 0),
            (t, m - t / 2),
            (w - t, m - t / 2),
            (w - t, 0),
            (w, 0),
            (w, h),
            (w - t, h),
            (w - t, m + t / 2),
            (t, m + t / 2),
            (t, h),
            (0, h),
        ],
        "U": [(0, 0), (w, 0), (w, h), (w - t, h), (w - t, t), (t, t), (t, h), (0, h)],
        "Z": [
            (0, 0),
            (w, 0),
            (w, t),
            (t * 1.6, t),
            (w, h - t),
            (w, h),
            (0, h),
            (0, h - t),
            (w - t * 1.6, h - t),
            (0, t),
        ],
        "plus": [
            (m - t, 0),
            (m + t, 0),
            (m + t, m - t),
            (h, m - t),
            (h, m + t),
            (m + t, m + t),
            (m + t, h),
            (m - t, h),
            (m - t, m + t),
            (0, m + t),
            (0, m - t),
            (m - t, m - t),
        ],
        "arrow": [
            (0, m - t / 2),
            (w * 0.6, m - t / 2),
            (w * 0.6, m - t * 1.6),
            (w * 1.2, m),
            (w * 0.6, m + t * 1.6),
            (w * 0.6, m + t / 2),
            (0, m + t / 2),
        ],
        "bolt": [(0.2, 0), (0.85, 0.75), (0.55, 0.75), (0.9, h + 0.3), (0.35, h + 0.3), (0.05, 0.6), (0.4, 0.6)],
    }
    names = [*signs, "moon"]
    name = names[rng.integers(len(names))]
    if name == "moon":
        outer, inner = np.linspace(-2.3, 2.3, 40), np.linspace(1.9, -1.9, 40)[1:-1]
        horn = np.array([np.cos(2.3), np.sin(2.3)])
        bite = np.stack([np.cos(inner), np.sin(inner) * horn[1] / np.sin(1.9)], axis=-1)
        bite[:, 0] = horn[0] + (bite[:, 0] - np.cos(1.9)) * rng.uniform(0.55, 0.95)
        outline = np.concatenate([np.stack([np.cos(outer), np.sin(outer)], axis=-1), bite])
    else:
        outline = np.array(signs[name])
        outline[:, 0] += rng.uniform(-0.25, 0.25) * outline[:, 1]
    return _plate(rng, outline)


def heart(rng: np.random.Generator) -> Shape:
    """A puffed heart, drop or clover: an outline inflated towards its middle."""
    angle = np.linspace(0, 2 * np.pi, 97)[:-1]
    kind = rng.integers(3)
    if kind == 0:
        x, z = 16 * np.sin(angle) ** 3, 13 * np.cos(angle) - 5 * np.cos(2 * angle) - 2 * np.cos(3 * angle)
        outline = np.stack([x, z - np.cos(4 * angle)], axis=-1) / 16
    elif kind == 1:
        outline = np.stack([np.sin(angle) * np.sin(angle / 2) ** rng.uniform(1, 2), np.cos(angle)], axis=-1)
    else:
        radius = 0.75 + rng.uniform(0.15, 0.25) * np.cos(int(rng.integers(3, 6)) * angle)
        outline = np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=-1)
    outline *= (rng.uniform(0.75, 1.2), 1.0)
    centre, thick, full = outline.mean(0), rng.uniform(0.2, 0.5), rng.uniform(0.35, 0.7)
    slope = np.linspace(-1, 1, 25)[1:-1]
    shrink = np.clip(1 - np.abs(slope) ** 2, 0, 1) ** full
    loops = centre + (outline - centre) * shrink[:, None, None]
    depth = np.broadcast_to((thick * slope)[:, None], loops.shape[:2])
    points = np.stack([loops[..., 0], depth, loops[..., 1]], axis=-1)
    return finished(rings(points), crease_angle_degrees=60)
