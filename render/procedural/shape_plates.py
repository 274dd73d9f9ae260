"""Families cut from a plate: stars, gears, letters, hearts."""

from __future__ import annotations

import numpy as np

from .shape_mesh import Mesh, Shape, bevel, extrude, finished, merge, rings, tube


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
