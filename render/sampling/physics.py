"""Physics drops: where objects start to fall, how fast the clip runs, and a camera that looks at where they land."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from ..camera_path import View
from ..checks import Reason, RejectedScene
from ..scene import CameraSpec, PhysicsSpec
from .paths import ObjectPath, as_points

if TYPE_CHECKING:
    from ..recipes import RecipeSettings

TRIES_PER_OBJECT = 240
LEFT, RIGHT, FRONT, BACK, TOP = -2.4, 2.4, 0.0, 4.4, 2.6
"""The air that objects start in, scene units: as much of the view as lies well before the wall."""
LEAST_FALL = 0.4
"""Smallest distance between the floor and a ball that holds an object when it starts."""
GAP = 0.02
"""Smallest distance between two such balls."""
LEAST_SEEN = 0.6
"""Smallest share of frames in which the centre of a falling object is expected in the image."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class DropPlan:
    """The numbers of a physics clip that objects and camera share; heights are z in scene units."""

    floor_height: float
    physics: PhysicsSpec
    camera_rise: float
    scale: float


def draw_drop(rng: np.random.Generator, settings: RecipeSettings) -> DropPlan:
    """Draw the floor, the shrinking of objects, the camera's rise, and the speed at which the clip plays."""
    floor_height = float(rng.uniform(*settings.physics_floor_height))
    fall_frames = rng.uniform(*settings.physics_fall_share) * settings.num_frames
    physics = PhysicsSpec(friction=float(rng.uniform(0.4, 0.8)), bounciness=float(rng.uniform(0.1, 0.5)))
    seconds = np.sqrt(2.0 * 3.0 / abs(physics.gravity))  # a fall of three units
    frames_per_second = float(np.clip(fall_frames / seconds, 8.0, 96.0))
    return DropPlan(
        floor_height=floor_height,
        physics=dataclasses.replace(physics, frames_per_second=frames_per_second),
        camera_rise=float(rng.uniform(*settings.physics_camera_rise)),
        scale=float(rng.uniform(*settings.physics_scale)),
    )


def look_at_floor(camera: CameraSpec, plan: DropPlan) -> CameraSpec:
    """Raise the camera and have it look down, almost half-way to the floor."""
    location = np.array(camera.location) + [0.0, 0.0, plan.camera_rise]
    look_at = np.array(camera.look_at) + [0.0, 0.0, 0.4 * plan.floor_height]
    return dataclasses.replace(camera, location=as_points(location), look_at=as_points(look_at))


def drop_object(
    rng: np.random.Generator,
    path: ObjectPath,
    fallen: list[ObjectPath],
    plan: DropPlan,
    view: View,
    settings: RecipeSettings,
) -> ObjectPath:
    """A place for one object to fall from: in the air, seen, and apart from the others as they start.

    Returns the path with one location for all control times and the first rotation and scale, shrunk. Raises
    RejectedScene when there is no room.
    """
    scale = path.scale[0] * plan.scale
    radius = 0.5 * float(scale.max())
    num_points = len(path.location)
    for _ in range(TRIES_PER_OBJECT):
        start = rng.uniform([LEFT, FRONT, plan.floor_height + radius + LEAST_FALL], [RIGHT, BACK, TOP])
        dropped = ObjectPath(
            location=np.tile(start, (num_points, 1)),
            rotation=np.tile(path.rotation[0], (num_points, 1)),
            scale=np.tile(scale, (num_points, 1)),
        )
        apart = all(np.linalg.norm(start - other.location[0]) >= radius + other.radius() + GAP for other in fallen)
        fall = expected_fall(dropped, plan, settings)
        away = np.linalg.norm(fall - view.locations, axis=1).min() >= settings.camera_clearance_units
        seen = view.sees(fall)
        if apart and away and seen[0] and seen.mean() >= max(LEAST_SEEN, settings.centre_in_view_share):
            return dropped
    raise RejectedScene(Reason.NO_CLEAR_PATH, "there is no room for another falling object")


def expected_fall(path: ObjectPath, plan: DropPlan, settings: RecipeSettings) -> np.ndarray:
    """The centre of a falling object that neither bounces nor rolls, float64 (F, 3)."""
    seconds = np.arange(settings.num_frames) / plan.physics.frames_per_second
    fall = np.tile(path.location[0], (settings.num_frames, 1))
    resting = plan.floor_height + 0.5 * path.radius()
    fall[:, 2] = np.maximum(fall[:, 2] + 0.5 * plan.physics.gravity * seconds**2, resting)
    return fall
