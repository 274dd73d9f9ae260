"""The camera over a clip: poses, field of view and intrinsics of every frame, from the plain CameraSpec.

Shapes: F frames. Pixel coordinates have x right, y down and the centre of the top left pixel at (0.5, 0.5).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .scene import CameraSpec
from .trajectory import evaluate_path, look_at_poses


def camera_poses(camera: CameraSpec, num_frames: int) -> np.ndarray:
    """Camera-to-world matrices, float64 (F, 4, 4); the camera looks along its -z axis, its y axis is up."""
    locations = evaluate_path(np.array(camera.location), num_frames)
    targets = evaluate_path(np.array(camera.look_at), num_frames)
    for wave in camera.shake:
        sine = np.sin(2 * np.pi * (wave.cycles_per_frame * np.arange(num_frames) + wave.phase))[:, None]
        locations = locations + sine * np.array(wave.location)
        targets = targets + sine * np.array(wave.look_at)
    return look_at_poses(locations, targets)


def camera_focal_lengths(camera: CameraSpec, num_frames: int, width: int, height: int) -> np.ndarray:
    """Focal lengths in pixels, float64 (F,); they run linearly between the control values of the field of view."""
    control = 0.5 * max(width, height) / np.tan(0.5 * np.array(camera.fov_radians))
    return np.interp(np.linspace(0.0, 1.0, num_frames), np.linspace(0.0, 1.0, len(control)), control)


def camera_intrinsics(camera: CameraSpec, num_frames: int, width: int, height: int) -> np.ndarray:
    """Intrinsics in pixels, float64 (F, 3, 3): square pixels, the principal point in the centre of the image."""
    intrinsics = np.zeros((num_frames, 3, 3))
    focal_lengths = camera_focal_lengths(camera, num_frames, width, height)
    intrinsics[:, 0, 0] = intrinsics[:, 1, 1] = focal_lengths
    intrinsics[:, 0, 2], intrinsics[:, 1, 2], intrinsics[:, 2, 2] = 0.5 * width, 0.5 * height, 1.0
    return intrinsics


def project_points(points: np.ndarray, pose: np.ndarray, intrinsics: np.ndarray) -> np.ndarray:
    """Project world points into one image.

    points: float (..., 3); pose: camera-to-world (4, 4); intrinsics: (3, 3). Returns float64 (..., 3): x and y in
    pixels, and the depth along the optical axis in scene units (negative behind the camera).
    """
    in_camera = (np.asarray(points, np.float64) - pose[:3, 3]) @ pose[:3, :3]
    depth = -in_camera[..., 2]
    safe = np.where(np.abs(depth) < 1e-9, 1e-9, depth)
    x = intrinsics[0, 2] + intrinsics[0, 0] * in_camera[..., 0] / safe
    y = intrinsics[1, 2] - intrinsics[1, 1] * in_camera[..., 1] / safe
    return np.stack([x, y, depth], axis=-1)


@dataclass(frozen=True, kw_only=True)
class View:
    """What a camera sees over a clip: poses (F, 4, 4), focal lengths in pixels (F,) and the size of the image."""

    poses: np.ndarray
    focal_lengths: np.ndarray
    width: int
    height: int

    @staticmethod
    def of(camera: CameraSpec, num_frames: int, width: int, height: int) -> View:
        """The view of a camera over `num_frames` frames of `width` x `height` pixels."""
        return View(
            poses=camera_poses(camera, num_frames),
            focal_lengths=camera_focal_lengths(camera, num_frames, width, height),
            width=width,
            height=height,
        )

    @property
    def locations(self) -> np.ndarray:
        """Where the camera stands, float64 (F, 3)."""
        return self.poses[:, :3, 3]

    def half_size(self) -> np.ndarray:
        """Half-width and half-height of the image at a depth of one scene unit, float64 (F, 2)."""
        return 0.5 * np.array([self.width, self.height]) / self.focal_lengths[:, None]

    def in_camera(self, path: np.ndarray) -> np.ndarray:
        """A path of one world point a frame in camera axes: right, up and depth in scene units; float64 (F, 3)."""
        right_up_back = np.einsum("fji,fj->fi", self.poses[:, :3, :3], path - self.locations)
        return right_up_back * np.array([1.0, 1.0, -1.0])

    def project(self, path: np.ndarray) -> np.ndarray:
        """Project a path (F, 3); float64 (F, 3): x and y in pixels, depth in scene units (negative: behind)."""
        right, up, depth = self.in_camera(path).T
        safe = np.where(np.abs(depth) < 1e-9, 1e-9, depth)
        x = 0.5 * self.width + self.focal_lengths * right / safe
        y = 0.5 * self.height - self.focal_lengths * up / safe
        return np.stack([x, y, depth], axis=1)

    def sees(self, path: np.ndarray) -> np.ndarray:
        """Whether each point of a path (F, 3) lies inside the image; bool (F,)."""
        x, y, depth = self.project(path).T
        return (x >= 0) & (x < self.width) & (y >= 0) & (y < self.height) & (depth > 0)
