"""Families made from signed distance fields: metaballs, booleans, animals, figures, fish, cacti.

A field maps points (..., 3) to float64 (...): negative inside. Units are the family's own, `finished` rescales.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from .shape_mesh import Mesh, Shape, finished, rotation

Field = Callable[[np.ndarray], np.ndarray]
MAX_FACES = 14_000


def surface(field: Field, low: Sequence[float], high: Sequence[float], cells: int = 48) -> Mesh:
    """The zero surface of a field inside a box, by marching cubes with `cells` along the longest side.

    Triangles are closed at the box; a surface of more than MAX_FACES faces is drawn again on a coarser grid.
    """
    from skimage.measure import marching_cubes

    low, high = np.asarray(low, float), np.asarray(high, float)
    while True:
        step = float((high - low).max()) / cells
        counts = np.ceil((high - low) / step).astype(int) + 3
        axes = [low[i] - step + step * np.arange(counts[i]) for i in range(3)]
        values = field(np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1))
        # Crossings too close to a grid corner give slivers; a corner is kept at least 6 % of a cell from the surface.
        values = np.where(np.abs(values) < 0.06 * step, np.where(values < 0, -0.06, 0.06) * step, values)
        for axis in range(3):
            np.moveaxis(values, axis, 0)[[0, -1]] = np.maximum(np.moveaxis(values, axis, 0)[[0, -1]], step)
        vertices, faces, _, _ = marching_cubes(values, 0.0, gradient_direction="ascent", allow_degenerate=False)
        if len(faces) <= MAX_FACES:
            return Mesh(vertices.astype(float) * step + low - step, [tuple(f) for f in faces.tolist()]).outward()
        cells = int(cells * min(0.9, 0.97 * (MAX_FACES / len(faces)) ** 0.5))


def smooth_union(a: np.ndarray, b: np.ndarray, radius: float) -> np.ndarray:
    """The polynomial smooth minimum: fields join with a fillet of about `radius`."""
    blend = np.clip(radius - np.abs(a - b), 0, None)
    return np.minimum(a, b) - blend * blend / (4 * radius)


def capsule(
    p: np.ndarray, start: Sequence[float], end: Sequence[float], radius: float, end_radius: float
) -> np.ndarray:
    """Distance to a segment less a radius that changes along it."""
    start, axis = np.asarray(start, float), np.asarray(end, float) - np.asarray(start, float)
    along = np.clip((p - start) @ axis / max(float(axis @ axis), 1e-12), 0, 1)
    # squared lengths by einsum: np.linalg.norm makes two more copies of the grid
    gap = p - start - along[..., None] * axis
    return np.sqrt(np.einsum("...i,...i->...", gap, gap)) - (radius + (end_radius - radius) * along)


def ellipsoid(p: np.ndarray, centre: Sequence[float], radii: Sequence[float]) -> np.ndarray:
    """About the distance to an ellipsoid (exact on its surface)."""
    radii = np.asarray(radii, float)
    q = (p - np.asarray(centre, float)) / radii
    k0 = np.sqrt(np.einsum("...i,...i->...", q, q))
    k1 = np.sqrt(np.einsum("...i,...i->...", q / radii, q / radii))
    return k0 * (k0 - 1) / np.maximum(k1, 1e-9)


def _skin(capsules: list[tuple], blend: float, cells: int, ellipsoids: list[tuple] | None = None) -> Mesh:
    """The smooth union of capsules (start, end, radius, end radius) and ellipsoids (centre, radii)."""
    ellipsoids = ellipsoids or []
    low, high = np.full(3, np.inf), np.full(3, -np.inf)
    for start, end, radius, end_radius in capsules:
        for point, r in ((start, radius), (end, end_radius)):
            low, high = np.minimum(low, np.asarray(point) - r), np.maximum(high, np.asarray(point) + r)
    for centre, radii in ellipsoids:
        low, high = np.minimum(low, np.subtract(centre, radii)), np.maximum(high, np.add(centre, radii))

    def field(p: np.ndarray) -> np.ndarray:
        values = np.full(p.shape[:-1], 10.0)
        for part in capsules:
            values = smooth_union(values, capsule(p, *part), blend)
        for part in ellipsoids:
            values = smooth_union(values, ellipsoid(p, *part), blend)
        return values

    return surface(field, low - blend / 2, high + blend / 2, cells)


def metaballs(rng: np.random.Generator) -> Shape:
    """Blobs that flow into one another; in rows, in rings or at random."""
    count = int(rng.integers(4, 11))
    layout = rng.integers(3)
    if layout == 0:
        centres = np.cumsum(rng.normal(0, 0.3, (count, 3)), axis=0)
    elif layout == 1:
        angle = np.arange(count) * 2 * np.pi / count
        centres = np.stack([0.7 * np.cos(angle), 0.7 * np.sin(angle), rng.normal(0, 0.15, count)], axis=-1)
    else:
        centres = rng.uniform(-0.6, 0.6, (count, 3))
        centres[1:] = centres[1:] * 0.8 + 0.2 * centres[0]
    radii = rng.uniform(0.16, 0.4, count)
    balls = [(centres[i], centres[i], float(radii[i]), float(radii[i])) for i in range(count)]
    links = [(centres[i], centres[i + 1], 0.09, 0.09) for i in range(count - 1)]
    return finished(_skin(balls + links, float(rng.uniform(0.15, 0.4)), 40), crease_angle_degrees=180)


def _primitive(rng: np.random.Generator, kind: int, size: float) -> Field:
    """A turned box, ball, cylinder, torus or cone at the origin."""
    turn = rotation(rng.normal(size=3), rng.uniform(0, np.pi))
    a, b = size * rng.uniform(0.7, 1.0), size * rng.uniform(0.45, 0.8)
    round_edge = 0.07  # about 1.5 cells: sharper edges would come out jagged from marching cubes

    def field(p: np.ndarray) -> np.ndarray:
        q = p @ turn
        flat = np.hypot(q[..., 0], q[..., 1])
        if kind == 0:
            edge = np.abs(q) - np.array((a, b, (a + b) / 2)) + round_edge
            return np.linalg.norm(np.maximum(edge, 0), axis=-1) + np.minimum(edge.max(-1), 0) - round_edge
        if kind == 1:
            return np.linalg.norm(q, axis=-1) - a
        if kind == 2:
            side, end = flat - b + round_edge, np.abs(q[..., 2]) - 1.3 * a + round_edge
            return np.hypot(np.maximum(side, 0), np.maximum(end, 0)) + np.minimum(np.maximum(side, end), 0) - round_edge
        if kind == 3:
            return np.hypot(flat - a, q[..., 2]) - 0.45 * b
        return -smooth_union(-(0.87 * flat + 0.5 * (q[..., 2] - a)), q[..., 2] + 0.7 * a, 2 * round_edge)

    return field


def boolean_solid(rng: np.random.Generator) -> Shape:
    """Union, difference or intersection of two to four turned solids."""
    whole = _primitive(rng, int(rng.integers(3)), 0.8)
    operations = [
        (int(rng.integers(3)), _primitive(rng, int(rng.integers(5)), rng.uniform(0.4, 0.7)), rng.uniform(-0.6, 0.6, 3))
        for _ in range(rng.integers(2, 5))
    ]
    fillet = 0.09

    def field(p: np.ndarray) -> np.ndarray:
        values = whole(p)
        for operation, other, offset in operations:
            if operation == 0:
                values = smooth_union(values, other(p - offset), fillet)
            elif operation == 1:
                values = -smooth_union(-values, other(p - offset), fillet)
            else:
                values = -smooth_union(-values, -(other(p - offset * 0.5) - 0.25), fillet)
        return values

    return finished(_largest_piece(surface(field, [-1.7] * 3, [1.7] * 3, 72)), crease_angle_degrees=45)


def _largest_piece(mesh: Mesh) -> Mesh:
    """The connected piece with most vertices: a cut may have split the solid."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    faces = np.array(mesh.faces)
    count = len(mesh.vertices)
    edges = coo_matrix((np.ones(len(faces) * 2), (faces[:, [0, 1]].ravel(), faces[:, [1, 2]].ravel())), (count, count))
    _, label = connected_components(edges, directed=False)
    keep = label == np.bincount(label).argmax()
    number = np.cumsum(keep) - 1
    return Mesh(mesh.vertices[keep], [tuple(f) for f in number[faces[keep[faces[:, 0]]]].tolist()])


def animal(rng: np.random.Generator) -> Shape:
    """A four-legged animal: from dachshund and pig to horse and giraffe, walking or standing."""
    length, girth = rng.uniform(0.7, 1.1), rng.uniform(0.15, 0.28)
    leg, leg_width = rng.uniform(0.25, 0.75), rng.uniform(0.045, 0.08)
    hip, chest = np.array([-length / 2, 0, leg + girth]), np.array([length / 2, 0, leg + girth * rng.uniform(0.9, 1.3)])
    neck_length, neck_tilt = rng.uniform(0.12, 0.7), rng.uniform(0.5, 1.35)
    head = chest + neck_length * np.array([np.cos(neck_tilt), 0, np.sin(neck_tilt)]) + (0.08, 0, 0.06)
    skull, snout = rng.uniform(0.11, 0.17), rng.uniform(0.1, 0.3)
    nose = head + snout * np.array([1, 0, -rng.uniform(0.1, 0.7)])
    tail = hip + rng.uniform(0.15, 0.5) * np.array([-1, rng.uniform(-0.4, 0.4), rng.uniform(-0.8, 0.9)])
    parts = [
        (hip, chest, girth, girth * rng.uniform(0.85, 1.25)),
        (chest, head, girth * 0.65, skull * 0.75),
        (head, head, skull, skull),
        (head, nose, skull * 0.8, skull * rng.uniform(0.35, 0.7)),
        (hip, tail, leg_width, leg_width * rng.uniform(0.5, 1.3)),
    ]
    ear = rng.uniform(0.08, 0.28)
    for side in (-1, 1):
        root = head + (-0.02, side * skull * 0.6, skull * 0.6)
        parts.append((root, root + ear * np.array([rng.uniform(-0.4, 0.1), side * 0.45, 0.9]), 0.05, 0.025))
        for end in (hip, chest):
            swing = rng.uniform(-0.25, 0.25)
            top = end + (0, side * girth * 0.6, -girth * 0.3)
            knee = top + (swing * 0.3, side * 0.02, -(leg + girth * 0.7) * 0.5)
            foot = np.array([top[0] + swing, top[1] + side * 0.03, leg_width])
            parts += [
                (top, knee, leg_width * 1.7, leg_width),
                (knee, foot, leg_width, leg_width * 0.9),
                (foot, foot + (0.06, 0, 0), leg_width, leg_width * 0.8),
            ]
    if rng.random() < 0.3:
        parts.append(
            (hip * 0.4 + chest * 0.6 + (0, 0, girth), hip * 0.6 + chest * 0.4 + (0, 0, girth * 1.1), 0.12, 0.12)
        )
    return finished(_skin(parts, float(rng.uniform(0.05, 0.1)), 66), crease_angle_degrees=180)


def figure(rng: np.random.Generator) -> Shape:
    """A doll or robot-like person in a random pose."""
    build = rng.uniform(0.8, 1.3)
    hip, neck = np.array([0, 0, 0.9]), np.array([rng.uniform(-0.1, 0.1), rng.uniform(-0.1, 0.1), 1.45])
    head = neck + (0, rng.uniform(-0.05, 0.05), rng.uniform(0.2, 0.28))
    skull = rng.uniform(0.14, 0.24)
    parts = [
        (hip, neck - (0, 0, 0.12), 0.15 * build, 0.18 * build),
        (neck, head, 0.07, 0.07),
        (head, head, skull, skull),
    ]

    def direction(tilt: float, forward: float, side: int) -> np.ndarray:
        return np.array([side * np.sin(tilt), np.sin(forward), -np.cos(tilt) * np.cos(forward)])

    for side in (-1, 1):
        shoulder = neck + (side * 0.2 * build, 0, -0.1)
        elbow = shoulder + 0.3 * direction(rng.uniform(0.2, 2.4), rng.uniform(-0.9, 0.9), side)
        hand = elbow + 0.28 * direction(rng.uniform(-0.3, 2.6), rng.uniform(-0.9, 1.2), side)
        thigh = hip + (side * 0.1 * build, 0, -0.05)
        knee = thigh + 0.42 * direction(rng.uniform(0, 0.6), rng.uniform(-0.8, 0.9), side)
        foot = knee + 0.42 * direction(rng.uniform(-0.1, 0.4), rng.uniform(-0.7, 0.2), side)
        parts += [
            (neck - (0, 0, 0.1), shoulder, 0.09, 0.08),
            (shoulder, elbow, 0.07 * build, 0.055),
            (elbow, hand, 0.055, 0.05),
            (hand, hand, 0.07, 0.07),
            (thigh, knee, 0.1 * build, 0.075),
            (knee, foot, 0.07, 0.06),
            (foot, foot + (0, 0.15, -0.02), 0.065, 0.05),
        ]
    return finished(_skin(parts, 0.05, 72), crease_angle_degrees=180)


def fish(rng: np.random.Generator) -> Shape:
    """A fish, whale or shark-like swimmer with thick fins."""
    length, depth, width = 1.0, rng.uniform(0.2, 0.5), rng.uniform(0.1, 0.28)
    stalk = rng.uniform(0.03, 0.06)
    end = np.array([-length * rng.uniform(0.75, 1.0), 0, rng.uniform(-0.05, 0.1)])
    capsules = [((-0.2, 0, 0), end, min(depth, width) * 0.6, stalk)]
    spread, fork = rng.uniform(0.2, 0.4), rng.uniform(0.05, 0.25)
    level = rng.random() < 0.35  # flukes lie flat on a whale
    for side in (-1, 1):
        tip = (-fork, side * spread, 0) if level else (-fork, 0, side * spread)
        capsules.append((end, end + tip, stalk, 0.03))
        capsules.append((end, end + np.multiply(tip, (0.5, 0.55, 0.55)), stalk * 1.1, 0.035))
        root = np.array([0.15, side * width * 0.6, -depth * 0.3])
        capsules.append((root, root + rng.uniform(0.2, 0.4) * np.array([-0.7, side * 0.7, -0.4]), 0.06, 0.03))
    crest = rng.uniform(0.15, 0.4)
    for step in np.linspace(-0.25, 0.2, 4):
        capsules.append(
            ((step + 0.05, 0, depth * 0.6), (step - 0.1, 0, depth * 0.6 + crest * (0.3 + step)), 0.05, 0.03)
        )
    body = [((0, 0, 0), (0.55, width, depth)), ((0.25, 0, -0.03), (0.4, width * 0.9, depth * rng.uniform(0.6, 0.9)))]
    eyes = [((0.42, side * width * 0.72, depth * 0.25), (0.05, 0.05, 0.05)) for side in (-1, 1)]
    return finished(_skin(capsules, 0.07, 66, body + eyes), crease_angle_degrees=180)


def cactus(rng: np.random.Generator) -> Shape:
    """A ribbed trunk with upturned arms."""
    trunk, radius = rng.uniform(0.9, 1.5), rng.uniform(0.14, 0.24)
    capsules = [
        ((0, 0, 0), (rng.uniform(-0.1, 0.1), rng.uniform(-0.1, 0.1), trunk), radius, radius * rng.uniform(0.7, 1))
    ]
    for _ in range(rng.integers(2, 6)):
        angle, height, reach = rng.uniform(0, 2 * np.pi), rng.uniform(0.25, 0.75) * trunk, rng.uniform(0.28, 0.5)
        out = np.array([np.cos(angle), np.sin(angle), 0.15])
        elbow = np.array([0, 0, height]) + reach * out
        tip = elbow + np.array([0, 0, rng.uniform(0.15, 0.55)])
        capsules += [((0, 0, height), elbow, radius * 0.6, radius * 0.6), (elbow, tip, radius * 0.62, radius * 0.5)]
    return finished(_skin(capsules, 0.08, 60), crease_angle_degrees=180)
