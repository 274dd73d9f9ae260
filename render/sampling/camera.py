"""The camera of a scene: its path, then pan, zoom, shake, exposure time and focus on top of it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from ..camera_path import View
from ..scene import CameraSpec, LensSpec, ShakeWave
from ..trajectory import step_towards
from .features import Feature, Features
from .paths import as_points, as_vector, draw_automaton

if TYPE_CHECKING:
    from ..recipes import RecipeSettings


def draw_camera(rng: np.random.Generator, settings: RecipeSettings) -> CameraSpec:
    """Draw BL30K's camera: location and look-at are independent paths in their boxes, the field of view is constant."""
    camera_low, camera_high = np.array(settings.camera_box).T
    target_low, target_high = np.array(settings.look_at_box).T
    frames_per_segment = settings.num_frames / settings.degree
    location = [rng.uniform(camera_low, camera_high)]
    look_at = [rng.uniform(target_low, target_high)]
    caps = settings.symmetric_caps
    for is_static in draw_automaton(rng, settings):
        if is_static:
            location.append(location[-1])
            look_at.append(look_at[-1])
            continue
        deviation = settings.camera_speed_units_per_frame * frames_per_segment
        location.append(step_towards(rng, location[-1], rng.uniform(camera_low, camera_high), deviation, caps))
        deviation = settings.look_at_speed_units_per_frame * frames_per_segment
        look_at.append(step_towards(rng, look_at[-1], rng.uniform(target_low, target_high), deviation, caps))
    return CameraSpec(
        location=as_points(np.array(location)),
        look_at=as_points(np.array(look_at)),
        fov_radians=(float(rng.uniform(*settings.fov_radians)),),
    )


def add_camera_features(camera: CameraSpec, features: Features, settings: RecipeSettings) -> CameraSpec:
    """Pan, zoom, shake and motion blur, where chosen."""
    if features.chosen(Feature.PAN):
        camera = _pan(features.rng(Feature.PAN), camera, settings)
    if features.chosen(Feature.ZOOM):
        camera = _zoom(features.rng(Feature.ZOOM), camera, settings)
    if features.chosen(Feature.SHAKE):
        waves = draw_shake(features.rng(Feature.SHAKE), settings)
        camera = dataclasses.replace(camera, shake=waves)
    if features.chosen(Feature.MOTION_BLUR):
        shutter = features.rng(Feature.MOTION_BLUR).uniform(*settings.shutter_frames)
        camera = dataclasses.replace(camera, shutter_frames=float(shutter))
    return camera


def _pan(rng: np.random.Generator, camera: CameraSpec, settings: RecipeSettings) -> CameraSpec:
    """Turn the line of sight about the vertical, evenly from one side to the other."""
    turn = rng.uniform(*settings.pan_radians) * rng.choice([-1.0, 1.0])
    location, look_at = np.array(camera.location), np.array(camera.look_at)
    sight = look_at - location
    angles = turn * np.linspace(-0.5, 0.5, len(location))
    # From here on the sight keeps one bearing: its own wandering would add to the turn or take from it.
    length = np.linalg.norm(sight[:, :2], axis=1)
    bearing = np.arctan2(sight[:, 0], sight[:, 1]).mean() + angles
    sight = np.stack([length * np.sin(bearing), length * np.cos(bearing), sight[:, 2]], axis=1)
    return dataclasses.replace(camera, look_at=as_points(location + sight))


def _zoom(rng: np.random.Generator, camera: CameraSpec, settings: RecipeSettings) -> CameraSpec:
    """Change the focal length by a ratio, in or out, through a middle value of its own."""
    ratio, middle, is_in = rng.uniform(*settings.zoom_ratio), rng.uniform(0.2, 0.8), rng.random() < 0.5
    # The wide end is wider than the scene's own view and the long end longer: objects stay in the image.
    tangents = np.tan(0.5 * camera.fov_radians[0]) * ratio ** np.array([0.4, 0.4 - middle, -0.6])
    fov = 2.0 * np.arctan(tangents if is_in else tangents[::-1])
    return dataclasses.replace(camera, fov_radians=tuple(float(value) for value in fov))


def draw_shake(rng: np.random.Generator, settings: RecipeSettings) -> tuple[ShakeWave, ...]:
    """Sine waves of a hand-held camera: the slower, the wider."""
    waves = []
    for _ in range(int(rng.integers(settings.shake_waves[0], settings.shake_waves[1] + 1))):
        cycles = float(np.exp(rng.uniform(*np.log(settings.shake_cycles_per_frame))))
        slowness = settings.shake_cycles_per_frame[0] / cycles
        location = rng.normal(size=3) * rng.uniform(*settings.shake_location_units) * np.sqrt(slowness)
        look_at = rng.normal(size=3) * rng.uniform(*settings.shake_look_at_units) * np.sqrt(slowness)
        phase = float(rng.random())
        waves.append(
            ShakeWave(location=as_vector(location), look_at=as_vector(look_at), cycles_per_frame=cycles, phase=phase)
        )
    return tuple(waves)


def draw_lens(rng: np.random.Generator, settings: RecipeSettings, paths: dict[int, np.ndarray], view: View) -> LensSpec:
    """A lens in focus on one of the objects that stay in the image.

    paths: the centre (F, 3) of each instance id.
    """
    shares = {instance_id: view.sees(path).mean() for instance_id, path in paths.items()}
    least = min(0.6, max(shares.values()))
    f_stop = float(np.exp(rng.uniform(*np.log(settings.f_stop))))
    order = rng.permutation(list(paths))
    return LensSpec(f_stop=f_stop, focus_id=next(int(number) for number in order if shares[int(number)] >= least))
