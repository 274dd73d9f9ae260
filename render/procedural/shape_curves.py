"""Families swept along curves or spread over sheets: knots, springs, corals, trees, leaves, ribbons."""

from __future__ import annotations

import numpy as np

from .shape_mesh import Mesh, Modifier, Shape, finished, lathe, merge, rotation, tube, unit


def torus_knot(rng: np.random.Generator) -> Shape:
    """A (p, q) torus knot, a ring or a trefoil as a round or flattened tube, its width swelling along the way."""
    turns = [(1, 0), (2, 3), (2, 5), (3, 2), (3, 4), (3, 5), (1, 4), (4, 3), (1, 7)]
    p, q = turns[rng.integers(len(turns))]
    t = np.arange(260) * 2 * np.pi / 260
    reach = 1 + rng.uniform(0.3, 0.45) * np.cos(q * t)
    path = np.stack([reach * np.cos(p * t), reach * np.sin(p * t), rng.uniform(0.35, 0.6) * np.sin(q * t)], axis=-1)
    width = rng.uniform(0.09, 0.16) if p + q > 5 else rng.uniform(0.13, 0.3)
    width = width * (1 + rng.uniform(0, 0.3) * np.sin(int(rng.integers(1, 13)) * t))
    return finished(tube(path, width, 18, closed=True, flatten=rng.uniform(0.5, 1.0)), crease_angle_degrees=60)


def spring(rng: np.random.Generator) -> Shape:
    """A coil: straight, conical, hour-glass or flat like a snail."""
    turns = rng.uniform(2.5, 6.5)
    t = np.linspace(0, 1, 260)
    kind = rng.integers(4)
    radius = [0 * t + 0.5, 0.15 + 0.5 * t, 0.3 + 0.8 * (t - 0.5) ** 2, 0.1 + 0.7 * t][kind]
    height = (0.15 if kind == 3 else rng.uniform(0.7, 1.8)) * t
    angle = 2 * np.pi * turns * t
    path = np.stack([radius * np.cos(angle), radius * np.sin(angle), height], axis=-1)
    gap = 0.5 * (0.7 if kind == 3 else height[-1]) / turns
    width = np.clip(gap * rng.uniform(0.35, 0.8), 0.03, 0.12)
    return finished(tube(path, width * (1 + rng.uniform(0, 0.6) * t), 14), crease_angle_degrees=60)


def _branches(rng, start, heading, length, radius, depth, spread, split, parts, tips) -> None:
    """Adds one bent branch to `parts`, its end to `tips`, and then its children."""
    bend = rng.normal(0, 0.25, 3)
    steps = np.linspace(0, 1, 6)[:, None]
    path = start + length * (steps * heading + steps**2 * bend)
    sides = 12 if depth > 2 else 8
    parts.append(tube(path, np.linspace(radius, radius * 0.7, 6), sides))
    if depth == 0:
        tips.append((path[-1], radius))
        return
    onward = unit(path[-1] - path[-2])
    first = rng.uniform(0, 2 * np.pi)
    side = unit(np.cross(onward, np.eye(3)[np.argmin(np.abs(onward))]))
    for child in range(split):
        around = rotation(onward, first + 2 * np.pi * child / split + rng.normal(0, 0.3))
        tilt = spread * rng.uniform(0.6, 1.3)
        direction = unit(np.cos(tilt) * onward + np.sin(tilt) * (around @ side))
        _branches(
            rng,
            path[-1],
            direction,
            length * rng.uniform(0.65, 0.9),
            radius * rng.uniform(0.62, 0.75),
            depth - 1,
            spread,
            split,
            parts,
            tips,
        )


def _ball(rng: np.random.Generator, radius: float, lumps: float, segments: int = 16) -> Mesh:
    """A lumpy ball."""
    turn = np.linspace(-np.pi / 2, np.pi / 2, segments // 2 + 1)
    ball = lathe(np.stack([np.cos(turn), np.sin(turn)], axis=-1), segments)
    wave = rng.normal(0, 2.5, (5, 3))
    swell = 1 + lumps * np.sin(ball.vertices @ wave.T + rng.uniform(0, 6, 5)).mean(-1)
    return Mesh(ball.vertices * swell[:, None] * radius, ball.faces)


def coral(rng: np.random.Generator) -> Shape:
    """A branching coral or antler with knobs at its tips."""
    parts: list[Mesh] = []
    tips: list[tuple[np.ndarray, float]] = []
    split = int(rng.integers(2, 4))
    depth = 4 if split == 2 else 3
    spread, radius = rng.uniform(0.35, 0.8), rng.uniform(0.07, 0.12)
    for stem in range(rng.integers(1, 4)):
        lean = rotation("z", 2.1 * stem) @ unit((0.45, 0, 1.0))
        _branches(rng, np.zeros(3), lean, 0.45, radius, depth, spread, split, parts, tips)
    knob = rng.uniform(1.0, 1.9)
    parts += [_ball(rng, r * knob, 0.2, 10).transformed(offset=tip) for tip, r in tips]
    return finished(merge(parts), crease_angle_degrees=80)


def tree(rng: np.random.Generator) -> Shape:
    """A broadleaf with lumpy foliage, a layered conifer or a palm."""
    kind = rng.integers(3)
    parts: list[Mesh] = []
    tips: list[tuple[np.ndarray, float]] = []
    if kind == 0:
        _branches(rng, np.zeros(3), np.array([0, 0, 1.0]), 0.5, 0.09, 2, rng.uniform(0.5, 0.8), 3, parts, tips)
        parts += [_ball(rng, rng.uniform(0.16, 0.32), 0.5, 20).transformed(offset=tip) for tip, _ in tips]
    elif kind == 1:
        layers, height, width = int(rng.integers(3, 7)), rng.uniform(1.2, 1.9), rng.uniform(0.4, 0.6)
        parts.append(tube(np.array([(0, 0, -0.3), (0, 0, 0.2)]), 0.08, 14))
        jags = int(rng.integers(7, 13))
        for layer in range(layers):
            low, size = height * layer / layers, width * (1 - 0.8 * layer / layers)
            profile = np.array(
                [(0, low + 0.05), (size, low), (size * 0.5, low + height / layers), (0, low + 1.7 * height / layers)]
            )
            phase = rng.uniform(0, 6)
            cone = lathe(profile, jags * 4, lambda a, h, phase=phase: 1 + 0.14 * np.cos(jags * a + phase))
            parts.append(cone)
    else:
        lean = rng.uniform(-0.5, 0.5)
        t = np.linspace(0, 1, 16)
        trunk = np.stack([lean * t**2, 0 * t, 1.3 * t], axis=-1)
        parts.append(tube(trunk, 0.09 - 0.03 * t + 0.008 * (np.arange(16) % 2), 14))
        count = int(rng.integers(7, 13))
        for frond in range(count):
            out = np.linspace(0, 1, 12)
            droop = rng.uniform(0.3, 0.9)
            path = np.stack([0.75 * out, 0 * out, 0.35 * out - droop * out**2], axis=-1)
            width = 0.02 + 0.11 * np.sin(np.pi * out**0.8)
            blade = tube(path, width, 8, flatten=1.0).warped(lambda v: v)
            blade = Mesh(np.concatenate([_flat(blade.vertices.reshape(12, 8, 3), path)]), blade.faces).outward()
            turn = rotation("z", 2 * np.pi * frond / count + rng.uniform(-0.2, 0.2))
            parts.append(blade.transformed(turn, trunk[-1]))
    return finished(merge(parts), crease_angle_degrees=60)


def _flat(sections: np.ndarray, path: np.ndarray) -> np.ndarray:
    """The sections of a tube in the x-z plane (N, C, 3) pressed thin along their plane: a frond's blade."""
    pressed = path[:, None] + (sections - path[:, None]) * (0.12, 1.0, 0.12)
    return pressed.reshape(-1, 3)


def _sheet(points: np.ndarray) -> Mesh:
    """An open grid of quads through points (R, C, 3)."""
    rows, columns = points.shape[:2]
    index = np.arange(rows * columns).reshape(rows, columns)
    quads = np.stack([index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]], axis=-1).reshape(-1, 4)
    return Mesh(points.reshape(-1, 3), [tuple(q) for q in quads.tolist()])


def _solid(rng: np.random.Generator) -> Modifier:
    return Modifier(type="SOLIDIFY", settings={"thickness": float(rng.uniform(0.012, 0.03)), "offset": 0.0})


def leaf(rng: np.random.Generator) -> Shape:
    """One curled leaf or petal rosette: thin sheets with a folded mid-rib and wavy rim."""
    length = np.linspace(0, 1, 32)[:, None]
    across = np.linspace(-1, 1, 15)[None]
    pointed, lobes, wave = rng.uniform(0.6, 1.3), int(rng.integers(0, 7)), rng.uniform(0.0, 0.2)
    width = rng.uniform(0.2, 0.45) * np.sin(np.pi * np.clip(length, 0.015, 0.985) ** pointed) ** 0.8
    width = width * (1 + (0.18 if lobes > 1 else 0) * np.sin(2 * np.pi * lobes * length))
    curl, fold, twist = rng.uniform(-1.4, 1.4), rng.uniform(0.1, 0.6), rng.uniform(-0.5, 0.5)
    y = width * across
    lift = fold * np.abs(y) + wave * width * np.sin(2 * np.pi * 3 * length + 1) * across**2
    y, lift = (
        y * np.cos(twist * length) - lift * np.sin(twist * length),
        y * np.sin(twist * length) + lift * np.cos(twist * length),
    )
    bend = curl * length if abs(curl) > 0.1 else 0.1 * length
    total = bend[-1, 0]
    x, z = np.sin(bend) / total - lift * np.sin(bend), (1 - np.cos(bend)) / total + lift * np.cos(bend)
    blade = _sheet(np.stack([np.broadcast_to(x, y.shape), y, np.broadcast_to(z, y.shape)], axis=-1))
    count = int(rng.choice([1, 1, 3, 5, 7, 9]))
    lean = rng.uniform(0.1, 0.9)
    petals = (
        [
            blade.transformed(
                rotation("z", 2 * np.pi * i / count + rng.uniform(-0.1, 0.1))
                @ rotation("y", -lean)
                * rng.uniform(0.8, 1.0)
            )
            for i in range(count)
        ]
        if count > 1
        else [blade]
    )
    return finished(merge(petals), _solid(rng), crease_angle_degrees=60)


def ribbon(rng: np.random.Generator) -> Shape:
    """A wide band: waving, curling up, spiralling or closed into a Moebius-like loop."""
    t = np.linspace(0, 1, 140)[:, None]
    across = np.linspace(-1, 1, 11)[None] * rng.uniform(0.12, 0.3)
    kind = rng.integers(3)
    if kind == 0:  # flag: waves that grow along the band
        x = 1.6 * t + 0 * across
        y = (0.06 + 0.2 * t) * np.sin(2 * np.pi * (rng.uniform(1, 2.5) * t + rng.uniform(0, 1)) + 2.0 * across)
        z = across * 2.2 + 0.15 * np.sin(3 * t)
    elif kind == 1:  # band with whole half-turns
        half_turns, angle = int(rng.integers(1, 4)), 2 * np.pi * t * rng.uniform(0.8, 0.97)
        tilt = half_turns * angle / 2
        reach = 0.6 + across * np.cos(tilt)
        x, y, z = reach * np.cos(angle), reach * np.sin(angle), across * np.sin(tilt)
    else:  # helix of ribbon
        angle, shrink = 2 * np.pi * rng.uniform(1.2, 2.8) * t, 1 - rng.uniform(0.0, 0.7) * t
        x, y = 0.45 * shrink * np.cos(angle) + 0 * across, 0.45 * shrink * np.sin(angle) + 0 * across
        z = across + rng.uniform(0.9, 1.7) * t
    return finished(_sheet(np.stack([x, y, z], axis=-1)), _solid(rng), crease_angle_degrees=60)
