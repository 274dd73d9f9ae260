"""Objects enter, leave, pass behind one another, repeat one another and fall; distances hold all the while."""

import dataclasses

import numpy as np
import pytest
from feature_scenes import POOL, SMALL, draw, pairs, path_of, view_of, with_features
from hypothesis import given, settings
from hypothesis import strategies as st
from vosforge.render.assets.pool import AssetPool
from vosforge.render.camera_path import camera_poses
from vosforge.render.checks import RejectedScene
from vosforge.render.randomness import ClipRandomness
from vosforge.render.recipes import TINY, sample_scene
from vosforge.render.sampling.features import Feature
from vosforge.render.sampling.surroundings import seen_of_plane
from vosforge.render.scene import SceneSpec


@settings(max_examples=30, deadline=None)
@given(index=st.integers(0, 10**6), feature=st.sampled_from([Feature.ENTERING, Feature.LEAVING]))
def test_an_object_enters_or_leaves_the_image(index, feature):
    spec = draw(index, feature)
    end = 0 if feature is Feature.ENTERING else -1
    view = view_of(spec)
    passing = []
    for entry in spec.objects:
        path = path_of(entry, spec)
        right, up, depth = view.in_camera(path)[end]
        beyond = np.abs([right, up]) - view.half_size()[end] * depth
        if (beyond >= 0.5 * max(max(point) for point in entry.scale)).any():
            passing.append(view.sees(path).mean() >= SMALL.guest_in_view_share)
    assert any(passing), "one object lies outside at that end, by its radius, and is seen well in between"


@pytest.mark.parametrize(
    ("feature", "kept"), [(Feature.ENTERING, [-1]), (Feature.LEAVING, [0]), (Feature.CROSSING, [0, -1])]
)
def test_a_push_bends_one_path_and_leaves_its_other_end_in_place(feature, kept):
    for off, on in pairs(feature):
        couples = zip(off.objects, on.objects, strict=True)
        pushed = [(first.location, second.location) for first, second in couples if first.location != second.location]
        assert len(pushed) == 1
        for end in kept:
            np.testing.assert_allclose(pushed[0][0][end], pushed[0][1][end], atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(index=st.integers(0, 10**6))
def test_an_object_passes_behind_another(index):
    spec = draw(index, Feature.CROSSING)
    view = view_of(spec)
    seen = [view.project(path_of(entry, spec)) for entry in spec.objects]
    meetings = []
    for first in range(len(seen)):
        for second in range(first):
            distance = np.linalg.norm(seen[first][:, :2] - seen[second][:, :2], axis=1)
            gap = np.abs(seen[first][:, 2] - seen[second][:, 2])
            meetings.append(((distance < 0.5) & (gap >= SMALL.crossing_depth_gap - 1e-6)).any())
    assert any(meetings)


@settings(max_examples=25, deadline=None)
@given(
    index=st.integers(0, 10**6),
    features=st.sets(st.sampled_from([entry for entry in Feature if entry != Feature.PHYSICS]), max_size=5),
)
def test_clearances_hold_at_every_frame_whatever_the_features(index, features):
    spec = draw(index, *features, pool=POOL)
    eye = camera_poses(spec.camera, spec.num_frames)[:, :3, 3]
    paths = [path_of(entry, spec) for entry in spec.objects]
    for slot, path in enumerate(paths):
        assert np.linalg.norm(path - eye, axis=1).min() >= SMALL.camera_clearance_units
        assert view_of(spec).sees(path).mean() >= SMALL.centre_in_view_share
        for other in paths[:slot]:
            assert np.linalg.norm(path - other, axis=1).min() >= SMALL.clearance_units - 1e-9
    half_width, half_height = seen_of_plane(view_of(spec), spec.background.depth)
    assert spec.background.width / 2 >= half_width and spec.background.height / 2 >= half_height
    assert SceneSpec.from_json(spec.to_json()) == spec


def test_a_distractor_repeats_model_and_texture_and_goes_its_own_way():
    for off, on in pairs(Feature.DISTRACTOR):
        assert on.objects[:-1] == off.objects
        twin = on.objects[-1]
        original = on.objects[twin.distractor_of - 1]
        assert twin.instance_id == len(on.objects)
        assert (twin.model, twin.texture, twin.scale) == (original.model, original.texture, original.scale)
        assert twin.location != original.location and original.distractor_of is None
        assert view_of(on).sees(path_of(twin, on)).mean() >= SMALL.guest_in_view_share


def test_a_distractor_has_the_maps_of_its_original_or_none():
    recipe = with_features(Feature.DISTRACTOR, recipe=dataclasses.replace(SMALL, pbr_probability=0.5))
    seen = set()
    for index in range(12):
        try:
            objects = sample_scene(ClipRandomness(seed=8, index=index), POOL, recipe).objects
        except RejectedScene:
            continue
        twin = objects[-1]
        assert twin.texture == objects[twin.distractor_of - 1].texture
        seen.add(bool(twin.texture.maps))
    assert seen == {True, False}


def test_falling_objects_are_rigid():
    deforming = (Feature.LATTICE, Feature.ARTICULATION, Feature.ANIMATION)
    assert all(entry.deformation for entry in draw(3, *deforming, pool=POOL).objects)
    assert not any(entry.deformation for entry in draw(3, Feature.PHYSICS, *deforming, pool=POOL).objects)


def test_a_single_object_passes_behind_nothing_and_needs_no_lamp():
    lonely = with_features(
        Feature.CROSSING, Feature.HDRI, recipe=dataclasses.replace(SMALL, objects=(1, 1), lights=(0, 0))
    )
    spec = sample_scene(ClipRandomness(seed=5, index=0), AssetPool(), lonely)
    assert len(spec.objects) == 1 and spec.lights == () and spec.environment is not None


@settings(max_examples=25, deadline=None)
@given(index=st.integers(0, 10**6), more=st.sets(st.sampled_from([Feature.DISTRACTOR, Feature.PAN, Feature.CROSSING])))
def test_objects_fall_from_the_air_apart_and_in_sight(index, more):
    spec = draw(index, Feature.PHYSICS, *more)
    floor, view = spec.background.floor, view_of(spec)
    starts = np.array([entry.location[0] for entry in spec.objects])
    radii = np.array([0.5 * max(entry.scale[0]) for entry in spec.objects])
    assert spec.physics is not None and spec.background.kind == "lit"
    assert (starts[:, 2] - radii > floor.height).all()
    for slot, start in enumerate(starts):
        assert view.sees(np.tile(start, (spec.num_frames, 1)))[0]
        apart = np.linalg.norm(starts[:slot] - start, axis=1)
        assert (apart >= radii[:slot] + radii[slot]).all()
        landed = [start[0], start[1], floor.height + 0.5 * radii[slot]]
        assert view.sees(np.tile(landed, (spec.num_frames, 1))).mean() >= 0.1
    falling_seconds = np.sqrt(2 * 3.0 / 9.81)
    frames = falling_seconds * spec.physics.frames_per_second
    assert 0.25 * spec.num_frames <= frames <= 0.55 * spec.num_frames, "objects land well before the clip ends"


def test_objects_may_fall_onto_a_floor_within_an_environment():
    background = draw(1, Feature.PHYSICS, Feature.HDRI, Feature.ENVIRONMENT_BACKGROUND).background
    assert background.kind == "environment" and background.floor is not None


@pytest.mark.parametrize("num_frames", [1, 2, 6])
def test_features_work_in_clips_of_a_few_frames(num_frames):
    recipe = dataclasses.replace(TINY, num_frames=num_frames)
    every = with_features(*(set(Feature) - {Feature.PHYSICS}), recipe=recipe)
    accepted = []
    for index in range(25):
        try:
            accepted.append(sample_scene(ClipRandomness(seed=0, index=index), POOL, every))
        except RejectedScene:
            continue
    assert len(accepted) >= 5
    assert all(np.isfinite([entry.location for entry in spec.objects]).all() for spec in accepted)
