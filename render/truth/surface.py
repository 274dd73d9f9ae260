"""What one ray through each pixel's centre meets, and where that surface point is in another frame.

Shapes: H W pixels, F frames. World points in scene units; pixel coordinates have x right, y down and the centre of the
top left pixel at (0.5, 0.5).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ..camera_path import project_points


@dataclass(frozen=True, kw_only=True)
class ClipGeometry:
    """Where the camera and the objects of a clip are in every frame.

    poses: camera-to-world, float64 (F, 4, 4). intrinsics: float64 (F, 3, 3). matrices: model-to-world, float64
    (F, 4, 4) by instance id. deforming: ids of the objects that change their shape.
    """

    poses: np.ndarray
    intrinsics: np.ndarray
    matrices: Mapping[int, np.ndarray]
    deforming: frozenset[int] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Surface:
    """One frame of a clip, sampled at the pixel centres.

    ids: uint8 (H, W). seen: bool (H, W), False where the ray leaves the scene. position, normal: float32 (H, W, 3) in
    the world. depth: float32 (H, W), along the optical axis, as the renderer measured it. rest: float32 (H, W, 3),
    model coordinates of deforming objects before they deform. moved: their model coordinates in a neighbouring frame,
    by frame number. known: bool (H, W), False where `rest` and `moved` of a deforming object are not to be had.
    """

    ids: np.ndarray
    seen: np.ndarray
    position: np.ndarray
    normal: np.ndarray
    depth: np.ndarray
    rest: np.ndarray | None = None
    moved: Mapping[int, np.ndarray] = field(default_factory=dict)
    known: np.ndarray | None = None


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """Where the surface of every pixel is in another frame.

    flow: float32 (H, W, 2), pixels. valid: bool (H, W), False where the point is behind that camera or its motion is
    not known. depth: float32 (H, W), its depth in that frame; infinite for the surroundings.
    """

    flow: np.ndarray
    valid: np.ndarray
    depth: np.ndarray


def motion_to(surface: Surface, geometry: ClipGeometry, frame: int, other: int) -> Arrival:
    """Follow every visible surface point from `frame` to the frame `other`.

    Static and rigid surfaces can be followed to any frame, deforming ones to the frames in `surface.moved`; elsewhere
    they are not valid. The surroundings (nothing was met) are infinitely far away: they move with the camera's turn.
    """
    points, valid = _world_points(surface, geometry, frame, other)
    height, width = surface.ids.shape
    centres = pixel_centres(height, width)
    arrived = project_points(points, geometry.poses[other], geometry.intrinsics[other])
    valid &= arrived[..., 2] > 0
    flow = np.where(valid[..., None], arrived[..., :2] - centres, 0.0).astype(np.float32)
    depth = np.where(surface.seen, arrived[..., 2], np.inf).astype(np.float32)
    return Arrival(flow=flow, valid=valid, depth=depth)


def _world_points(surface: Surface, geometry: ClipGeometry, frame: int, other: int) -> tuple[np.ndarray, np.ndarray]:
    """World points of every pixel's surface in another frame, float64 (H, W, 3), and where they are known."""
    points = surface.position.astype(np.float64)
    valid = np.ones(surface.ids.shape, bool)
    if not surface.seen.all():
        away = ~surface.seen
        rays = pixel_rays(*surface.ids.shape, geometry.intrinsics[frame])[away] @ geometry.poses[frame][:3, :3].T
        points[away] = rays + geometry.poses[other][:3, 3]
    for instance_id, matrices in geometry.matrices.items():
        own = surface.seen & (surface.ids == instance_id)
        if not own.any():
            continue
        if instance_id in geometry.deforming:
            if other not in surface.moved:
                valid[own] = False
                continue
            valid &= surface.known | ~own
            points[own] = transform(matrices[other], surface.moved[other][own].astype(np.float64))
        else:
            points[own] = transform(matrices[other] @ np.linalg.inv(matrices[frame]), points[own])
    return points, valid


def object_coordinates(surface: Surface, geometry: ClipGeometry, frame: int) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates of every object pixel in its normalised model (centred, diagonal 1), before any deformation.

    Returns (float32 (H, W, 3), valid bool (H, W)); the background has none.
    """
    coordinates = np.zeros(surface.position.shape, np.float32)
    valid = np.zeros(surface.ids.shape, bool)
    for instance_id, matrices in geometry.matrices.items():
        own = surface.seen & (surface.ids == instance_id)
        if instance_id in geometry.deforming:
            own &= surface.known
            coordinates[own] = surface.rest[own]
        else:
            inverse = np.linalg.inv(matrices[frame])
            coordinates[own] = transform(inverse, surface.position[own].astype(np.float64))
        valid |= own
    return coordinates, valid


def camera_normals(surface: Surface, pose: np.ndarray) -> np.ndarray:
    """Normals in camera space, float32 (H, W, 3): x right, y up, z towards the camera; 0 where nothing was met."""
    turned = surface.normal @ pose[:3, :3].astype(np.float32)
    return np.where(surface.seen[..., None], turned, np.float32(0))


def transform(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Apply a matrix (4, 4) to points (..., 3)."""
    return points @ matrix[:3, :3].T + matrix[:3, 3]


def pixel_centres(height: int, width: int) -> np.ndarray:
    """Pixel coordinates of all pixel centres, float64 (H, W, 2), x first."""
    return np.stack(np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5), axis=-1)


def pixel_rays(height: int, width: int, intrinsics: np.ndarray) -> np.ndarray:
    """Directions through all pixel centres in camera space, float64 (H, W, 3), of depth 1."""
    centres = pixel_centres(height, width)
    x = (centres[..., 0] - intrinsics[0, 2]) / intrinsics[0, 0]
    y = (intrinsics[1, 2] - centres[..., 1]) / intrinsics[1, 1]
    return np.stack([x, y, np.full_like(x, -1.0)], axis=-1)
