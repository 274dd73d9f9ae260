"""Every feature beyond BL30K does what its name says, and changes nothing else of a scene."""

import dataclasses

import numpy as np
import pytest
from feature_scenes import MAPS, POOL, SMALL, draw, pairs, path_of, view_of
from vosforge.render.camera_path import camera_poses
from vosforge.render.checks import RejectedScene
from vosforge.render.randomness import ClipRandomness
from vosforge.render.recipes import BL30K_PLUS, sample_scene
from vosforge.render.sampling.features import MOST_OBJECTS, Feature, Features
from vosforge.render.scene import SceneSpec

CAMERA = {Feature.SHAKE, Feature.ZOOM, Feature.PAN}
PASSING = {Feature.ENTERING, Feature.LEAVING, Feature.CROSSING}
TOUCHES = {
    Feature.HDRI: {"environment", "lights"},
    Feature.ENVIRONMENT_BACKGROUND: set(),
    Feature.LIT_BACKGROUND: {"background", "lights"},
    Feature.PBR: {"objects.texture"},
    Feature.LATTICE: {"objects.deformation"},
    Feature.ARTICULATION: {"objects.deformation"},
    Feature.ANIMATION: {"objects.deformation"},
    Feature.ENTERING: {"objects.location"},
    Feature.LEAVING: {"objects.location"},
    Feature.CROSSING: {"objects.location"},
    Feature.SHAKE: {"camera.shake", "background"},
    Feature.ZOOM: {"camera.fov_radians", "background"},
    Feature.PAN: {"camera.look_at", "background"},
    Feature.MOTION_BLUR: {"camera.shutter_frames"},
    Feature.DEPTH_OF_FIELD: {"camera.lens"},
    Feature.PHYSICS: {
        "objects.location",
        "objects.rotation",
        "objects.scale",
        "camera.location",
        "camera.look_at",
        "background",
        "lights",
        "physics",
    },
    Feature.DISTRACTOR: {"objects.more"},
}


def differences(first: SceneSpec, second: SceneSpec) -> set[str]:
    """The fields in which two scenes differ; those of the camera and of common objects one by one."""
    found = {
        entry.name
        for entry in dataclasses.fields(SceneSpec)
        if entry.name not in ("objects", "camera") and getattr(first, entry.name) != getattr(second, entry.name)
    }
    couples = [("camera", first.camera, second.camera)]
    couples += [("objects", mine, other) for mine, other in zip(first.objects, second.objects, strict=False)]
    for name, mine, other in couples:
        fields = [entry.name for entry in dataclasses.fields(mine)]
        found |= {f"{name}.{entry}" for entry in fields if getattr(mine, entry) != getattr(other, entry)}
    return found | ({"objects.more"} if len(first.objects) != len(second.objects) else set())


@pytest.mark.parametrize("feature", Feature, ids=lambda feature: feature.name.lower())
def test_a_feature_changes_only_what_it_is_about(feature):
    changed = set()
    for off, on in pairs(feature, pool=POOL):
        changed |= differences(off, on)
    assert changed == TOUCHES[feature]


@pytest.mark.parametrize("feature", sorted(set(Feature) - CAMERA - PASSING - {Feature.PHYSICS}))
def test_a_feature_does_not_reshuffle_another(feature):
    changed = set()
    others = {Feature.ZOOM, Feature.SHAKE, Feature.CROSSING, Feature.DISTRACTOR, Feature.DEPTH_OF_FIELD} - {feature}
    for off, on in pairs(feature, *others, pool=POOL, count=4):
        changed |= differences(off, on)
    assert changed == TOUCHES[feature]


def test_features_come_as_often_as_their_probability_says_whatever_is_rejected():
    clips = [Features(ClipRandomness(seed=1, index=index), BL30K_PLUS) for index in range(1500)]
    for feature in Feature:
        share = np.mean([clip.chosen(feature) for clip in clips])
        assert share == pytest.approx(getattr(BL30K_PLUS, f"{feature.name.lower()}_probability"), abs=0.05)
    first, second = (Features(ClipRandomness(seed=1, index=4, attempt=attempt), BL30K_PLUS) for attempt in (0, 1))
    for feature in Feature:
        assert first.chosen(feature) == second.chosen(feature), "a redrawn clip keeps its features"
        assert first.rng(feature).random() != second.rng(feature).random(), "and draws them anew"
    assert BL30K_PLUS.objects[1] + 1 < MOST_OBJECTS


def test_a_pan_turns_the_camera_about_the_vertical():
    for index in range(12):
        spec = draw(index, Feature.PAN)
        forward = -camera_poses(spec.camera, spec.num_frames)[:, :3, 2]
        bearing = np.arctan2(forward[:, 0], forward[:, 1])
        assert SMALL.pan_radians[0] - 1e-6 <= abs(bearing[-1] - bearing[0]) <= SMALL.pan_radians[1] + 1e-6
        assert (np.sign(np.diff(bearing)) == np.sign(bearing[-1] - bearing[0])).mean() > 0.9


def test_a_zoom_changes_the_focal_length_by_its_ratio():
    directions = set()
    for index in range(12):
        focal = view_of(draw(index, Feature.ZOOM)).focal_lengths
        assert SMALL.zoom_ratio[0] <= focal.max() / focal.min() <= SMALL.zoom_ratio[1]
        directions.add(bool(focal[-1] > focal[0]))
    assert directions == {True, False}


def test_a_shake_adds_fast_motion_of_a_few_pixels():
    growth = []
    for off, on in pairs(Feature.SHAKE):
        still, shaken = (view_of(spec).project(np.zeros((spec.num_frames, 3)))[:, :2] for spec in (off, on))
        moved = (shaken - still) * 768 / 96
        assert 0.5 < np.abs(moved).max() < 40.0
        growth.append(np.diff([np.abs(np.diff(path, n=2, axis=0)).mean() for path in (still, shaken)])[0])
    assert min(growth) > 0 and np.mean(growth) > 0.05


def test_motion_blur_and_depth_of_field_are_in_their_ranges():
    for index in range(12):
        spec = draw(index, Feature.MOTION_BLUR, Feature.DEPTH_OF_FIELD)
        assert SMALL.shutter_frames[0] <= spec.camera.shutter_frames <= SMALL.shutter_frames[1]
        assert SMALL.f_stop[0] <= spec.camera.lens.f_stop <= SMALL.f_stop[1]
        focused = {entry.instance_id: entry for entry in spec.objects}[spec.camera.lens.focus_id]
        assert view_of(spec).sees(path_of(focused, spec)).mean() >= 0.25


def test_an_environment_lights_the_scene_beside_one_dim_light():
    for off, on in pairs(Feature.HDRI):
        assert off.environment is None and on.environment.image.name.startswith("procedural/environment/")
        assert SMALL.hdri_strength[0] <= on.environment.strength <= SMALL.hdri_strength[1]
        assert len(on.lights) == 1 and on.lights[0].energy_watts <= 0.4 * off.lights[0].energy_watts
        assert on.background == off.background
    assert draw(0, Feature.HDRI, Feature.ENVIRONMENT_BACKGROUND).background.kind == "environment"
    assert draw(0, Feature.ENVIRONMENT_BACKGROUND).background.kind == "emissive", "there is no environment to be seen"


def test_a_lit_background_has_a_floor_under_the_objects_in_sight_and_lights_above_it():
    for index in range(15):
        spec = draw(index, Feature.LIT_BACKGROUND)
        floor = spec.background.floor
        assert spec.background.kind == "lit" and SMALL.floor_height[0] <= floor.height <= SMALL.floor_height[1]
        assert all(light.location[2] > 2.0 and light.location[1] < 4.0 for light in spec.lights)
        assert all(np.linalg.norm(light.location) == pytest.approx(11.0) for light in spec.lights)
        view = view_of(spec)
        meeting = view.project(np.tile([0.0, spec.background.depth, floor.height], (spec.num_frames, 1)))
        assert (meeting[:, 1] < spec.render.height).mean() > 0.5, "the camera sees where floor and wall meet"
    assert draw(0, Feature.LIT_BACKGROUND, Feature.HDRI).environment is not None


def test_maps_of_a_texture_set_are_kept_only_with_pbr():
    for off, on in pairs(Feature.PBR, Feature.LIT_BACKGROUND, pool=POOL):
        assert {entry.texture.maps for entry in off.objects if entry.texture} == {()}
        assert {entry.texture.maps for entry in on.objects if entry.texture} == {MAPS}
        assert off.background.floor.texture.maps == () and on.background.floor.texture.maps == MAPS


def test_models_deform_by_what_they_bring():
    kinds = {}
    for index in range(8):
        spec = draw(index, Feature.ANIMATION, Feature.ARTICULATION, Feature.LATTICE, pool=POOL)
        for entry in spec.objects:
            kinds.setdefault(entry.model.name, set()).add(entry.deformation.kind)
    assert kinds == {"dancer": {"animation"}, "puppet": {"articulated"}, "stone": {"lattice"}}
    plain = draw(0, Feature.ANIMATION, Feature.ARTICULATION)
    assert all(entry.deformation is None for entry in plain.objects), "procedural shapes have no rig"


def test_a_lattice_bends_the_shape_and_leaves_the_object_in_its_place():
    for entry in draw(3, Feature.LATTICE).objects:
        offsets = np.array(entry.deformation.lattice)
        assert offsets.shape == (5, 27, 3)
        np.testing.assert_allclose(offsets.mean(axis=1), 0.0, atol=1e-12)
        assert 0.03 < np.abs(offsets).mean() < 0.12 and np.abs(offsets).max() < 0.4


def test_the_larger_recipe_draws_varied_scenes_with_few_rejections():
    specs, rejected = [], 0
    for index in range(120):
        for attempt in range(20):
            try:
                specs.append(sample_scene(ClipRandomness(seed=2, index=index, attempt=attempt), POOL, BL30K_PLUS))
                break
            except RejectedScene:
                rejected += 1
    assert len(specs) == 120 and rejected < 30
    assert {spec.background.kind for spec in specs} == {"emissive", "lit", "environment"}
    assert {entry.deformation.kind for spec in specs for entry in spec.objects if entry.deformation} == {
        "lattice",
        "articulated",
        "animation",
    }
