"""Which asset of a scene that does not render is to blame: each is tried alone, in a child process of its own."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

from ..procedural.shapes import SHAPE_FAMILIES
from ..procedural.textures import BACKGROUND_FAMILIES
from ..process.child import ChildFailure
from ..scene import AssetReference, ObjectSpec, SceneSpec

GUILTY_AFTER = 2
"""Failures alone after which an asset is guilty; one may be chance."""

Try = Callable[[SceneSpec], ChildFailure | None]


def scene_assets(spec: SceneSpec) -> list[AssetReference]:
    """Every asset of a scene once: models, textures, then what surrounds them."""
    found = [entry.model for entry in spec.objects]
    found += [entry.texture for entry in spec.objects if entry.texture]
    found.append(spec.background.image)
    if spec.background.floor:
        found.append(spec.background.floor.texture)
    if spec.environment:
        found.append(spec.environment.image)
    return list({asset.name: asset for asset in found}.values())


def absent_files(spec: SceneSpec) -> list[str]:
    """The asset files of a scene that are not on this node, as "name (path)"."""
    files = [(asset.name, path) for asset in scene_assets(spec) for path in (asset.path, *dict(asset.maps).values())]
    return [f"{name} ({path})" for name, path in files if path is not None and not Path(path).exists()]


def find_culprit(spec: SceneSpec, attempt: Try) -> tuple[str, str] | None:
    """Return (asset name, reason) of the first asset that fails on its own GUILTY_AFTER times, None without one.

    attempt: renders a scene and returns why it failed, None when it rendered or was rejected. A plain scene is tried
    before all others: when that fails, the node is at fault and no asset is. A failure of the GPU blames no asset.
    """
    if attempt(plain_scene(spec)) is not None:
        return None
    for name, scene in solo_scenes(spec):
        failures = list(itertools.takewhile(lambda failure: failure, (attempt(scene) for _ in range(GUILTY_AFTER))))
        if len(failures) == GUILTY_AFTER and failures[-1].kind != "gpu":
            return name, f"{failures[-1].kind}: {failures[-1]}"
    return None


def plain_scene(spec: SceneSpec) -> SceneSpec:
    """Two small frames of one procedural shape before a procedural background, with the lights of the scene."""
    render = spec.render
    scale = min(1.0, 128 / max(render.width, render.height))
    return dataclasses.replace(
        spec,
        num_frames=2,
        objects=(_plain_object(spec),),
        camera=dataclasses.replace(spec.camera, shake=(), lens=None, shutter_frames=0.0),
        background=dataclasses.replace(
            spec.background,
            image=_procedural("background", next(iter(BACKGROUND_FAMILIES))),
            kind="emissive",
            floor=None,
        ),
        environment=None,
        physics=None,
        render=dataclasses.replace(
            render,
            samples=1,
            width=max(16, round(render.width * scale)),
            height=max(16, round(render.height * scale)),
            passes=("ids",),
        ),
    )


def solo_scenes(spec: SceneSpec) -> Iterator[tuple[str, SceneSpec]]:
    """Yield (asset name, the plain scene with that asset alone put in), in the order of `scene_assets`."""
    plain, seen = plain_scene(spec), set()

    def fresh(asset: AssetReference | None) -> bool:
        is_fresh = asset is not None and asset.name not in seen
        if is_fresh:
            seen.add(asset.name)
        return is_fresh

    for entry in spec.objects:
        if fresh(entry.model):
            alone = dataclasses.replace(entry, instance_id=1, texture=None, distractor_of=None)
            yield entry.model.name, dataclasses.replace(plain, objects=(alone,))
    textures = [entry.texture for entry in spec.objects]
    if spec.background.floor:
        textures.append(spec.background.floor.texture)
    for texture in textures:
        if fresh(texture):
            yield texture.name, dataclasses.replace(plain, objects=(_plain_object(spec, texture),))
    if fresh(spec.background.image):
        background = dataclasses.replace(plain.background, image=spec.background.image)
        yield spec.background.image.name, dataclasses.replace(plain, background=background)
    if spec.environment and fresh(spec.environment.image):
        yield spec.environment.image.name, dataclasses.replace(plain, environment=spec.environment)


def _plain_object(spec: SceneSpec, texture: AssetReference | None = None) -> ObjectSpec:
    first = spec.objects[0]
    model = _procedural("model", next(iter(SHAPE_FAMILIES)))
    return dataclasses.replace(first, instance_id=1, model=model, texture=texture, deformation=None, distractor_of=None)


def _procedural(kind: str, family: str) -> AssetReference:
    return AssetReference(name=f"procedural/{kind}/{family}/0", family=family, seed=0)
