"""Convex hulls of models as rigid bodies: their mass centre and volume, and room for them before they fall.

Shapes: H points of a hull. Units: scene units.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import ConvexHull, QhullError

SMALLEST_THICKNESS = 0.02
"""Flat models get this thickness, because a hull without volume falls through everything."""
MOST_POINTS = 400
NUM_DIRECTIONS = 400


@dataclass(frozen=True, kw_only=True)
class Hull:
    """A convex hull about its centre of mass."""

    points: np.ndarray
    """float64 (H, 3), relative to `centre`."""
    centre: np.ndarray
    """float64 (3,): the centre of mass of the filled hull, in the coordinates of the vertices."""
    volume: float


def convex_hull(vertices: np.ndarray) -> Hull:
    """The convex hull of a model's vertices, thickened where they lie in a plane.

    vertices: float (V, 3). A hull of very many corners keeps those that lie farthest in some direction.
    """
    vertices = np.asarray(vertices, np.float64)
    for axis in range(3):
        missing = SMALLEST_THICKNESS - np.ptp(vertices[:, axis])
        if missing > 0:
            step = np.eye(3)[axis] * missing / 2
            vertices = np.concatenate([vertices - step, vertices + step])
    hull = _hull_of(vertices)
    if len(hull.vertices) > MOST_POINTS:
        corners = vertices[hull.vertices]
        farthest = np.argmax((corners - corners.mean(axis=0)) @ _directions(MOST_POINTS).T, axis=0)
        vertices = corners[np.unique(farthest)]
        hull = _hull_of(vertices)
    inside = vertices[hull.vertices].mean(axis=0)
    corners = vertices[hull.simplices] - inside
    volumes = np.abs(np.linalg.det(corners)) / 6
    centre = inside + (corners.sum(axis=1) / 4 * volumes[:, None]).sum(axis=0) / max(volumes.sum(), 1e-12)
    return Hull(points=vertices[hull.vertices] - centre, centre=centre, volume=float(volumes.sum()))


def _hull_of(vertices: np.ndarray) -> ConvexHull:
    try:
        return ConvexHull(vertices)
    except QhullError:  # a slanted plane: moving its points by a rounding error gives it a volume
        return ConvexHull(vertices, qhull_options="QJ")


def lifts_apart(bodies: list[np.ndarray], floor: float, gap: float) -> np.ndarray:
    """How far to lift each body so that all are clear of the floor and of each other before they fall.

    bodies: float (H, 3) world points of each hull; floor: its height. Returns float64 (N,), 0 where there
    is room. Lower bodies keep their place and higher ones move up; bodies count as apart when they are along one of a
    few hundred directions, which is sufficient for convex bodies.
    """
    directions = _directions(NUM_DIRECTIONS)
    directions = directions[directions[:, 2] > 0.02]
    lifts = np.zeros(len(bodies))
    placed: list[int] = []
    for body in sorted(range(len(bodies)), key=lambda slot: (bodies[slot][:, 2].min(), slot)):
        lifts[body] = max(0.0, floor + gap - bodies[body][:, 2].min())
        lowest = (bodies[body] @ directions.T).min(axis=0)
        settled = False
        while not settled:
            settled = True
            for other in placed:
                highest = (bodies[other] @ directions.T).max(axis=0) + lifts[other] * directions[:, 2]
                needed = _lift_past(lowest, highest + gap, directions[:, 2])
                if _overlap(bodies[body], lifts[body], bodies[other], lifts[other], gap) and needed > lifts[body]:
                    lifts[body], settled = needed, False
        placed.append(body)
    return lifts


def _lift_past(lowest: np.ndarray, highest: np.ndarray, climb: np.ndarray) -> float:
    """The smallest lift from which on a body is past another along some upward direction."""
    return float(((highest - lowest) / climb).min())


def _overlap(body: np.ndarray, lift: float, other: np.ndarray, other_lift: float, gap: float) -> bool:
    """Whether no direction is found along which two bodies are at least `gap` apart."""
    directions = _directions(NUM_DIRECTIONS)
    ours, theirs = body @ directions.T + lift * directions[:, 2], other @ directions.T + other_lift * directions[:, 2]
    return not bool((ours.min(axis=0) >= theirs.max(axis=0) + gap - 1e-9).any())


def _directions(count: int) -> np.ndarray:
    """Unit vectors spread evenly over the sphere (a Fibonacci lattice), with the six axes; float64 (count + 6, 3)."""
    place = np.arange(count) + 0.5
    z, turn = 1 - 2 * place / count, np.pi * (1 + 5**0.5) * place
    radius = np.sqrt(1 - z**2)
    spread = np.stack([radius * np.cos(turn), radius * np.sin(turn), z], axis=1)
    return np.concatenate([spread, np.eye(3), -np.eye(3)])
