"""Scenes hold the BL30K numbers, keep their clearance, and are pure functions of their seed."""

import dataclasses
import hashlib
import subprocess
import sys

import numpy as np
import pytest
from vosforge.render.assets.pool import Asset, AssetPool
from vosforge.render.checks import RejectedScene
from vosforge.render.randomness import ClipRandomness
from vosforge.render.recipes import BL30K, BL30K_PLUS, TINY, RecipeSettings, recipe_named, sample_scene
from vosforge.render.sampling.features import Feature
from vosforge.render.sampling.paths import draw_object_path, frustum_half_size
from vosforge.render.scene import SceneSpec
from vosforge.render.trajectory import evaluate_path, look_at_poses

POOL = AssetPool()


def scenes(count, settings=BL30K, seed=11):
    drawn = []
    for index in range(count):
        for attempt in range(20):
            try:
                drawn.append(sample_scene(ClipRandomness(seed=seed, index=index, attempt=attempt), POOL, settings))
                break
            except RejectedScene:
                continue
    assert len(drawn) == count
    return drawn


@pytest.fixture(scope="module")
def many_scenes():
    return scenes(150)


PUBLISHED = {
    "num_frames": 160,
    "objects": (3, 5),
    "degree": 4,
    "object_scale": (1.25, 3.0),
    "object_scale_change": (0.8**0.25, 1.25**0.25),
    "object_speed_units_per_frame": 0.03,
    "object_speed_radians_per_frame": 0.02,
    "object_depth": (-2.0, 5.0),
    "static_enter_probability": 0.10,
    "static_stay_probability": 0.35,
    "clearance_units": 0.75,
    "clearance_retries": 50,
    "camera_speed_units_per_frame": 0.10,
    "look_at_speed_units_per_frame": 0.10,
    "camera_box": ((-0.3, 0.3), (-6.0, -5.0), (-0.3, 0.3)),
    "look_at_box": ((-0.5, 0.5), (3.0, 4.0), (-0.5, 0.5)),
    "fov_radians": (0.7, 0.8),
    "lights": (1, 3),
    "light_energy_watts": (1000, 15000),
    "light_radius": 11.0,
    "background_depth": 12.0,
    "background_emission": (0.1, 1.0),
    "world_colour": (0.535, 0.633, 0.608),
    "replace_textured_probability": 0.5,
}


def test_bl30k_holds_the_published_numbers():
    assert {name: getattr(BL30K, name) for name in PUBLISHED} == PUBLISHED
    assert (BL30K.render.width, BL30K.render.height) == (768, 512)
    assert [round(frustum_half_size(y, BL30K), 4) for y in (-2, 0, 2, 5)] == [1.05, 1.575, 2.10, 2.8875]


def test_counts_of_objects_and_lights_are_uniform(many_scenes):
    objects = np.array([len(scene.objects) for scene in many_scenes])
    lights = np.array([len(scene.lights) for scene in many_scenes])
    assert set(objects) == {3, 4, 5} and set(lights) == {1, 2, 3}
    assert objects.mean() == pytest.approx(4.0, abs=0.25)
    assert lights.mean() == pytest.approx(2.0, abs=0.25)


def test_every_pair_keeps_its_clearance_at_every_frame(many_scenes):
    for scene in many_scenes:
        paths = [evaluate_path(np.array(entry.location), scene.num_frames) for entry in scene.objects]
        for first in range(len(paths)):
            for second in range(first):
                assert np.linalg.norm(paths[first] - paths[second], axis=1).min() >= 0.75


def test_objects_stay_away_from_the_camera_and_the_background(many_scenes):
    for scene in many_scenes:
        camera = evaluate_path(np.array(scene.camera.location), scene.num_frames)
        for entry in scene.objects:
            path = evaluate_path(np.array(entry.location), scene.num_frames)
            assert np.linalg.norm(path - camera, axis=1).min() >= BL30K.camera_clearance_units
            assert path[:, 1].max() < scene.background.depth


def test_the_background_plane_covers_every_view(many_scenes):
    for scene in many_scenes[:40]:
        locations = evaluate_path(np.array(scene.camera.location), scene.num_frames)
        poses = look_at_poses(locations, evaluate_path(np.array(scene.camera.look_at), scene.num_frames))
        tangent = np.tan(scene.camera.fov_radians[0] / 2)
        for sx in (-1, 1):
            for sy in (-1, 1):
                ray = poses[:, :3, :3] @ np.array([sx * tangent, sy * tangent * 2 / 3, -1.0])
                hit = locations + ray * ((12.0 - locations[:, 1:2]) / ray[:, 1:2])
                assert np.abs(hit[:, 0]).max() <= scene.background.width / 2
                assert np.abs(hit[:, 2]).max() <= scene.background.height / 2


def test_lights_lie_on_their_sphere_with_light_colours(many_scenes):
    for scene in many_scenes:
        for light in scene.lights:
            assert np.linalg.norm(light.location) == pytest.approx(11.0)
            assert max(light.colour) == pytest.approx(1.0) and min(light.colour) >= 0.5
            assert 1000 <= light.energy_watts <= 15000


def test_speed_does_not_depend_on_the_length_of_a_clip():
    def mean_speed(num_frames):
        rng = np.random.default_rng(5)
        settings = dataclasses.replace(BL30K, num_frames=num_frames)
        paths = [draw_object_path(rng, settings).centres(num_frames) for _ in range(400)]
        return np.mean([np.linalg.norm(np.diff(path, axis=0), axis=1).mean() for path in paths])

    assert mean_speed(160) == pytest.approx(0.038, rel=0.15), "symmetric caps: 0.038 units a frame"
    assert 0.5 < mean_speed(32) / mean_speed(160) < 2.0


def test_a_scene_is_a_pure_function_of_seed_index_and_attempt():
    first, again = (sample_scene(ClipRandomness(seed=3, index=7, attempt=0), POOL, TINY) for _ in range(2))
    assert first == again
    others = [
        sample_scene(ClipRandomness(seed=seed, index=index, attempt=attempt), POOL, TINY)
        for seed, index, attempt in ((4, 7, 0), (3, 8, 0), (3, 7, 1))
    ]
    assert all(other.objects[0].location != first.objects[0].location for other in others)


def test_a_new_attempt_keeps_the_models_and_draws_new_paths():
    first, second = (sample_scene(ClipRandomness(seed=3, index=7, attempt=attempt), POOL, TINY) for attempt in (0, 1))
    assert first.objects[0].model == second.objects[0].model
    assert first.background.image == second.background.image
    assert first.objects[0].location != second.objects[0].location


def test_a_spec_survives_json():
    spec = scenes(1, TINY)[0]
    assert SceneSpec.from_json(spec.to_json()) == spec
    with pytest.raises(ValueError, match="not a scene spec"):
        SceneSpec.from_json('{"objects": 3}')


def test_a_scene_that_cannot_be_placed_is_rejected_not_accepted():
    crowded = dataclasses.replace(TINY, objects=(5, 5), clearance_units=20.0)
    with pytest.raises(RejectedScene, match="no clear path"):
        sample_scene(ClipRandomness(seed=0, index=0), POOL, crowded)


def test_assets_are_dealt_without_replacement():
    pool = AssetPool(
        assets=tuple(Asset(name=f"models/{i}.obj", kind="model", path=f"/{i}.obj", sha256=str(i)) for i in range(7))
    )
    names = [pool.deal("model", 9, position).name for position in range(21)]
    cycles = [names[0:7], names[7:14], names[14:21]]
    assert all(len(set(cycle)) == 7 for cycle in cycles)
    assert len({tuple(cycle) for cycle in cycles}) > 1
    assert pool.deal("model", 9, 12).name == names[12]


def test_quarantined_assets_are_never_dealt():
    good = Asset(name="a", kind="model", path="/a.obj", sha256="1")
    bad = Asset(name="b", kind="model", path="/b.obj", sha256="2", reason="broken")
    pool = AssetPool(assets=(good, bad))
    assert {pool.deal("model", 0, position).name for position in range(20)} == {"a"}


def test_models_without_textures_are_always_textured_anew():
    pool = AssetPool(
        assets=(
            Asset(name="bare", kind="model", path="/a.obj", sha256="1"),
            Asset(name="rich", kind="model", path="/b.obj", sha256="2", textured=True),
        )
    )
    replaced = {"bare": [], "rich": []}
    for index in range(60):
        try:
            spec = sample_scene(ClipRandomness(seed=1, index=index), pool, TINY)
        except RejectedScene:
            continue
        for entry in spec.objects:
            replaced[entry.model.name].append(entry.texture is not None)
    assert all(replaced["bare"])
    assert 0.3 < np.mean(replaced["rich"]) < 0.7


def test_an_unknown_recipe_is_named():
    with pytest.raises(ValueError, match="'bl31k' is unknown; choose one of: bl30k, bl30k-plus, tiny"):
        recipe_named("bl31k")


def test_a_number_that_cannot_be_is_named():
    with pytest.raises(ValueError, match=r"pan_probability 1.5: must be from 0 to 1"):
        dataclasses.replace(BL30K, pan_probability=1.5)
    with pytest.raises(ValueError, match=r"pan_probability 2: must be from 0 to 1"):
        dataclasses.replace(BL30K, pan_probability=2)
    with pytest.raises(ValueError, match=r"hdri_light_share \(0.5, 1.5\): must be from 0 to 1"):
        dataclasses.replace(BL30K, hdri_light_share=(0.5, 1.5))
    with pytest.raises(ValueError, match=r"fov_radians \(0.9, 0.7\): the first number must not be larger"):
        dataclasses.replace(BL30K, fov_radians=(0.9, 0.7))
    with pytest.raises(ValueError, match=r"objects \(3, 16\): a clip holds 1 to 15 objects"):
        dataclasses.replace(BL30K, objects=(3, 16))


def test_bl30k_has_no_feature_of_the_larger_recipe():
    names = [f"{feature.name.lower()}_probability" for feature in Feature]
    assert {entry.name for entry in dataclasses.fields(RecipeSettings)} >= set(names)
    assert all(getattr(BL30K, name) == 0.0 for name in names)
    assert all(0.0 < getattr(BL30K_PLUS, name) < 1.0 for name in names)


def test_models_are_dealt_by_the_clips_place_within_its_split():
    files = (
        Asset(name=f"m{i}", kind="model", path=f"/{i}.obj", sha256=hashlib.sha256(bytes([i])).hexdigest())
        for i in range(80)
    )
    pool = AssetPool(assets=tuple(files), val_share=0.4)
    shown = {"train": [], "val": []}
    for index in range(10):
        rng = ClipRandomness.of_clip(seed=2, index=index, val_every=4)
        shown[rng.split] += [entry.model.name for entry in sample_scene(rng, pool, TINY).objects]
    assert all(len(set(names)) == len(names) > 0 for names in shown.values()), "no model twice before all were shown"
    assert not set(shown["train"]) & set(shown["val"])


def test_the_split_of_a_clip_is_the_corpus_split():
    from vosforge.datagen.corpus.description import CorpusDescription

    for val_every in (0, 1, 3):
        corpus = CorpusDescription(
            name="c", recipe="tiny", parameters={}, seed=0, num_clips=9, clips_per_shard=2, val_every=val_every
        )
        clips = [ClipRandomness.of_clip(seed=0, index=index, val_every=val_every) for index in range(9)]
        assert [clip.split for clip in clips] == [corpus.split(index) for index in range(9)]
        for split in ("train", "val"):
            places = [clip.place for clip in clips if clip.split == split]
            assert places == list(range(len(places)))


def test_importing_the_sampler_needs_no_blender():
    code = "import sys, vosforge.render.recipes, vosforge.render.jobs; sys.exit('bpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
