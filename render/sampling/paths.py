"""Paths of objects: control points in the frustum, and the draw of a path that is clear of everything else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..camera_path import View
from ..checks import Reason, RejectedScene
from ..trajectory import draw_static_segments, evaluate_path, smallest_distance, step_towards

if TYPE_CHECKING:
    from ..recipes import RecipeSettings
    from ..scene import ControlPoints, Vector


@dataclass(frozen=True, kw_only=True)
class ObjectPath:
    """Control points of an object, float64 (P, 3) each; rotation in Euler angles (radians)."""

    location: np.ndarray
    rotation: np.ndarray
    scale: np.ndarray
    num_draws: int = 1
    """How many paths were drawn until this one was clear."""

    def centres(self, num_frames: int) -> np.ndarray:
        """The object's centre at every frame, float64 (F, 3)."""
        return evaluate_path(self.location, num_frames)

    def radius(self) -> float:
        """Radius of a ball about the centre that holds the object at every control time."""
        return 0.5 * float(self.scale.max())


def draw_object_path(rng: np.random.Generator, settings: RecipeSettings) -> ObjectPath:
    """Draw the control points of one object: location, rotation and scale.

    Budgets per frame times the frames of a segment give the standard deviation of a step, so clips of any length move
    at the same speed.
    """
    frames_per_segment = settings.num_frames / settings.degree
    location_deviation = settings.object_speed_units_per_frame * frames_per_segment
    rotation_deviation = settings.object_speed_radians_per_frame * frames_per_segment
    location = [draw_in_frustum(rng, settings)]
    rotation = [rng.uniform(0.0, 2.0 * np.pi, size=3)]
    scale = [rng.uniform(*settings.object_scale, size=3)]
    for is_static in draw_automaton(rng, settings):
        if is_static:
            location.append(location[-1])
            rotation.append(rotation[-1])
            scale.append(scale[-1])
            continue
        target = draw_in_frustum(rng, settings)
        location.append(step_towards(rng, location[-1], target, location_deviation, settings.symmetric_caps))
        rotation.append(rotation[-1] + rng.normal(0.0, rotation_deviation, size=3))
        scale.append(scale[-1] * rng.uniform(*settings.object_scale_change, size=3))
    return ObjectPath(location=np.array(location), rotation=np.array(rotation), scale=np.array(scale))


def draw_clear_path(
    rng: np.random.Generator,
    settings: RecipeSettings,
    others: list[np.ndarray],
    view: View,
    who: str,
    in_view_share: float | None = None,
) -> ObjectPath:
    """Draw an object's path until it is clear of the other paths (F, 3), of the camera and of the background.

    in_view_share: smallest share of frames with the centre in view; None: the recipe's `centre_in_view_share`. Raises
    RejectedScene after `clearance_retries` further draws.
    """
    least = settings.centre_in_view_share if in_view_share is None else in_view_share
    for draw in range(settings.clearance_retries + 1):
        path = draw_object_path(rng, settings)
        centres = path.centres(settings.num_frames)
        if not is_clear(centres, others, view, settings):
            continue
        if view.sees(centres).mean() >= least:
            return ObjectPath(location=path.location, rotation=path.rotation, scale=path.scale, num_draws=draw + 1)
    raise RejectedScene(Reason.NO_CLEAR_PATH, f"{who} found none in {settings.clearance_retries + 1} draws")


def is_clear(centres: np.ndarray, others: list[np.ndarray], view: View, settings: RecipeSettings) -> bool:
    """Whether a path (F, 3) keeps its distance from other paths, the camera and the background at every frame."""
    return (
        smallest_distance(centres, others) >= settings.clearance_units
        and smallest_distance(centres, [view.locations]) >= settings.camera_clearance_units
        and centres[:, 1].max() <= settings.background_depth - settings.background_clearance_units
    )


def frustum_half_size(depth: float, settings: RecipeSettings) -> float:
    """Half-width and half-height of the object frustum at a depth y: 1.05 at y = -2, 2.8875 at y = 5 for BL30K."""
    return settings.frustum_slope * (depth - settings.frustum_apex)


def draw_in_frustum(rng: np.random.Generator, settings: RecipeSettings) -> np.ndarray:
    """A point of the object frustum, float64 (3,): uniform in depth, then uniform across."""
    depth = rng.uniform(*settings.object_depth)
    half = frustum_half_size(depth, settings)
    x, z = rng.uniform(-half, half, size=2)
    return np.array([x, depth, z])


def draw_automaton(rng: np.random.Generator, settings: RecipeSettings) -> np.ndarray:
    """Which of a path's segments are static, bool (degree,)."""
    return draw_static_segments(
        rng, settings.degree, settings.static_enter_probability, settings.static_stay_probability
    )


def as_vector(values: np.ndarray) -> Vector:
    """Three numbers as plain floats."""
    return (float(values[0]), float(values[1]), float(values[2]))


def as_points(points: np.ndarray) -> ControlPoints:
    """Points (P, 3) as plain floats."""
    return tuple(as_vector(point) for point in points)
