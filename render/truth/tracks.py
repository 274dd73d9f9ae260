"""Long point tracks: points spread over the objects' surfaces, followed through a whole clip.

Shapes: N objects, P points, F frames, V vertices, T triangles, H W pixels.
"""

from __future__ import annotations

import numpy as np

from ..camera_path import project_points

POINTS_PER_OBJECT = 32
# Depth of a point against the depths of the pixels around it, in footprints of a pixel.
_SLACK_FOOTPRINTS = 1.0


def spread_points(vertices: np.ndarray, triangles: np.ndarray, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Choose points evenly by area on a triangle mesh; nothing is drawn, the same arguments give the same points.

    vertices: float (V, 3); triangles: int (T, 3); seed: starts the low-discrepancy sequence elsewhere.
    Returns (triangle of each point int (count,), barycentric weights float64 (count, 3)).
    Source: Halton, "On the efficiency of certain quasi-random sequences of points", 1960 (bases 2, 3, 5).
    """
    corners = vertices[triangles].astype(np.float64)
    areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    ends = np.cumsum(areas)
    numbers = seed % 4096 + 1 + np.arange(count)
    where = np.searchsorted(ends, _radical_inverse(numbers, 2) * ends[-1], side="right")
    root, along = np.sqrt(_radical_inverse(numbers, 3)), _radical_inverse(numbers, 5)
    weights = np.stack([1 - root, root * (1 - along), root * along], axis=1)
    return np.minimum(where, len(triangles) - 1), weights


def _radical_inverse(numbers: np.ndarray, base: int) -> np.ndarray:
    """The digits of each number in a base, mirrored at the point: float64 in [0, 1)."""
    numbers, result, scale = numbers.copy(), np.zeros(len(numbers)), 1.0 / base
    while numbers.any():
        result += scale * (numbers % base)
        numbers //= base
        scale /= base
    return result


def track_points(points: np.ndarray, pose: np.ndarray, intrinsics: np.ndarray) -> np.ndarray:
    """Project the points of one frame: world (P, 3) to float64 (P, 4) with x, y, depth and 0, NaN behind the camera."""
    tracks = np.zeros((len(points), 4))
    tracks[:, :3] = project_points(points, pose, intrinsics)
    tracks[tracks[:, 2] <= 0, :3] = np.nan
    return tracks


def visible_points(
    tracks: np.ndarray, object_ids: np.ndarray, ids: np.ndarray, depth: np.ndarray, focal_length: float
) -> np.ndarray:
    """Which points of one frame are seen, bool (P,).

    tracks: (P, 4) of `track_points`; object_ids: int (P,); ids: uint8 (H, W); depth: float32 (H, W); focal_length in
    pixels. A point is seen when it lies inside the image, the pixel it falls on shows its own object, and its depth
    lies within the depths which the object has in the 3x3 pixels around it (and a pixel's footprint more, because a
    point is not at the pixel's centre). So a point on the far side of its own object is not seen.
    """
    height, width = ids.shape
    inside = np.isfinite(tracks[:, 0]) & (tracks[:, 0] >= 0) & (tracks[:, 1] >= 0)
    inside &= (tracks[:, 0] < width) & (tracks[:, 1] < height)
    seen = np.zeros(len(tracks), bool)
    chosen = np.flatnonzero(inside)
    columns, rows = np.floor(tracks[chosen, :2]).astype(int).T
    steps = np.array([-1, 0, 1])
    around_rows = np.clip(rows[:, None, None] + steps[:, None], 0, height - 1)
    around_columns = np.clip(columns[:, None, None] + steps, 0, width - 1)
    own = ids[around_rows, around_columns] == object_ids[chosen, None, None]
    depths = depth[around_rows, around_columns]
    nearest = np.where(own, depths, np.inf).min(axis=(1, 2))
    farthest = np.where(own, depths, -np.inf).max(axis=(1, 2))
    point = tracks[chosen, 2]
    slack = _SLACK_FOOTPRINTS * point / focal_length
    seen[chosen] = own[:, 1, 1] & (point >= nearest - slack) & (point <= farthest + slack)
    return seen
