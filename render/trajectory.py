"""Polynomial paths: interpolation through control points, static segments, step caps and exact clearance.

Shapes: P control points (degree + 1), F frames, 3 axes (x right, y into the scene, z up); units are scene units.
"""

from __future__ import annotations

import functools

import numpy as np


def frame_times(num_frames: int) -> np.ndarray:
    """Times of the frames on a path, 0 at the first and 1 at the last.

    Returns float64 (F,). A single frame lies at time 0. Source: BL30K evaluates t = i / (F - 1).
    """
    return np.linspace(0.0, 1.0, num_frames) if num_frames > 1 else np.zeros(1)


@functools.lru_cache(maxsize=32)
def _basis(num_points: int, num_frames: int) -> np.ndarray:
    """Lagrange basis (F, P): row f holds the weight of each control point at frame f."""
    nodes = np.linspace(0.0, 1.0, num_points)
    times = frame_times(num_frames)
    weights = np.ones((num_frames, num_points))
    for point in range(num_points):
        for other in range(num_points):
            if other != point:
                weights[:, point] *= (times - nodes[other]) / (nodes[point] - nodes[other])
    return weights


def evaluate_path(control_points: np.ndarray, num_frames: int) -> np.ndarray:
    """Evaluate the polynomial through equally spaced control points at every frame time.

    control_points: float (P, 3). Returns float64 (F, 3). With P = 5 this is the degree-4 interpolation of BL30K
    (an exact interpolation, not a spline: a repeated control point does not hold the object still between points).
    """
    points = np.asarray(control_points, dtype=np.float64)
    return _basis(len(points), num_frames) @ points


def draw_static_segments(
    rng: np.random.Generator, num_segments: int, enter_probability: float, stay_probability: float
) -> np.ndarray:
    """Draw which segments repeat the previous control point (the static automaton of BL30K).

    Returns bool (num_segments,). The automaton starts static with `enter_probability`, stays static after a static
    segment with `stay_probability` and turns static after a moving one with `enter_probability`.
    """
    static = np.zeros(num_segments, dtype=bool)
    is_static = rng.random() < enter_probability
    for segment in range(num_segments):
        static[segment] = is_static
        is_static = rng.random() < (stay_probability if is_static else enter_probability)
    return static


def step_towards(
    rng: np.random.Generator, current: np.ndarray, target: np.ndarray, cap_deviation: float, symmetric: bool = True
) -> np.ndarray:
    """Move from `current` towards `target`, each axis limited to +-|N(0, cap_deviation)|.

    current, target: float (3,) in scene units. Returns float64 (3,). The published generator compares the signed
    displacement with the cap and so leaves negative moves uncapped: `symmetric=False`.
    """
    cap = np.abs(rng.normal(0.0, cap_deviation, size=3))
    return current + np.clip(target - current, -cap if symmetric else None, cap)


def smallest_distance(path: np.ndarray, others: list[np.ndarray]) -> float:
    """Smallest distance between a path and any other path at equal frame times.

    path: float (F, 3); others: list of float (F, 3), already evaluated at every frame. Returns scene units, inf when
    there are no others. Checked at every frame time, so that no accepted pair can be nearer in a rendered frame.
    """
    if not others:
        return float("inf")
    return float(min(np.linalg.norm(path - other, axis=1).min() for other in others))


def look_at_poses(locations: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Camera-to-world matrices of a camera that looks at a target with world z up.

    locations, targets: float (F, 3). Returns float64 (F, 4, 4); columns are the camera's right, up, backward axes and
    its location (Blender's convention: the camera looks along its -z axis).
    """
    forward = targets - locations
    forward = forward / np.linalg.norm(forward, axis=1, keepdims=True)
    right = np.cross(forward, np.array([0.0, 0.0, 1.0]))
    right = right / np.linalg.norm(right, axis=1, keepdims=True)
    up = np.cross(right, forward)
    poses = np.zeros((len(locations), 4, 4))
    poses[:, :3, 0], poses[:, :3, 1], poses[:, :3, 2], poses[:, :3, 3] = right, up, -forward, locations
    poses[:, 3, 3] = 1.0
    return poses
