"""Families put together from boxes, rods and turned parts: chairs, tables, lamps, vehicles, aeroplanes, houses."""

from __future__ import annotations

import numpy as np

from .shape_mesh import Mesh, Shape, bevel, box, extrude, finished, lathe, merge, rod, rotation, tube


def _disc(centre: tuple[float, float, float], radius: float, thickness: float, sides: int = 32) -> Mesh:
    """A wheel-like disc whose axle points along y, with a rounded tread and a dished face."""
    half = thickness / 2
    profile = [
        (0, -half * 0.5),
        (radius * 0.5, -half * 0.5),
        (radius * 0.6, -half),
        (radius * 0.88, -half),
        (radius, -half * 0.6),
        (radius, half * 0.6),
        (radius * 0.88, half),
        (radius * 0.6, half),
        (radius * 0.5, half * 0.5),
        (0, half * 0.5),
    ]
    return lathe(np.array(profile), sides).transformed(rotation("x", np.pi / 2), centre)


def _legs(rng: np.random.Generator, width: float, depth: float, height: float) -> list[Mesh]:
    """Four square or round legs, splayed or straight, from the floor to `height`."""
    thick, splay, round_leg = rng.uniform(0.025, 0.05), rng.uniform(0, 0.1), rng.random() < 0.5
    legs = []
    for x in (-1, 1):
        for y in (-1, 1):
            top = np.array([x * (width / 2 - thick), y * (depth / 2 - thick), height])
            foot = top * (1, 1, 0) + (x * splay, y * splay, 0)
            legs.append(rod(foot, top, thick * 0.8, thick, sides=14 if round_leg else 4))
    return legs


def chair(rng: np.random.Generator) -> Shape:
    """A chair, stool, armchair or bench with slatted, solid or no back."""
    width, depth, seat, thick = rng.uniform(0.45, 1.1), rng.uniform(0.42, 0.55), rng.uniform(0.35, 0.6), 0.06
    parts = [*_legs(rng, width, depth, seat), box((width, depth, thick), (0, 0, seat + thick / 2))]
    back, lean = rng.uniform(0.35, 0.7), rng.uniform(0, 0.12)
    kind = rng.integers(4)
    base = seat + thick
    if kind == 0:
        panel = box((width, 0.05, back)).transformed(rotation("x", -lean))
        parts.append(panel.transformed(offset=(0, depth / 2 - 0.03, base + back / 2)))
    elif kind in (1, 2):
        for x in np.linspace(-width / 2 + 0.03, width / 2 - 0.03, int(rng.integers(3, 8)) if kind == 1 else 2):
            parts.append(rod((x, depth / 2 - 0.04, base - 0.03), (x, depth / 2 - 0.04 + lean, base + back), 0.024))
        rails = [1.0] if kind == 1 else np.linspace(0.35, 1.0, int(rng.integers(2, 5)))
        for rail in rails:
            parts.append(box((width, 0.035, 0.08), (0, depth / 2 - 0.04 + lean * rail, base + back * rail - 0.04)))
    if rng.random() < 0.4:
        for x in (-1, 1):
            side = x * (width / 2 - 0.03)
            parts += [
                box((0.06, depth * 0.95, 0.04), (side, 0, base + 0.22)),
                rod((side, -depth * 0.4, base - 0.02), (side, -depth * 0.4, base + 0.21), 0.022),
            ]
    return finished(merge(parts), bevel(0.006, 2), crease_angle_degrees=35)


def table(rng: np.random.Generator) -> Shape:
    """A table, desk or shelf; round or square top, four legs or a pedestal, sometimes laid with things."""
    width, depth, height = rng.uniform(0.7, 1.4), rng.uniform(0.5, 0.9), rng.uniform(0.35, 0.8)
    kind = rng.integers(4)
    if kind == 0:
        top = _disc((0, 0, height), width / 2, 0.06).transformed(rotation("x", np.pi / 2), (0, height, height))
        parts = [
            top,
            rod((0, 0, 0.03), (0, 0, height), 0.06, 0.04),
            rod((0, 0, 0), (0, 0, 0.05), width * 0.3, width * 0.22, 32),
        ]
    elif kind == 1:
        parts = [box((width, depth, 0.05), (0, 0, height)), *_legs(rng, width, depth, height)]
    elif kind == 2:
        drawers = int(rng.integers(2, 5))
        parts = [box((width, depth, 0.05), (0, 0, height)), *_legs(rng, width, depth, height)]
        block, unit_height = width * 0.35, height * 0.7 / drawers
        for i in range(drawers):
            z = height - 0.03 - unit_height * (i + 0.5)
            parts += [
                box((block, depth * 0.85, unit_height * 0.92), (width / 2 - block / 2 - 0.04, 0, z)),
                rod(
                    (width / 2 - block / 2 - 0.1, -depth * 0.46, z),
                    (width / 2 - block / 2 + 0.02, -depth * 0.46, z),
                    0.015,
                ),
            ]
    else:
        shelves, height = int(rng.integers(3, 6)), rng.uniform(0.9, 1.6)
        depth = 0.35
        parts = [box((0.05, depth, height), (x * width / 2, 0, height / 2)) for x in (-1, 1)]
        levels = np.linspace(0.03, height - 0.03, shelves)
        parts += [box((width, depth * 0.98, 0.04), (0, 0, z)) for z in levels]
        for z in levels[:-1]:
            x = -width / 2 + 0.06
            while x < width / 2 - 0.12:
                thick = rng.uniform(0.03, 0.08)
                tall = rng.uniform(0.4, 0.85) * (height / (shelves - 1)) - 0.05
                if rng.random() < 0.75:
                    parts.append(box((thick * 0.92, depth * 0.7, tall), (x + thick / 2, -0.02, z + 0.02 + tall / 2)))
                x += thick
    if kind < 3 and rng.random() < 0.5:
        for _ in range(rng.integers(1, 4)):
            size = rng.uniform(0.08, 0.18)
            spot = (rng.uniform(-0.3, 0.3) * width, rng.uniform(-0.3, 0.3) * depth, height + 0.03)
            parts.append(rod(spot, (*spot[:2], height + 0.03 + size * 1.5), size * 0.5, size * rng.uniform(0.2, 0.7)))
    return finished(merge(parts), bevel(0.005, 2), crease_angle_degrees=35)


def lamp(rng: np.random.Generator) -> Shape:
    """A desk, floor or hanging lamp: foot, jointed or straight stand, shade."""
    low, high, deep = rng.uniform(0.18, 0.4), rng.uniform(0.08, 0.25), rng.uniform(0.2, 0.4)
    shade = [
        (0, deep - 0.02),
        (high, deep),
        (high + 0.015, deep),
        (low + 0.015, 0),
        (low, 0),
        (high - 0.015, deep - 0.03),
        (0, deep - 0.05),
    ]
    parts = [rod((0, 0, 0), (0, 0, 0.05), rng.uniform(0.15, 0.3), rng.uniform(0.1, 0.2), 28)]
    lampshade = lathe(np.array(shade), 40)
    if rng.random() < 0.5:
        joint = np.array([-rng.uniform(0.1, 0.4), 0, rng.uniform(0.4, 0.6)])
        head = joint + (rng.uniform(0.3, 0.6), 0, rng.uniform(0.1, 0.4))
        parts += [rod((0, 0, 0.04), joint, 0.03), rod(joint, head, 0.03), _disc(tuple(joint), 0.06, 0.1)]
        parts.append(lampshade.transformed(rotation("y", -rng.uniform(0.2, 0.9)), head + (0.05, 0, -deep)))
    else:
        tall = rng.uniform(0.5, 1.5)
        parts += [rod((0, 0, 0.04), (0, 0, tall + deep * 0.9), 0.03), lampshade.transformed(offset=(0, 0, tall))]
        for z in np.linspace(0.2, tall, int(rng.integers(1, 5))):
            parts.append(
                lathe(np.array([(0, z - 0.07), (0.07, z - 0.03), (0.08, z), (0.07, z + 0.03), (0, z + 0.07)]), 20)
            )
    return finished(merge(parts), bevel(0.004, 1), crease_angle_degrees=40)


def vehicle(rng: np.random.Generator) -> Shape:
    """A car, van, lorry or tractor: an extruded side view on four to six wheels."""
    wheel, length, width = rng.uniform(0.15, 0.26), rng.uniform(1.2, 2.0), rng.uniform(0.55, 0.75)
    floor, hood = wheel * 0.8, wheel * 0.8 + rng.uniform(0.22, 0.36)
    roof = hood + rng.uniform(0.2, 0.42)
    kind = rng.choice(4, p=[0.4, 0.2, 0.2, 0.2])
    half = length / 2
    if kind == 0:  # saloon, hatch or coupe
        front, back = rng.uniform(0.15, 0.5) * half, -rng.uniform(0.3, 0.95) * half
        side = [
            (-half, floor),
            (half, floor),
            (half, hood * 0.85),
            (front + 0.3, hood),
            (front, roof),
            (back, roof),
            (max(back - 0.3, -half), hood),
            (-half, hood * 0.95),
        ]
        body = [extrude(np.array(side), width)]
        glass = [
            (front + 0.2, hood + 0.02),
            (front, roof - 0.05),
            (back + 0.05, roof - 0.05),
            (back - 0.05, hood + 0.02),
        ]
        body.append(extrude(np.array(glass), width * 1.03))
    elif kind == 1:  # van or bus with windows
        body = [box((length, width, roof + 0.2 - floor), (0, 0, (roof + 0.2 + floor) / 2))]
        for x in np.linspace(-half * 0.8, half * 0.8, int(rng.integers(3, 7))):
            body.append(box((length * 0.1, width * 1.04, 0.22), (x, 0, roof)))
    elif kind == 2:  # lorry: cab and load
        load = rng.uniform(0.5, 0.9)
        body = [
            box((length * 0.97, width * 0.8, 0.1), (0, 0, floor + 0.02)),
            box((length * 0.26, width, roof - floor), (half - length * 0.13, 0, (roof + floor) / 2)),
            box((length * 0.08, width * 1.03, 0.18), (half - length * 0.1, 0, roof - 0.16)),
        ]
        start, end = (-half, 0, floor + 0.1 + load * 0.4), (half - length * 0.3, 0, floor + 0.1 + load * 0.4)
        if rng.random() < 0.5:
            body.append(box((length * 0.68, width, load), (-half + length * 0.34, 0, floor + 0.1 + load / 2)))
        else:
            body.append(rod(start, end, load * 0.4, sides=32))
    else:  # tractor or train engine: boiler, cab, funnel
        body = [
            box((length, width * 0.7, 0.15), (0, 0, floor + 0.08)),
            rod((0, 0, floor + 0.4), (half, 0, floor + 0.4), 0.26, sides=32),
            box((length * 0.4, width, 0.75), (-half * 0.6, 0, floor + 0.5)),
            box((length * 0.46, width * 1.15, 0.06), (-half * 0.6, 0, floor + 0.9)),
            rod((half * 0.7, 0, floor + 0.5), (half * 0.7, 0, floor + 0.95), 0.06, 0.1),
        ]
    axles = np.linspace(-half * 0.65, half * 0.65, int(rng.integers(2, 4)) if kind else 2)
    for i, x in enumerate(axles):
        radius = wheel * (1.5 if kind == 3 and i == 0 else 1.0)
        body += [_disc((x, side * width / 2, radius), radius, width * 0.24) for side in (-1, 1)]
    lights = [(half, side * width * 0.35, hood * 0.75) for side in (-1, 1)]
    body += [rod(np.subtract(spot, (0.05, 0, 0)), np.add(spot, (0.03, 0, 0)), 0.055) for spot in lights]
    return finished(merge(body), bevel(rng.uniform(0.006, 0.016), 2), crease_angle_degrees=35)


def aeroplane(rng: np.random.Generator) -> Shape:
    """An aircraft or rocket: turned fuselage, plate wings and tail, engines."""
    rocket = rng.random() < 0.3
    width, length = rng.uniform(0.1, 0.2), rng.uniform(1.3, 2.0)
    t = np.linspace(0, 1, 30)
    swell = np.clip(np.sin(np.pi * np.clip(t, 0.0, 1) ** rng.uniform(0.6, 0.9)), 0, None) ** rng.uniform(0.35, 0.6)
    profile = np.stack([np.maximum(width * swell, 0.004), length * (0.5 - t)], axis=-1)
    hull = lathe(profile, 40).transformed(rotation("y", np.pi / 2))
    parts = [hull]

    def wing(root: float, span: float, chord: float, sweep: float, tip: float, lift: float) -> Mesh:
        plan = np.array(
            [
                (root + chord / 2, 0),
                (root - sweep + chord * tip / 2, span),
                (root - sweep - chord * tip / 2, span),
                (root - chord / 2, 0),
            ]
        )
        plate = extrude(plan, 0.03)  # lies in x-z; turned flat, then raised at its tip
        return plate.transformed(rotation("x", -np.pi / 2 + lift))

    if rocket:
        count = int(rng.integers(3, 6))
        fin = wing(-length * 0.38, width * rng.uniform(2, 3.2), rng.uniform(0.3, 0.6), rng.uniform(0.1, 0.3), 0.5, 0)
        parts += [fin.transformed(rotation("x", 2 * np.pi * i / count)) for i in range(count)]
        parts.append(rod((-length * 0.42, 0, 0), (-length * 0.56, 0, 0), width * 0.5, width * 0.8, 24))
    else:
        span, sweep = rng.uniform(0.6, 1.1), rng.uniform(-0.05, 0.5)
        level = rng.uniform(-0.6, 0.8) * width
        main = wing(0.05, span, rng.uniform(0.25, 0.5), sweep, rng.uniform(0.3, 0.9), rng.uniform(0, 0.15))
        tail = wing(-length * 0.42, span * 0.38, 0.2, 0.1, 0.6, 0.05)
        planes = [main.transformed(offset=(0, 0, level)), tail.transformed(offset=(0, 0, 0.05))]
        if rng.random() < 0.3:
            planes.append(main.transformed(offset=(0, 0, level + 0.35)))
            planes += [rod((0, span * f, level + 0.02), (0, span * f, level + 0.36), 0.015) for f in (0.45, 0.75)]
        parts += planes + [p.transformed(np.diag([1.0, -1, 1])) for p in planes]
        parts.append(
            wing(-length * 0.42, rng.uniform(0.28, 0.45), 0.25, 0.15, 0.6, 0).transformed(rotation("x", np.pi / 2))
        )
        for side in (-1, 1):
            spot = np.array([0.12 - sweep * 0.4, side * span * 0.42, level - 0.07])
            parts.append(rod(spot - (0.14, 0, 0), spot + (0.14, 0, 0), 0.045, 0.06, 20))
    return finished(merge(parts), bevel(0.004, 1), crease_angle_degrees=40)


def house(rng: np.random.Generator) -> Shape:
    """A house, church or castle tower: walls, roof, chimney, framed windows and doors."""
    width, depth, wall = rng.uniform(0.6, 1.2), rng.uniform(0.6, 1.0), rng.uniform(0.4, 1.0)
    roof, eave = rng.uniform(0.25, 0.7), rng.uniform(0.03, 0.1)
    parts = [box((width, depth, wall), (0, 0, wall / 2))]
    gable = np.array([(-width / 2 - eave, wall), (width / 2 + eave, wall), (0, wall + roof)])
    parts.append(extrude(gable, depth + 2 * eave))
    parts.append(box((0.1, 0.1, 0.35), (width * rng.uniform(-0.3, 0.3), depth * 0.2, wall + roof * 0.85)))
    columns, rows = int(rng.integers(2, 5)), max(1, int(wall / 0.3))
    for row in range(rows):
        for column in range(columns):
            x, z = width * ((column + 0.5) / columns - 0.5), wall * (row + 0.55) / rows
            size = (width / columns * 0.5, 0.04, wall / rows * 0.5)
            for side in (-1, 1):
                parts.append(box(size, (x, side * depth / 2, z)))
                parts.append(box((size[0] * 1.3, 0.1, 0.025), (x, side * depth / 2, z - size[2] / 2)))
    parts.append(box((0.16, 0.08, 0.26), (rng.uniform(-0.25, 0.25) * width, -depth / 2, 0.13)))
    if rng.random() < 0.45:
        radius, tall = rng.uniform(0.14, 0.24), wall + roof * rng.uniform(0.8, 1.6)
        spot = (width / 2 * rng.choice([-1, 1]), -depth * 0.3)
        parts += [
            rod((*spot, 0), (*spot, tall), radius, sides=24),
            rod((*spot, tall), (*spot, tall + 0.4), radius * 1.25, 0.01, 24),
        ]
        ring = np.linspace(0, 2 * np.pi, 33)[:-1]
        loop = np.stack(
            [spot[0] + radius * np.cos(ring), spot[1] + radius * np.sin(ring), 0 * ring + tall * 0.7], axis=-1
        )
        parts.append(tube(loop, 0.025, 8, closed=True))
    return finished(merge(parts), bevel(0.004, 1), crease_angle_degrees=35)
