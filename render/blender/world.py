"""The light of the world: a plain colour, or a high-dynamic-range picture around the scene; and the exposure."""

from __future__ import annotations

import bpy
import cv2
import numpy as np

from ..assets.pictures import load_environment
from ..scene import EnvironmentSpec, SceneSpec
from .pictures import as_blender_data

LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
SEEN_HEIGHT, UNSEEN_HEIGHT = 2048, 512
"""Rows of an environment map that fills the background, and of one that only gives light."""
PAINTED_SEEN_HEIGHT, PAINTED_UNSEEN_HEIGHT = 1024, 256
SAMPLING_COLUMNS = 512
EXPOSURE_SHARE = 0.75
"""How much of the difference in light the exposure makes up for; a camera leaves dim scenes dim."""
EXPOSURE_STOPS = (-3.0, 3.0)


def add_world(spec: SceneSpec) -> None:
    """Light the scene from around: by its environment map when it has one, else by the colour of the world."""
    world = bpy.context.scene.world
    world.use_nodes = True
    background = world.node_tree.nodes["Background"]
    if spec.environment is None:
        background.inputs["Color"].default_value = (*spec.world_colour, 1.0)
        background.inputs["Strength"].default_value = spec.world_strength
        return
    radiance = environment_map(spec.environment, is_seen=spec.background.kind == "environment")
    background.inputs["Strength"].default_value = spec.environment.strength / mean_radiance(radiance)
    nodes, links = world.node_tree.nodes, world.node_tree.links
    # The map by which Cycles finds bright spots; in its automatic size it costs 1.2 CPU-seconds a clip (measured).
    world.cycles.sampling_method, world.cycles.sample_map_resolution = "MANUAL", SAMPLING_COLUMNS
    picture, mapping = nodes.new("ShaderNodeTexEnvironment"), nodes.new("ShaderNodeMapping")
    coordinates = nodes.new("ShaderNodeTexCoord")
    picture.image = as_blender_data(radiance, "environment")
    mapping.inputs["Rotation"].default_value = (0.0, 0.0, spec.environment.rotation_radians)
    links.new(coordinates.outputs["Generated"], mapping.inputs["Vector"])
    links.new(mapping.outputs["Vector"], picture.inputs["Vector"])
    links.new(picture.outputs["Color"], background.inputs["Color"])


def environment_map(environment: EnvironmentSpec, *, is_seen: bool) -> np.ndarray:
    """The map of an environment: linear radiance, float32 (H, 2H, 3), the first row straight up.

    is_seen: whether it fills the background and so needs the resolution. Raises ValueError when the file is not a
    picture or holds no light.
    """
    radiance = load_environment(environment.image, PAINTED_SEEN_HEIGHT if is_seen else PAINTED_UNSEEN_HEIGHT)
    rows = min(radiance.shape[0], SEEN_HEIGHT if is_seen else UNSEEN_HEIGHT)
    if radiance.shape[:2] != (rows, 2 * rows):
        radiance = cv2.resize(radiance, (2 * rows, rows), interpolation=cv2.INTER_AREA)
    if radiance.max() <= 0:
        raise ValueError(f"environment {environment.image.name!r} is black; give a picture that holds light")
    return np.clip(radiance, 0.0, None)


def mean_radiance(radiance: np.ndarray) -> float:
    """Mean luminance of an equirectangular map over the sphere: its rows weigh what they cover."""
    height = radiance.shape[0]
    weights = np.sin(np.pi * (np.arange(height) + 0.5) / height)
    return float((radiance @ LUMINANCE).mean(axis=1) @ weights / weights.sum())


def exposure_stops(spec: SceneSpec) -> float:
    """The exposure of a lit scene in stops, from the light that reaches its objects; 0 for a BL30K scene.

    A picture that shines by itself needs none, and BL30K has none. Where the background is lit by the same lamps as the
    objects, whose power varies by a factor of fifty, a camera without exposure would give black and white frames.
    """
    if spec.environment is None and spec.background.kind == "emissive":
        return 0.0
    level = (
        spec.environment.strength
        if spec.environment
        else spec.world_strength * float(np.array(spec.world_colour) @ LUMINANCE)
    )
    centres = np.array([np.mean(entry.location, axis=0) for entry in spec.objects])
    for light in spec.lights:
        squared = np.maximum(((centres - light.location) ** 2).sum(axis=1), 1.0)
        # A lamp of P watts at distance r gives a white surface that faces it a radiance of P / (4 pi^2 r^2); half of
        # that stands for all the surfaces that are turned to it.
        level += (
            0.5 * float(np.array(light.colour) @ LUMINANCE) * light.energy_watts * np.mean(1 / squared) / (4 * np.pi**2)
        )
    return float(np.clip(-EXPOSURE_SHARE * np.log2(max(level, 1e-6)), *EXPOSURE_STOPS))
