"""Scenes drawn with chosen features, for the tests of recipes."""

import dataclasses

import numpy as np
from vosforge.render.assets.pool import Asset, AssetPool
from vosforge.render.camera_path import View
from vosforge.render.checks import RejectedScene
from vosforge.render.randomness import ClipRandomness
from vosforge.render.recipes import BL30K, sample_scene
from vosforge.render.scene import RenderSettings
from vosforge.render.trajectory import evaluate_path

SMALL = dataclasses.replace(BL30K, num_frames=48, render=RenderSettings(width=96, height=64))
MAPS = (("normal", "/n.png"), ("roughness", "/r.png"))
POOL = AssetPool(
    assets=(
        Asset(name="dancer", kind="model", path="/d.glb", sha256="1", rigged=True, animated=True),
        Asset(name="puppet", kind="model", path="/p.glb", sha256="2", rigged=True),
        Asset(name="stone", kind="model", path="/s.obj", sha256="3"),
        Asset(name="bricks", kind="texture", path="/b.png", sha256="4", maps=MAPS),
    )
)


def with_features(*features, recipe=SMALL):
    return dataclasses.replace(recipe, **{f"{feature.name.lower()}_probability": 1.0 for feature in features})


def draw(index, *features, pool=AssetPool(), seed=5):  # noqa: B008 (a frozen value)
    """The first accepted scene of a clip."""
    for attempt in range(20):
        try:
            rng = ClipRandomness(seed=seed, index=index, attempt=attempt)
            return sample_scene(rng, pool, with_features(*features))
        except RejectedScene:
            continue
    raise AssertionError("20 attempts were rejected")


def pairs(feature, *others, count=12, pool=AssetPool()):  # noqa: B008
    """(scene without, scene with) of equal clips and attempts, where both are accepted."""
    found = []
    for index in range(4 * count):
        rng = ClipRandomness(seed=8, index=index)
        try:
            found.append(tuple(sample_scene(rng, pool, with_features(*others, *more)) for more in ((), (feature,))))
        except RejectedScene:
            continue
        if len(found) == count:
            return found
    raise AssertionError("too few scenes were accepted")


def view_of(spec):
    return View.of(spec.camera, spec.num_frames, spec.render.width, spec.render.height)


def path_of(entry, spec):
    return evaluate_path(np.array(entry.location), spec.num_frames)
