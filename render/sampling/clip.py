"""The draw of one scene from a recipe: the base scene as BL30K makes it, then the chosen features on top."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from ..assets.pool import AssetPool
from ..camera_path import View
from ..checks import Reason, RejectedScene
from ..randomness import ClipRandomness, Stream
from ..scene import AssetReference, CameraSpec, FloorSpec, ObjectSpec, SceneSpec
from .camera import add_camera_features, draw_camera, draw_lens
from .deformation import draw_deformation
from .features import MOST_OBJECTS, Feature, Features
from .passing import let_objects_pass
from .paths import ObjectPath, as_points, draw_clear_path, draw_object_path
from .physics import DropPlan, draw_drop, drop_object, expected_fall, look_at_floor
from .surroundings import (
    adapt_lights,
    draw_background,
    draw_environment,
    draw_floor,
    draw_lights,
    floor_under,
    has_floor,
)

if TYPE_CHECKING:
    from ..recipes import RecipeSettings

FLOOR_SLOT = MOST_OBJECTS - 1
"""Where a feature's choices hold the one for the floor: behind those for the objects."""


def sample_scene(rng: ClipRandomness, assets: AssetPool, settings: RecipeSettings) -> SceneSpec:
    """Draw one scene: a pure function of the clip's randomness, the assets and the settings.

    Raises RejectedScene when objects find no paths that keep their distance and are seen (the caller draws again with
    the next attempt number). Source: BL30K scene generator, Cheng et al., CVPR 2021, section 5.
    """
    features = Features(rng, settings)
    base_camera = draw_camera(rng.stream(Stream.CAMERA), settings)
    objects, paths = _draw_objects(rng, assets, settings, view_of(base_camera, settings))
    objects = [
        dataclasses.replace(entry, texture=_with_or_without_maps(entry.texture, features.chosen(Feature.PBR, slot)))
        for slot, entry in enumerate(objects)
    ]
    camera = add_camera_features(base_camera, features, settings)
    drop = draw_drop(features.rng(Feature.PHYSICS), settings) if features.chosen(Feature.PHYSICS) else None
    if drop is not None:
        camera = look_at_floor(camera, drop)
    view = view_of(camera, settings)
    if drop is not None:
        fallen: list[ObjectPath] = []
        for slot, path in enumerate(paths):
            fallen.append(drop_object(features.rng(Feature.PHYSICS, slot + 1), path, fallen, drop, view, settings))
        paths = fallen
    else:
        paths = let_objects_pass(paths, view, features, settings)
    if features.chosen(Feature.DISTRACTOR):
        twin, path = _draw_distractor(features, objects, paths, view, settings, drop)
        objects, paths = [*objects, twin], [*paths, path]
    centres = {
        entry.instance_id: expected_fall(path, drop, settings) if drop else path.centres(settings.num_frames)
        for entry, path in zip(objects, paths, strict=True)
    }
    _check_camera(centres, view, settings)
    if features.chosen(Feature.DEPTH_OF_FIELD):
        originals = {entry.instance_id: centres[entry.instance_id] for entry in objects if not entry.distractor_of}
        lens = draw_lens(features.rng(Feature.DEPTH_OF_FIELD), settings, originals, view)
        camera = dataclasses.replace(camera, lens=lens)
    floor = _draw_floor(rng, assets, features, settings, drop, list(centres.values()), paths)
    lights = draw_lights(rng.stream(Stream.LIGHTS), settings)
    return SceneSpec(
        recipe=settings.name,
        index=rng.index,
        attempt=rng.attempt,
        num_frames=settings.num_frames,
        objects=tuple(
            dataclasses.replace(
                entry,
                location=as_points(path.location),
                rotation=as_points(path.rotation),
                scale=as_points(path.scale),
                # Objects fall as rigid bodies.
                deformation=None if drop else draw_deformation(features, assets, entry.model, slot, settings),
            )
            for slot, (entry, path) in enumerate(zip(objects, paths, strict=True))
        ),
        camera=camera,
        lights=adapt_lights(lights, features, settings),
        background=draw_background(rng, assets, features, settings, view, floor),
        world_colour=settings.world_colour,
        world_strength=float(rng.stream(Stream.LIGHTS).spawn(1)[0].uniform(*settings.world_strength)),
        environment=draw_environment(rng, assets, features, settings),
        physics=drop.physics if drop else None,
        render=settings.render,
        render_seed=int(rng.stream(Stream.RENDER).integers(2**31 - 1)),
    )


def view_of(camera: CameraSpec, settings: RecipeSettings) -> View:
    """What a camera sees over the clip, at the recipe's resolution."""
    return View.of(camera, settings.num_frames, settings.render.width, settings.render.height)


def _draw_objects(
    rng: ClipRandomness, assets: AssetPool, settings: RecipeSettings, view: View
) -> tuple[list[ObjectSpec], list[ObjectPath]]:
    """The objects of the base scene, without their paths, and the paths."""
    path_rng, look_rng = rng.stream(Stream.PATHS), rng.stream(Stream.APPEARANCE)
    num_objects = int(rng.stream(Stream.ASSETS).integers(settings.objects[0], settings.objects[1] + 1))
    objects: list[ObjectSpec] = []
    paths: list[ObjectPath] = []
    for slot, object_rng in enumerate(path_rng.spawn(num_objects)):
        model = assets.deal("model", rng.seed, rng.place * settings.objects[1] + slot, rng.split)
        replaced = look_rng.random() < settings.replace_textured_probability
        position = rng.index * settings.objects[1] + slot
        texture = assets.deal("texture", rng.seed, position) if replaced or not assets.is_textured(model) else None
        repeats, roughness = look_rng.uniform(*settings.texture_repeats), look_rng.uniform(*settings.roughness)
        others = [path.centres(settings.num_frames) for path in paths]
        paths.append(draw_clear_path(object_rng, settings, others, view, f"object {slot + 1}"))
        objects.append(
            ObjectSpec(
                instance_id=slot + 1,
                model=model,
                texture=texture,
                texture_repeats=float(repeats),
                roughness=float(roughness),
            )
        )
    return objects, paths


def _draw_distractor(
    features: Features,
    objects: list[ObjectSpec],
    paths: list[ObjectPath],
    view: View,
    settings: RecipeSettings,
    drop: DropPlan | None,
) -> tuple[ObjectSpec, ObjectPath]:
    """One more object that looks like another and goes its own way."""
    rng = features.rng(Feature.DISTRACTOR)
    slot = int(rng.integers(len(objects)))
    if drop is None:
        others = [path.centres(settings.num_frames) for path in paths]
        path = draw_clear_path(rng, settings, others, view, "the distractor", settings.guest_in_view_share)
        path = dataclasses.replace(path, scale=paths[slot].scale)
    else:
        path = dataclasses.replace(draw_object_path(rng, settings), scale=paths[slot].scale / drop.scale)
        path = drop_object(rng, path, paths, drop, view, settings)
    twin = dataclasses.replace(objects[slot], instance_id=len(objects) + 1, distractor_of=objects[slot].instance_id)
    return twin, path


def _check_camera(centres: dict[int, np.ndarray], view: View, settings: RecipeSettings) -> None:
    """Reject a scene whose final camera comes too near to an object or loses sight of it."""
    for instance_id, path in centres.items():
        nearest = float(np.linalg.norm(path - view.locations, axis=1).min())
        share = float(view.sees(path).mean())
        if nearest < settings.camera_clearance_units or share < settings.centre_in_view_share:
            detail = (
                f"object {instance_id} is in view in {share:.0%} of the frames, {nearest:.1f} units away at the least"
            )
            raise RejectedScene(Reason.NO_CLEAR_PATH, detail)


def _draw_floor(
    rng: ClipRandomness,
    assets: AssetPool,
    features: Features,
    settings: RecipeSettings,
    drop: DropPlan | None,
    centres: list[np.ndarray],
    paths: list[ObjectPath],
) -> FloorSpec | None:
    """The floor: where objects fall to, or under all of them."""
    if not has_floor(features):
        return None
    radii = [path.radius() for path in paths]
    height = drop.floor_height if drop else floor_under(list(zip(centres, radii, strict=True)), settings)
    numbers = features.rng(Feature.LIT_BACKGROUND)
    # Floors are dealt by clip, objects by clip and slot: both without replacement, each in its own order.
    texture = assets.deal("texture", rng.seed, rng.index)
    texture = _with_or_without_maps(texture, features.chosen(Feature.PBR, FLOOR_SLOT))
    return draw_floor(numbers, height, texture, settings)


def _with_or_without_maps(texture: AssetReference | None, is_pbr: bool) -> AssetReference | None:
    """The texture, without its further maps unless they are wanted."""
    return texture if is_pbr or texture is None else dataclasses.replace(texture, maps=())
