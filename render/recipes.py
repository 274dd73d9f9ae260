"""Recipes: the numbers of a corpus and the draw of one scene from them.

`bl30k` holds the numbers of the BL30K generator (Cheng et al., CVPR 2021, and its published scene generator), with its
defects mended: clearance is checked at every frame time, step caps are symmetric, a scene that cannot be placed is
drawn again instead of accepted, objects do not leave through the camera, and the background plane fits the view.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

import numpy as np

from .assets import AssetPool
from .checks import RejectedScene
from .randomness import ClipRandomness, Stream
from .scene import BackgroundSpec, CameraSpec, LightSpec, ObjectSpec, RenderSettings, SceneSpec
from .trajectory import (
    draw_static_segments,
    evaluate_path,
    look_at_poses,
    project_points,
    smallest_distance,
    step_towards,
)

Interval = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class RecipeSettings:
    """Every number of a recipe. Intervals are uniform draws; budgets are units (or radians) per frame."""

    name: str = "bl30k"
    num_frames: int = 160
    objects: tuple[int, int] = (3, 5)
    degree: int = 4
    object_speed_units_per_frame: float = 0.03
    object_speed_radians_per_frame: float = 0.02
    object_scale: Interval = (1.25, 3.0)
    object_scale_change: Interval = (0.8**0.25, 1.25**0.25)
    object_depth: Interval = (-2.0, 5.0)
    frustum_apex: float = -6.0
    frustum_slope: float = 1.05 / 4.0
    """Half-width and half-height of the object frustum are slope * (y - apex)."""
    static_enter_probability: float = 0.10
    static_stay_probability: float = 0.35
    clearance_units: float = 0.75
    clearance_retries: int = 50
    camera_clearance_units: float = 2.5
    """Smallest distance between an object's centre and the camera, at every frame time."""
    centre_in_view_share: float = 0.25
    """Smallest share of frames in which an object's centre is inside the image."""
    camera_box: tuple[Interval, Interval, Interval] = ((-0.3, 0.3), (-6.0, -5.0), (-0.3, 0.3))
    look_at_box: tuple[Interval, Interval, Interval] = ((-0.5, 0.5), (3.0, 4.0), (-0.5, 0.5))
    camera_speed_units_per_frame: float = 0.10
    look_at_speed_units_per_frame: float = 0.10
    fov_radians: Interval = (0.7, 0.8)
    lights: tuple[int, int] = (1, 3)
    light_energy_watts: tuple[int, int] = (1000, 15000)
    light_radius: float = 11.0
    background_depth: float = 12.0
    background_emission: Interval = (0.1, 1.0)
    background_size: float | None = None
    """Side of the square background plane (BL30K: 40); None fits the plane to what the camera sees."""
    world_colour: tuple[float, float, float] = (0.535, 0.633, 0.608)
    world_strength: Interval = (0.2, 0.8)
    replace_textured_probability: float = 0.5
    """Probability of replacing the materials of a model that brings an appearance of its own (an image, vertex colours
    or several materials); without one it is 1."""
    texture_repeats: Interval = (0.7, 2.0)
    roughness: Interval = (0.3, 0.9)
    render: RenderSettings = field(default_factory=RenderSettings)


BL30K = RecipeSettings()

TINY = dataclasses.replace(
    BL30K, name="tiny", num_frames=6, objects=(2, 3), render=RenderSettings(width=96, height=64, samples=2)
)

RECIPES = {recipe.name: recipe for recipe in (BL30K, TINY)}


def recipe_named(name: str) -> RecipeSettings:
    """The settings of a recipe. Raises ValueError naming the known recipes."""
    if name not in RECIPES:
        raise ValueError(f"recipe {name!r} is unknown; choose one of: {', '.join(sorted(RECIPES))}")
    return RECIPES[name]


def sample_scene(rng: ClipRandomness, assets: AssetPool, settings: RecipeSettings) -> SceneSpec:
    """Draw one scene: a pure function of (seed, index, attempt), the assets and the settings.

    Raises RejectedScene when an object finds no path with clearance within `clearance_retries` draws (the caller draws
    again with the next attempt number). Source: BL30K scene generator, Cheng et al., CVPR 2021, section 5.
    """
    camera = _draw_camera(rng.stream(Stream.CAMERA), settings)
    camera_path = evaluate_path(np.array(camera.location), settings.num_frames)
    poses = look_at_poses(camera_path, evaluate_path(np.array(camera.look_at), settings.num_frames))
    return SceneSpec(
        recipe=settings.name,
        index=rng.index,
        attempt=rng.attempt,
        num_frames=settings.num_frames,
        objects=_draw_objects(rng, assets, settings, camera.fov_radians[0], poses),
        camera=camera,
        lights=_draw_lights(rng.stream(Stream.LIGHTS), settings),
        background=_draw_background(rng, assets, settings, camera.fov_radians[0], poses),
        world_colour=settings.world_colour,
        world_strength=float(rng.stream(Stream.LIGHTS).spawn(1)[0].uniform(*settings.world_strength)),
        render=settings.render,
        render_seed=int(rng.stream(Stream.RENDER).integers(2**31 - 1)),
    )


def _draw_objects(
    rng: ClipRandomness, assets: AssetPool, settings: RecipeSettings, fov_radians: float, poses: np.ndarray
) -> tuple[ObjectSpec, ...]:
    path_rng, look_rng = rng.stream(Stream.PATHS), rng.stream(Stream.APPEARANCE)
    num_objects = int(rng.stream(Stream.ASSETS).integers(settings.objects[0], settings.objects[1] + 1))
    objects: list[ObjectSpec] = []
    accepted: list[np.ndarray] = []
    for slot, object_rng in enumerate(path_rng.spawn(num_objects)):
        position = rng.index * settings.objects[1] + slot
        model = assets.deal("model", rng.seed, position)
        replaced = look_rng.random() < settings.replace_textured_probability
        texture = assets.deal("texture", rng.seed, position) if replaced or not assets.is_textured(model) else None
        repeats, roughness = look_rng.uniform(*settings.texture_repeats), look_rng.uniform(*settings.roughness)
        location, rotation, scale = _draw_clear_path(object_rng, settings, accepted, fov_radians, poses, slot)
        objects.append(
            ObjectSpec(
                instance_id=slot + 1,
                model=model,
                texture=texture,
                texture_repeats=float(repeats),
                roughness=float(roughness),
                location=_as_points(location),
                rotation=_as_points(rotation),
                scale=_as_points(scale),
            )
        )
        accepted.append(evaluate_path(location, settings.num_frames))
    return tuple(objects)


def _draw_clear_path(
    rng: np.random.Generator,
    settings: RecipeSettings,
    accepted: list[np.ndarray],
    fov_radians: float,
    poses: np.ndarray,
    slot: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw an object's control points until its path is clear of the others and of the camera."""
    width, height = settings.render.width, settings.render.height
    for _ in range(settings.clearance_retries + 1):
        location, rotation, scale = draw_object_path(rng, settings)
        path = evaluate_path(location, settings.num_frames)
        if smallest_distance(path, accepted) < settings.clearance_units:
            continue
        if smallest_distance(path, [poses[:, :3, 3]]) < settings.camera_clearance_units:
            continue
        if path[:, 1].max() > settings.background_depth - 1.0:
            continue
        x, y, depth = project_points(path, poses, fov_radians, width, height).T
        in_view = (x >= 0) & (x < width) & (y >= 0) & (y < height) & (depth > 0)
        if in_view.mean() >= settings.centre_in_view_share:
            return location, rotation, scale
    raise RejectedScene("no clear path", f"object {slot + 1} found none in {settings.clearance_retries + 1} draws")


def draw_object_path(rng: np.random.Generator, settings: RecipeSettings) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw the control points of one object: location, rotation (Euler angles, radians) and scale.

    Returns three float64 arrays (degree + 1, 3). Budgets per frame times the frames of a segment give the standard
    deviation of a step, so clips of any length move at the same speed.
    """
    frames_per_segment = settings.num_frames / settings.degree
    location_deviation = settings.object_speed_units_per_frame * frames_per_segment
    rotation_deviation = settings.object_speed_radians_per_frame * frames_per_segment
    location = [_draw_in_frustum(rng, settings)]
    rotation = [rng.uniform(0.0, 2.0 * np.pi, size=3)]
    scale = [rng.uniform(*settings.object_scale, size=3)]
    for is_static in _draw_automaton(rng, settings):
        if is_static:
            location.append(location[-1])
            rotation.append(rotation[-1])
            scale.append(scale[-1])
            continue
        location.append(step_towards(rng, location[-1], _draw_in_frustum(rng, settings), location_deviation))
        rotation.append(rotation[-1] + rng.normal(0.0, rotation_deviation, size=3))
        scale.append(scale[-1] * rng.uniform(*settings.object_scale_change, size=3))
    return np.array(location), np.array(rotation), np.array(scale)


def frustum_half_size(depth: float, settings: RecipeSettings) -> float:
    """Half-width and half-height of the object frustum at a depth y: 1.05 at y = -2, 2.8875 at y = 5 for BL30K."""
    return settings.frustum_slope * (depth - settings.frustum_apex)


def _draw_in_frustum(rng: np.random.Generator, settings: RecipeSettings) -> np.ndarray:
    depth = rng.uniform(*settings.object_depth)
    half = frustum_half_size(depth, settings)
    x, z = rng.uniform(-half, half, size=2)
    return np.array([x, depth, z])


def _draw_automaton(rng: np.random.Generator, settings: RecipeSettings) -> np.ndarray:
    return draw_static_segments(
        rng, settings.degree, settings.static_enter_probability, settings.static_stay_probability
    )


def _draw_camera(rng: np.random.Generator, settings: RecipeSettings) -> CameraSpec:
    camera_low, camera_high = np.array(settings.camera_box).T
    target_low, target_high = np.array(settings.look_at_box).T
    frames_per_segment = settings.num_frames / settings.degree
    location = [rng.uniform(camera_low, camera_high)]
    look_at = [rng.uniform(target_low, target_high)]
    for is_static in _draw_automaton(rng, settings):
        if is_static:
            location.append(location[-1])
            look_at.append(look_at[-1])
            continue
        deviation = settings.camera_speed_units_per_frame * frames_per_segment
        location.append(step_towards(rng, location[-1], rng.uniform(camera_low, camera_high), deviation))
        deviation = settings.look_at_speed_units_per_frame * frames_per_segment
        look_at.append(step_towards(rng, look_at[-1], rng.uniform(target_low, target_high), deviation))
    return CameraSpec(
        location=_as_points(np.array(location)),
        look_at=_as_points(np.array(look_at)),
        fov_radians=(float(rng.uniform(*settings.fov_radians)),),
    )


def _draw_lights(rng: np.random.Generator, settings: RecipeSettings) -> tuple[LightSpec, ...]:
    """One to three point lights on a sphere; their colour is light, with its largest channel at 1."""
    lights = []
    for _ in range(int(rng.integers(settings.lights[0], settings.lights[1] + 1))):
        direction = rng.normal(size=3)
        direction /= np.linalg.norm(direction)
        colour = 0.5 + rng.uniform(0.0, 0.5, size=3)
        lights.append(
            LightSpec(
                location=_as_vector(settings.light_radius * direction),
                colour=_as_vector(colour / colour.max()),
                energy_watts=float(rng.integers(settings.light_energy_watts[0], settings.light_energy_watts[1] + 1)),
            )
        )
    return tuple(lights)


def _draw_background(
    rng: ClipRandomness, assets: AssetPool, settings: RecipeSettings, fov_radians: float, poses: np.ndarray
) -> BackgroundSpec:
    width = height = settings.background_size
    if width is None:
        half_width, half_height = _seen_of_plane(settings, fov_radians, poses)
        aspect = settings.render.width / settings.render.height
        width = 2.0 * max(half_width, half_height * aspect) * 1.02
        height = width / aspect
    return BackgroundSpec(
        image=assets.deal("background", rng.seed, rng.index),
        emission_strength=float(rng.stream(Stream.APPEARANCE).spawn(1)[0].uniform(*settings.background_emission)),
        depth=settings.background_depth,
        width=float(width),
        height=float(height),
    )


def _seen_of_plane(settings: RecipeSettings, fov_radians: float, poses: np.ndarray) -> tuple[float, float]:
    """Half-width and half-height of the plane at `background_depth` that the camera sees over the whole clip."""
    width, height = settings.render.width, settings.render.height
    tangent = np.tan(0.5 * fov_radians) / max(width, height)
    corners = np.array([[sx * width, sy * height] for sx in (-1, 1) for sy in (-1, 1)]) * tangent
    rays = np.concatenate([corners, -np.ones((4, 1))], axis=1) @ poses[:, :3, :3].transpose(0, 2, 1)
    origins = poses[:, None, :3, 3]
    hits = origins + rays * ((settings.background_depth - origins[..., 1:2]) / rays[..., 1:2])
    return float(np.abs(hits[..., 0]).max()), float(np.abs(hits[..., 2]).max())


def _as_vector(values: np.ndarray) -> tuple[float, float, float]:
    return (float(values[0]), float(values[1]), float(values[2]))


def _as_points(points: np.ndarray) -> tuple[tuple[float, float, float], ...]:
    return tuple(_as_vector(point) for point in points)
