"""Families of single solids: bevelled and twisted boxes, polyhedra, wireframes, supershapes, displaced spheres."""

from __future__ import annotations

import numpy as np

from .shape_mesh import Mesh, Modifier, Shape, bevel, box, finished, merge, rings, rotation


def bevelled_box(rng: np.random.Generator) -> Shape:
    """A box, or a few stacked or crossing boxes, with rounded edges."""
    kind = rng.integers(3)
    if kind == 0:
        mesh = box(rng.uniform(0.35, 1.0, 3))
    elif kind == 1:
        parts, top = [], 0.0
        width = rng.uniform(0.7, 1.0, 2)
        for _ in range(rng.integers(2, 6)):
            height = rng.uniform(0.12, 0.4)
            slab = box((*width, height)).transformed(rotation("z", rng.uniform(-0.4, 0.4)))
            parts.append(slab.transformed(offset=(*rng.uniform(-0.08, 0.08, 2), top + height / 2)))
            top += height * 0.995
            width = width * rng.uniform(0.6, 1.0)
        mesh = merge(parts)
    else:
        thick = rng.uniform(0.2, 0.4)
        mesh = merge(
            [
                box(np.where(np.arange(3) == axis, rng.uniform(0.7, 1.2), thick * rng.uniform(0.8, 1.2, 3)))
                for axis in range(3)
            ]
        )
    return finished(mesh, bevel(rng.uniform(0.01, 0.06), int(rng.integers(1, 5))), crease_angle_degrees=35)


def twisted_prism(rng: np.random.Generator) -> Shape:
    """A column of polygonal or lobed section that twists, tapers and bends along its height."""
    sides = int(rng.integers(3, 8))
    lobed = rng.random() < 0.4
    per_side = 8
    angle = np.arange(sides * per_side) * (2 * np.pi / (sides * per_side))
    if lobed:
        radius = 1 + rng.uniform(0.15, 0.4) * np.cos(sides * angle)
    else:  # the polygon's own edge in polar form
        half = np.pi / sides
        radius = np.cos(half) / np.cos((angle % (2 * half)) - half)
    section = np.stack([radius * np.cos(angle), radius * np.sin(angle) * rng.uniform(0.5, 1.0)], axis=-1)
    height = np.linspace(0, 1, 40)
    twist = rng.uniform(-1, 1) * np.pi * rng.uniform(0.3, 1.6) * height
    size = 0.3 * (1 + rng.uniform(-0.65, 0.3) * height + rng.uniform(-0.45, 0.45) * np.sin(np.pi * height))
    cos, sin = np.cos(twist), np.sin(twist)
    x = size[:, None] * (cos[:, None] * section[:, 0] - sin[:, None] * section[:, 1])
    y = size[:, None] * (sin[:, None] * section[:, 0] + cos[:, None] * section[:, 1])
    length = rng.uniform(0.8, 2.0)
    bend = rng.uniform(0, 1.2)
    if bend < 0.2:
        points = np.stack([x, y, np.broadcast_to(length * height[:, None], x.shape)], axis=-1)
    else:
        reach = max(length / bend, 1.3 * float(np.abs(x).max()))
        turn = height[:, None] * length / reach
        points = np.stack([reach - (reach - x) * np.cos(turn), y, (reach - x) * np.sin(turn)], axis=-1)
    return finished(rings(points), crease_angle_degrees=30)


def _hull(points: np.ndarray) -> Mesh:
    """The convex hull of points (N, 3), coplanar triangles joined into polygons."""
    from scipy.spatial import ConvexHull

    hull = ConvexHull(points)
    groups: dict[tuple[float, ...], set[int]] = {}
    for triangle, plane in zip(hull.simplices, hull.equations, strict=True):
        groups.setdefault(tuple((np.round(plane, 5) + 0.0).tolist()), set()).update(triangle.tolist())
    faces = []
    for plane, members in groups.items():
        corners = np.array(sorted(members))
        normal = np.array(plane[:3])
        across = np.cross(normal, np.eye(3)[np.argmin(np.abs(normal))])
        around = points[corners] - points[corners].mean(0)
        angle = np.arctan2(around @ np.cross(normal, across), around @ across)
        faces.append(tuple(corners[np.argsort(angle, kind="stable")].tolist()))
    used = np.unique(np.concatenate(faces))
    renumber = {int(old): new for new, old in enumerate(used)}
    return Mesh(points[used], [tuple(renumber[i] for i in face) for face in faces]).outward()


def _regular_points(rng: np.random.Generator) -> np.ndarray:
    """Corners of a Platonic or Archimedean solid, or of a rhombic dodecahedron."""
    golden = (1 + 5**0.5) / 2
    signs = np.array([(a, b, c) for a in (-1, 1) for b in (-1, 1) for c in (-1, 1)], float)
    cyclic = [np.roll(np.eye(3), shift, axis=0) for shift in range(3)]
    kinds = {
        "octahedron": np.concatenate([np.eye(3), -np.eye(3)]),
        "icosahedron": np.concatenate([signs * (0, 1, golden) @ turn for turn in cyclic]),
        "dodecahedron": np.concatenate([signs, *[signs * (0, 1 / golden, golden) @ turn for turn in cyclic]]),
        "cuboctahedron": np.concatenate([signs * (0, 1, 1) @ turn for turn in cyclic]),
        "rhombic": np.concatenate([signs, 2 * np.eye(3), -2 * np.eye(3)]),
        "truncated": np.concatenate([signs * (2**0.5 - 1, 1, 1) @ turn for turn in cyclic]),
    }
    return np.unique(np.round(kinds[list(kinds)[rng.integers(len(kinds))]], 9), axis=0)


def polyhedron(rng: np.random.Generator) -> Shape:
    """A regular solid, a cut gem or a chipped crystal, with flat facets."""
    kind = rng.integers(3)
    if kind == 0:
        mesh = _hull(_regular_points(rng)).transformed(np.diag(rng.uniform(0.6, 1.0, 3)))
    elif kind == 1:  # a gem: table, girdle and point
        sides = int(rng.integers(5, 10))
        angle = np.arange(sides) * 2 * np.pi / sides
        rows = [(rng.uniform(0.45, 0.7), rng.uniform(0.25, 0.4), 0.5), (1.0, 0.0, 0.0), (1.0, -0.08, 0.0)]
        points = [
            np.stack(
                [r * np.cos(angle + s * np.pi / sides), r * np.sin(angle + s * np.pi / sides), np.full(sides, z)],
                axis=-1,
            )
            for r, z, s in rows
        ]
        mesh = _hull(np.concatenate([*points, [[0, 0, -rng.uniform(0.6, 1.1)]]]))
    else:
        direction = rng.normal(size=(int(rng.integers(10, 26)), 3))
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        mesh = _hull(direction * rng.uniform(0.8, 1.0, (len(direction), 1)) * rng.uniform(0.5, 1.0, 3))
    return finished(mesh, bevel(rng.uniform(0.004, 0.02), 2), smooth=False)


def wireframe_solid(rng: np.random.Generator) -> Shape:
    """A cage: the edges of a solid or of a ring as struts."""
    kind = rng.integers(3)
    if kind == 0:
        mesh = _hull(_regular_points(rng))
    elif kind == 1:
        sides, count = int(rng.integers(5, 10)), int(rng.integers(4, 8))
        angle = np.arange(sides) * 2 * np.pi / sides
        height = np.linspace(-1, 1, count)
        radius = 0.75 + rng.uniform(-0.4, 0.5) * (1 - height**2)
        turn = angle + rng.uniform(0, 0.8) * height[:, None]
        points = np.stack(
            [
                radius[:, None] * np.cos(turn),
                radius[:, None] * np.sin(turn),
                np.broadcast_to(rng.uniform(0.6, 1.3) * height[:, None], turn.shape),
            ],
            axis=-1,
        )
        mesh = rings(points)
    else:
        big, small = int(rng.integers(8, 15)), int(rng.integers(4, 8))
        u = np.arange(big)[:, None] * 2 * np.pi / big
        v = np.arange(small) * 2 * np.pi / small + rng.uniform(0, 1)
        reach = 1 + rng.uniform(0.25, 0.45) * np.cos(v)
        points = np.stack([reach * np.cos(u), reach * np.sin(u), 0.4 * np.sin(v) + 0 * u], axis=-1)
        mesh = rings(points, close_rows=True)
    cage = {"thickness": float(rng.uniform(0.025, 0.06)), "use_even_offset": False, "use_replace": True}
    rounding = {"levels": 1, "render_levels": 1}
    return finished(mesh, Modifier(type="WIREFRAME", settings=cage), Modifier(type="SUBSURF", settings=rounding))


def _globe(rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Latitude (rows, 1), open at the poles, and longitude (1, columns), radians."""
    latitude = (np.arange(rows) + 0.5) / rows * np.pi - np.pi / 2
    return latitude[:, None], (np.arange(columns) * 2 * np.pi / columns)[None]


def _superformula(angle: np.ndarray, lobes: float, sharpness: tuple[float, float, float]) -> np.ndarray:
    """Gielis' superformula: radius at an angle."""
    n1, n2, n3 = sharpness
    inside = np.abs(np.cos(lobes * angle / 4)) ** n2 + np.abs(np.sin(lobes * angle / 4)) ** n3
    return np.clip(inside, 1e-6, None) ** (-1 / n1)


def supershape(rng: np.random.Generator) -> Shape:
    """A superellipsoid (from pillow to pinched star) or a shape of Gielis' superformula."""
    latitude, longitude = _globe(64, 96)
    if rng.random() < 0.45:
        east, north = rng.choice([0.3, 0.5, 0.8, 1.5, 2.2], 2)

        def power(value: np.ndarray, exponent: float) -> np.ndarray:
            return np.sign(value) * np.abs(value) ** exponent

        x = power(np.cos(latitude), north) * power(np.cos(longitude), east)
        y = power(np.cos(latitude), north) * power(np.sin(longitude), east)
        z = power(np.sin(latitude), north) + 0 * longitude
    else:

        def sharpness() -> tuple[float, float, float]:  # petals point outward with small exponents, pillows with large
            if rng.random() < 0.6:
                return rng.uniform(0.2, 0.6), rng.uniform(1.3, 1.9), rng.uniform(1.3, 1.9)
            return rng.uniform(2.5, 6.0), rng.uniform(3.0, 9.0), rng.uniform(3.0, 9.0)

        around = _superformula(longitude, int(rng.integers(3, 9)), sharpness())
        upright = _superformula(latitude, 2 * int(rng.integers(1, 4)), sharpness())
        x = around * np.cos(longitude) * upright * np.cos(latitude)
        y = around * np.sin(longitude) * upright * np.cos(latitude)
        z = upright * np.sin(latitude) + 0 * longitude
    points = np.stack([x, y, z], axis=-1)
    points /= np.ptp(points.reshape(-1, 3), axis=0)
    return finished(rings(points * rng.uniform(0.5, 1.0, 3)), crease_angle_degrees=50)


def boulder(rng: np.random.Generator) -> Shape:
    """A sphere displaced by fractal noise: from river pebble and potato to jagged rock and spiky burr."""
    latitude, longitude = _globe(72, 120)
    points = np.stack(
        [np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude) + 0 * longitude],
        axis=-1,
    )
    radius = np.ones(points.shape[:2])
    gain = rng.uniform(0.4, 0.65)
    ridged = rng.random() < 0.4
    for octave in range(5):  # a sum of random plane waves per octave: smooth over the sphere, no pole artefacts
        wave = rng.normal(size=(6, 3))
        wave *= rng.uniform(1.6, 2.6) * 1.9**octave / np.linalg.norm(wave, axis=1, keepdims=True)
        value = np.sin(points @ wave.T + rng.uniform(0, 2 * np.pi, 6)).mean(-1)
        radius += rng.uniform(0.5, 0.9) * gain**octave * ((0.25 - 1.6 * np.abs(value)) if ridged else value)
    if rng.random() < 0.25:
        spikes = rng.normal(size=(int(rng.integers(12, 36)), 3))
        spikes /= np.linalg.norm(spikes, axis=1, keepdims=True)
        radius = 0.6 + 0.15 * radius + rng.uniform(0.3, 0.6) * np.exp((np.max(points @ spikes.T, -1) - 1) * 40)
    mesh = rings(points * np.clip(radius, 0.35, 2.0)[..., None] * rng.uniform(0.55, 1.0, 3))
    return finished(mesh, crease_angle_degrees=180 if not ridged else 35)
