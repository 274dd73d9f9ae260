"""Lights, environment map, background and floor of a scene."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from ..assets.pool import AssetPool
from ..camera_path import View
from ..randomness import ClipRandomness, Stream
from ..scene import AssetReference, BackgroundSpec, EnvironmentSpec, FloorSpec, LightSpec
from .features import Feature, Features
from .paths import as_vector

if TYPE_CHECKING:
    from ..recipes import RecipeSettings


def background_kind(features: Features) -> str:
    """A wall comes before an environment; falling objects get a wall where nothing else was chosen."""
    if features.chosen(Feature.LIT_BACKGROUND):
        return "lit"
    if features.chosen(Feature.HDRI) and features.chosen(Feature.ENVIRONMENT_BACKGROUND):
        return "environment"
    return "lit" if features.chosen(Feature.PHYSICS) else "emissive"


def has_floor(features: Features) -> bool:
    """Whether there is a floor: before a wall, and wherever objects fall."""
    return background_kind(features) == "lit" or features.chosen(Feature.PHYSICS)


def draw_lights(rng: np.random.Generator, settings: RecipeSettings) -> tuple[LightSpec, ...]:
    """One to three point lights on a sphere; their colour is light, with its largest channel at 1."""
    lights = []
    for _ in range(int(rng.integers(settings.lights[0], settings.lights[1] + 1))):
        direction = rng.normal(size=3)
        direction /= np.linalg.norm(direction)
        colour = 0.5 + rng.uniform(0.0, 0.5, size=3)
        lights.append(
            LightSpec(
                location=as_vector(settings.light_radius * direction),
                colour=as_vector(colour / colour.max()),
                energy_watts=float(rng.integers(settings.light_energy_watts[0], settings.light_energy_watts[1] + 1)),
            )
        )
    return tuple(lights)


def adapt_lights(lights: tuple[LightSpec, ...], features: Features, settings: RecipeSettings) -> tuple[LightSpec, ...]:
    """Bring lights above the floor and before the wall; beside an environment map keep one of them, dimmed."""
    if has_floor(features):
        lights = tuple(_before_wall_above_floor(light) for light in lights)
    if features.chosen(Feature.HDRI):
        share = features.rng(Feature.HDRI, 1).uniform(*settings.hdri_light_share)
        lights = tuple(
            dataclasses.replace(light, energy_watts=float(share * light.energy_watts)) for light in lights[:1]
        )
    return lights


def _before_wall_above_floor(light: LightSpec) -> LightSpec:
    """Mirror a light to the camera's side of the scene and lift it, at the same distance.

    A light near the wall burns a spot into it; one below the floor lights nothing.
    """
    location = np.array(light.location)
    radius = np.linalg.norm(location)
    x, y, z = location / radius
    direction = np.array([x, y if y < 0.2 else -y, max(abs(z), 0.25)])
    return dataclasses.replace(light, location=as_vector(radius * direction / np.linalg.norm(direction)))


def draw_environment(
    rng: ClipRandomness, assets: AssetPool, features: Features, settings: RecipeSettings
) -> EnvironmentSpec | None:
    """The environment map, where chosen."""
    if not features.chosen(Feature.HDRI):
        return None
    numbers = features.rng(Feature.HDRI)
    return EnvironmentSpec(
        image=assets.deal("environment", rng.seed, rng.index),
        rotation_radians=float(numbers.uniform(0.0, 2.0 * np.pi)),
        strength=float(numbers.uniform(*settings.hdri_strength)),
    )


def draw_background(
    rng: ClipRandomness,
    assets: AssetPool,
    features: Features,
    settings: RecipeSettings,
    view: View,
    floor: FloorSpec | None,
) -> BackgroundSpec:
    """The background picture and its plane, large enough for everything that the camera sees over the clip."""
    width = height = settings.background_size
    if width is None:
        half_width, half_height = seen_of_plane(view, settings.background_depth)
        aspect = settings.render.width / settings.render.height
        width = 2.0 * max(half_width, half_height * aspect) * 1.02
        height = width / aspect
    return BackgroundSpec(
        image=assets.deal("background", rng.seed, rng.index),
        emission_strength=float(rng.stream(Stream.APPEARANCE).spawn(1)[0].uniform(*settings.background_emission)),
        depth=settings.background_depth,
        width=float(width),
        height=float(height),
        kind=background_kind(features),
        floor=floor,
    )


def seen_of_plane(view: View, depth: float) -> tuple[float, float]:
    """Half-width and half-height of the plane at a depth y that the camera sees over the whole clip."""
    signs = np.array([[sx, sy] for sx in (-1.0, 1.0) for sy in (-1.0, 1.0)])
    corners = view.half_size()[:, None, :] * signs
    rays = np.concatenate([corners, -np.ones((*corners.shape[:2], 1))], axis=2) @ view.poses[:, :3, :3].transpose(
        0, 2, 1
    )
    origins = view.locations[:, None]
    hits = origins + rays * ((depth - origins[..., 1:2]) / rays[..., 1:2])
    return float(np.abs(hits[..., 0]).max()), float(np.abs(hits[..., 2]).max())


def draw_floor(rng: np.random.Generator, height: float, texture: AssetReference, settings: RecipeSettings) -> FloorSpec:
    """A floor at a height, with the size of its pattern and its roughness."""
    return FloorSpec(
        height=height,
        texture=texture,
        units_per_repeat=float(rng.uniform(*settings.floor_units_per_repeat)),
        roughness=float(rng.uniform(0.4, 0.9)),
    )


def floor_under(paths: list[tuple[np.ndarray, float]], settings: RecipeSettings) -> float:
    """The height of a floor under all objects, within its limits.

    paths: the centre (F, 3) and the radius of each object. Most of an object lies within 0.7 radii of its centre.
    """
    lowest = min(float(centres[:, 2].min()) - 0.7 * radius for centres, radius in paths)
    return float(np.clip(lowest, *settings.floor_height))
