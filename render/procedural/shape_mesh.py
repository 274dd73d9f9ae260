"""Shape: what a procedural model is before Blender sees it, and the mesh parts that families are built from.

V vertices. A face is a tuple of vertex indices, counter-clockwise seen from outside; z points up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Face = tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Modifier:
    """One Blender modifier: `type` as in `object.modifiers.new(type=...)`, `settings` its attributes."""

    type: str
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A mesh and how to finish it in Blender.

    vertices: float64 (V, 3), bounding box centred at the origin with diagonal 1; empty when `primitive` is set.
    faces: tuples of vertex indices, polygons allowed, outward normals. smooth: smooth shading, with edges sharper than
    `crease_angle_degrees` kept. primitive: a mesh that Blender itself adds ("monkey"). modifiers: applied in order.
    """

    vertices: np.ndarray
    faces: list[Face]
    smooth: bool = True
    crease_angle_degrees: float = 40.0
    primitive: str | None = None
    modifiers: tuple[Modifier, ...] = ()


@dataclass(frozen=True)
class Mesh:
    """A part under construction: vertices float64 (V, 3) and faces."""

    vertices: np.ndarray
    faces: list[Face]

    def transformed(self, matrix: np.ndarray | None = None, offset: Sequence[float] = (0, 0, 0)) -> Mesh:
        """The part after `x -> matrix @ x + offset`; a mirroring matrix keeps its normals outward."""
        vertices = self.vertices if matrix is None else self.vertices @ np.asarray(matrix, float).T
        flip = matrix is not None and np.linalg.det(matrix) < 0
        faces = [face[::-1] for face in self.faces] if flip else self.faces
        return Mesh(vertices + np.asarray(offset, float), faces)

    def warped(self, function: Callable[[np.ndarray], np.ndarray]) -> Mesh:
        """The part with its vertices moved by `function`, float64 (V, 3) to (V, 3)."""
        return Mesh(function(self.vertices.copy()), self.faces)

    def outward(self) -> Mesh:
        """The closed part with positive volume: all faces flipped if they pointed inward."""
        return self if signed_volume(self.vertices, self.faces) >= 0 else Mesh(self.vertices, flipped(self.faces))


def flipped(faces: Iterable[Face]) -> list[Face]:
    """The faces seen from the other side."""
    return [face[::-1] for face in faces]


def signed_volume(vertices: np.ndarray, faces: Iterable[Face]) -> float:
    """Volume of a closed mesh, cubic units; negative when its faces point inward."""
    corners = np.array([(f[0], f[i], f[i + 1]) for f in faces for i in range(1, len(f) - 1)], dtype=int)
    a, b, c = (vertices[corners[:, i]] for i in range(3))
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6)


def merge(parts: Iterable[Mesh]) -> Mesh:
    """All parts as one mesh; their vertices stay apart."""
    vertices, faces, start = [], [], 0
    for part in parts:
        vertices.append(part.vertices)
        faces += [tuple(i + start for i in face) for face in part.faces]
        start += len(part.vertices)
    return Mesh(np.concatenate(vertices), faces)


def rotation(axis: str | Sequence[float], radians: float) -> np.ndarray:
    """Rotation matrix (3, 3) about "x", "y", "z" or any vector."""
    x, y, z = {"x": (1, 0, 0), "y": (0, 1, 0), "z": (0, 0, 1)}[axis] if isinstance(axis, str) else unit(axis)
    skew = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]], float)
    return np.eye(3) + np.sin(radians) * skew + (1 - np.cos(radians)) * skew @ skew


def unit(vector: Sequence[float]) -> np.ndarray:
    """The vector at length 1."""
    vector = np.asarray(vector, float)
    return vector / np.linalg.norm(vector)


def box(size: Sequence[float], centre: Sequence[float] = (0, 0, 0)) -> Mesh:
    """An axis-aligned box."""
    corners = np.array([(x, y, z) for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
    faces = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    return Mesh(corners * np.asarray(size, float) + np.asarray(centre, float), faces)


def rings(points: np.ndarray, *, close_rows: bool = False, caps: bool = True) -> Mesh:
    """A closed surface through R rings of C points each, float64 (R, C, 3): every ring is closed.

    `close_rows` joins the last ring to the first (a torus); otherwise `caps` closes both ends with one polygon.
    """
    num_rings, num_points = points.shape[:2]
    index = np.arange(num_rings * num_points).reshape(num_rings, num_points)
    lower = index if close_rows else index[:-1]
    upper = np.roll(index, -1, axis=0) if close_rows else index[1:]
    quads = np.stack([lower, np.roll(lower, -1, 1), np.roll(upper, -1, 1), upper], axis=-1).reshape(-1, 4)
    faces = [tuple(q) for q in quads.tolist()]
    if caps and not close_rows:
        faces += [tuple(index[0, ::-1].tolist()), tuple(index[-1].tolist())]
    mesh = Mesh(points.reshape(-1, 3).astype(float), faces)
    return mesh.outward() if caps or close_rows else mesh


def lathe(
    profile: np.ndarray, segments: int = 48, section: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None
) -> Mesh:
    """A profile turned about the z axis.

    profile: (N, 2) of (radius, height), first and last radius are taken as 0 (the poles).
    section: optional factor on the radius, a function of (angle, height), for flutes and facets.
    """
    angle = np.arange(segments) * (2 * np.pi / segments)
    inner = profile[1:-1]
    radius = np.broadcast_to(inner[:, :1], (len(inner), segments)).copy()
    height = np.broadcast_to(inner[:, 1:], (len(inner), segments))
    if section is not None:
        radius *= section(np.broadcast_to(angle, radius.shape), height)
    points = np.stack([radius * np.cos(angle), radius * np.sin(angle), height], axis=-1)
    body = rings(points, caps=False)
    bottom, top = len(body.vertices), len(body.vertices) + 1
    last = (len(inner) - 1) * segments
    turn = [(i, (i + 1) % segments) for i in range(segments)]
    faces = body.faces + [(bottom, j, i) for i, j in turn] + [(top, last + i, last + j) for i, j in turn]
    poles = [(0, 0, profile[0, 1]), (0, 0, profile[-1, 1])]
    return Mesh(np.concatenate([body.vertices, poles]), faces).outward()


def rod(start: Sequence[float], end: Sequence[float], radius: float, end_radius: float | None = None, sides=16) -> Mesh:
    """A capped cylinder or truncated cone between two points."""
    return tube(np.array([start, end], float), [radius, radius if end_radius is None else end_radius], sides)


def tube(
    path: np.ndarray, radius: Sequence[float] | float, sides: int = 12, *, closed: bool = False, flatten: float = 1.0
) -> Mesh:
    """A circle swept along a path (N, 3) with parallel-transported frames.

    radius: one or N of them. closed: joins the ends. flatten: thickness across the section over its width.
    """
    path = np.asarray(path, float)
    tangents = np.roll(path, -1, 0) - np.roll(path, 1, 0) if closed else np.gradient(path, axis=0)
    tangents /= np.linalg.norm(tangents, axis=1, keepdims=True)
    normals = np.empty_like(path)
    helper = np.eye(3)[np.argmin(np.abs(tangents[0]))]
    normals[0] = unit(np.cross(tangents[0], helper))
    for i in range(1, len(path)):
        normals[i] = unit(normals[i - 1] - tangents[i] * (normals[i - 1] @ tangents[i]))
    if closed:  # spread the frame's holonomy over the loop, or the seam would be twisted
        carried = unit(normals[-1] - tangents[0] * (normals[-1] @ tangents[0]))
        gap = np.arctan2(np.cross(carried, normals[0]) @ tangents[0], carried @ normals[0])
        for i in range(len(path)):
            normals[i] = rotation(tangents[i], gap * i / len(path)) @ normals[i]
    binormals = np.cross(tangents, normals)
    radius = np.broadcast_to(np.asarray(radius, float), (len(path),))[:, None, None]
    angle = (np.arange(sides) * (2 * np.pi / sides))[None, :, None]
    circle = np.cos(angle) * normals[:, None] + flatten * np.sin(angle) * binormals[:, None]
    return rings(path[:, None] + radius * circle, close_rows=closed)


def extrude(outline: np.ndarray, depth: float, hole: np.ndarray | None = None) -> Mesh:
    """An outline (N, 2) in the x-z plane given thickness along y; `hole` (N, 2) is cut out and needs as many points."""

    def loop(points: np.ndarray, y: float) -> np.ndarray:
        return np.stack([points[:, 0], np.full(len(points), y), points[:, 1]], axis=-1)

    if hole is None:
        return rings(np.stack([loop(outline, -depth / 2), loop(outline, depth / 2)]))
    loops = [loop(outline, -depth / 2), loop(outline, depth / 2), loop(hole, depth / 2), loop(hole, -depth / 2)]
    return rings(np.stack(loops), close_rows=True)


def finished(mesh: Mesh, *modifiers: Modifier, smooth: bool = True, crease_angle_degrees: float = 40.0) -> Shape:
    """The Shape of a mesh: bounding box centred at the origin, diagonal 1."""
    low, high = mesh.vertices.min(0), mesh.vertices.max(0)
    vertices = (mesh.vertices - (low + high) / 2) / np.linalg.norm(high - low)
    return Shape(
        vertices=vertices,
        faces=mesh.faces,
        smooth=smooth,
        crease_angle_degrees=crease_angle_degrees,
        modifiers=modifiers,
    )


def bevel(width: float, segments: int = 2) -> Modifier:
    """Rounds every edge sharper than 40 degrees; width in units of the shape's diagonal."""
    settings = {"width": float(width), "segments": segments, "limit_method": "ANGLE", "angle_limit": float(np.pi / 4.5)}
    return Modifier(type="BEVEL", settings=settings)
