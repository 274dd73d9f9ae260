"""Objects that enter, leave, or pass behind one another: a smooth push on top of a path that was drawn before.

A push is a polynomial of the path's degree that is given by its values at the control times, so the pushed path is
again a polynomial through its control points. P control points, F frames.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from ..camera_path import View
from ..checks import Reason, RejectedScene
from ..trajectory import evaluate_path, frame_times
from .features import Feature, Features
from .paths import ObjectPath, is_clear

if TYPE_CHECKING:
    from ..recipes import RecipeSettings

SIDES = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
"""Right, left, up and down in camera axes."""
TRIES_PER_OBJECT = 24
FEWEST_FRAMES = 4
"""A shorter clip leaves no time to come in, to meet or to go."""


def let_objects_pass(
    paths: list[ObjectPath], view: View, features: Features, settings: RecipeSettings
) -> list[ObjectPath]:
    """Have one object enter, one leave and one pass behind another, where chosen.

    Returns the paths with up to three of them pushed; in a clip of fewer than four frames, as they are; a single object
    passes behind nothing. Raises RejectedScene when no object can do what was chosen.
    """
    if settings.num_frames < FEWEST_FRAMES:
        return paths
    ends: dict[int, set[int]] = {}
    for feature, end in ((Feature.ENTERING, 0), (Feature.LEAVING, -1)):
        if features.chosen(feature):
            slot, paths = _cross_the_edge(features.rng(feature), paths, view, settings, end, ends)
            ends.setdefault(slot, set()).add(end)
    if features.chosen(Feature.CROSSING) and len(paths) > 1:
        paths = _pass_behind(features.rng(Feature.CROSSING), paths, view, settings, ends)
    return paths


def is_outside(path: ObjectPath, view: View, frame: int, settings: RecipeSettings) -> bool:
    """Whether a ball that holds the object lies wholly outside the image at a frame."""
    right, up, depth = view.in_camera(path.centres(settings.num_frames))[frame]
    half = view.half_size()[frame]
    beyond = np.abs([right, up]) - half * depth
    return bool((beyond >= path.radius() * np.sqrt(1.0 + half**2)).any())


def _cross_the_edge(
    rng: np.random.Generator,
    paths: list[ObjectPath],
    view: View,
    settings: RecipeSettings,
    end: int,
    ends: dict[int, set[int]],
) -> tuple[int, list[ObjectPath]]:
    """Push one end of a path out of the image; end: 0 for the first frame, -1 for the last."""
    times = np.linspace(0.0, 1.0, settings.degree + 1)
    fading = 1.0 - times if end == 0 else times
    centres = [path.centres(settings.num_frames) for path in paths]
    for slot in rng.permutation(len(paths)):
        others = centres[:slot] + centres[slot + 1 :]
        for _ in range(TRIES_PER_OBJECT):
            side, power = SIDES[rng.choice(4, p=[0.35, 0.35, 0.15, 0.15])], int(rng.integers(2, settings.degree + 1))
            shift = _shift_outside(centres[slot][end], paths[slot].radius(), view, end, side)
            location = paths[slot].location + fading[:, None] ** power * shift
            pushed = dataclasses.replace(paths[slot], location=location)
            if _may_pass(pushed, others, view, settings, ends.get(int(slot), set()) | {end}):
                return int(slot), [*paths[:slot], pushed, *paths[slot + 1 :]]
    raise RejectedScene(Reason.NO_CLEAR_PATH, f"no object can {'enter' if end == 0 else 'leave'} the image")


def _shift_outside(centre: np.ndarray, radius: float, view: View, end: int, side: np.ndarray) -> np.ndarray:
    """The move (3,) along the camera's right or up axis that brings a ball just out of the image."""
    right, up, depth = view.in_camera(np.broadcast_to(centre, view.locations.shape))[end]
    half = view.half_size()[end]
    edge = half * depth + 1.02 * radius * np.sqrt(1.0 + half**2)
    move = side * edge - np.array([right, up]) * np.abs(side)
    return view.poses[end, :3, :2] @ move


def _may_pass(path: ObjectPath, others: list[np.ndarray], view: View, settings: RecipeSettings, ends: set[int]) -> bool:
    centres = path.centres(settings.num_frames)
    least = settings.guest_in_view_share if ends else settings.centre_in_view_share
    return (
        is_clear(centres, others, view, settings)
        and view.sees(centres).mean() >= least
        and all(is_outside(path, view, end, settings) for end in ends)
    )


def _pass_behind(
    rng: np.random.Generator,
    paths: list[ObjectPath],
    view: View,
    settings: RecipeSettings,
    ends: dict[int, set[int]],
) -> list[ObjectPath]:
    """Push one object onto the line of sight to another, half-way through the clip or so."""
    centres = [path.centres(settings.num_frames) for path in paths]
    times, controls = frame_times(settings.num_frames), np.linspace(0.0, 1.0, settings.degree + 1)
    pairs = [(near, far) for near in range(len(paths)) for far in range(len(paths)) if near != far]
    for near, far in (pairs[number] for number in rng.permutation(len(pairs))):
        others = centres[:near] + centres[near + 1 :]
        for _ in range(TRIES_PER_OBJECT // 2):
            frame = 1 + int(np.argmin(np.abs(times[1:-1] - rng.uniform(0.3, 0.7))))
            meeting = times[frame] * (1.0 - times[frame])
            # At the ends of the clip nothing changes, so that who enters or leaves still does.
            weights = (controls * (1.0 - controls) / meeting) ** int(rng.integers(1, settings.degree // 2 + 1))
            depths = [view.in_camera(centres[slot])[frame, 2] for slot in (near, far)]
            if depths[0] + settings.crossing_depth_gap > depths[1] or not view.sees(centres[far])[frame]:
                continue
            eye = view.locations[frame]
            target = eye + (centres[far][frame] - eye) * (depths[0] / depths[1])
            location = paths[near].location + weights[:, None] * (target - centres[near][frame])
            pushed = dataclasses.replace(paths[near], location=location)
            is_sound = _may_pass(pushed, others, view, settings, ends.get(near, set()))
            if is_sound and _separate(pushed, paths[far], view, settings):
                return [*paths[:near], pushed, *paths[near + 1 :]]
    raise RejectedScene(Reason.NO_CLEAR_PATH, "no object can pass behind another")


def _separate(near: ObjectPath, far: ObjectPath, view: View, settings: RecipeSettings) -> bool:
    """Whether two objects that meet in the image are also seen apart in it: at some frame, by half their radii."""
    first, second = (view.project(evaluate_path(path.location, settings.num_frames)) for path in (near, far))
    distance = np.linalg.norm(first[:, :2] - second[:, :2], axis=1)
    apart = 0.5 * view.focal_lengths * (near.radius() / first[:, 2] + far.radius() / second[:, 2])
    return bool((distance >= apart).any())
