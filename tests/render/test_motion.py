"""Where objects stand: the matrices are Blender's own, and keys run straight through an exposure."""

import numpy as np
import pytest

pytest.importorskip("bpy", reason="bpy is not installed (the render extra)")

import bpy
from moving_world import cube, still, world, write_cube
from vosforge.render.blender.models import add_object
from vosforge.render.blender.motion import build_motion
from vosforge.render.blender.session import configure_render, reset_blender
from vosforge.render.blender.surroundings import add_camera

pytestmark = pytest.mark.blender
FRAMES = 6
PATH = {
    "location": ((-1.0, 0.0, 0.5), (-0.4, 0.3, 0.2), (0.0, 0.5, 0.0), (0.6, 0.1, -0.2), (1.0, 0.0, 0.0)),
    "rotation": ((0.1, 0.5, -0.3), (0.4, 0.9, 0.2), (0.8, 1.4, 0.9), (1.0, 2.2, 1.4), (1.4, 2.6, 2.0)),
    "scale": ((1.0, 2.0, 1.5), (1.1, 2.0, 1.4), (1.2, 2.1, 1.4), (1.2, 2.2, 1.3), (1.3, 2.2, 1.3)),
}


def moving(folder, num_frames=FRAMES):
    spec = world([cube(write_cube(folder / "cube.obj"), **PATH)], num_frames)
    reset_blender()
    configure_render(spec.render, 0)
    models = [add_object(entry) for entry in spec.objects]
    return spec, models, build_motion(spec, models)


def place_of(model):
    return np.array(model.evaluated_get(bpy.context.evaluated_depsgraph_get()).matrix_world)


def test_matrices_are_those_of_the_objects_shown(tmp_path):
    _, (model,), motion = moving(tmp_path)
    assert motion.matrices[0].shape == (FRAMES, 4, 4)
    for frame in range(FRAMES):
        motion.show(frame)
        np.testing.assert_allclose(place_of(model), motion.matrices[0][frame], atol=1e-6)


def test_keyed_objects_stand_where_they_are_shown_and_move_straight_between(tmp_path):
    _, (model,), motion = moving(tmp_path)
    motion.keyframe()
    scene, matrices = bpy.context.scene, motion.matrices[0]
    for frame in range(FRAMES):
        scene.frame_set(frame)
        np.testing.assert_allclose(place_of(model), matrices[frame], atol=1e-5)
    scene.frame_set(2, subframe=0.5)
    np.testing.assert_allclose(place_of(model)[:3, 3], matrices[2:4, :3, 3].mean(axis=0), atol=1e-5)


def test_an_exposure_reaches_beyond_the_first_and_the_last_frame(tmp_path):
    _, (model,), motion = moving(tmp_path)
    motion.keyframe()
    places, last = motion.matrices[0][:, :3, 3], FRAMES - 1
    bpy.context.scene.frame_set(-1, subframe=0.5)
    np.testing.assert_allclose(place_of(model)[:3, 3], 1.5 * places[0] - 0.5 * places[1], atol=1e-5)
    bpy.context.scene.frame_set(last, subframe=0.5)
    np.testing.assert_allclose(place_of(model)[:3, 3], 1.5 * places[last] - 0.5 * places[last - 1], atol=1e-5)


def test_the_camera_and_its_lens_move_straight_between_frames(tmp_path):
    spec, _, motion = moving(tmp_path)
    add_camera(spec)
    motion.keyframe()
    scene = bpy.context.scene
    seen = {}
    for time in (2.0, 2.25, 3.0):
        scene.frame_set(int(time), subframe=time % 1)
        seen[time] = np.array([*scene.camera.location, *scene.camera.rotation_euler, scene.camera.data.lens])
    assert np.abs(seen[3.0] - seen[2.0]).max() > 1e-3
    np.testing.assert_allclose(seen[2.25], 0.75 * seen[2.0] + 0.25 * seen[3.0], atol=1e-4)


def test_rigid_objects_have_no_vertices_of_their_own(tmp_path):
    _, _, motion = moving(tmp_path)
    assert motion.vertices(0, 0) is None


def test_a_clip_of_one_frame_stands_at_its_first_control_point(tmp_path):
    _, (model,), motion = moving(tmp_path, num_frames=1)
    motion.keyframe()
    bpy.context.scene.frame_set(0)
    np.testing.assert_allclose(place_of(model)[:3, 3], PATH["location"][0], atol=1e-6)


def test_a_path_that_stands_still_gives_the_same_matrix_in_every_frame(tmp_path):
    spec = world([cube(write_cube(tmp_path / "cube.obj"), location=still((1, 2, 3)))], 3)
    reset_blender()
    motion = build_motion(spec, [add_object(entry) for entry in spec.objects])
    np.testing.assert_allclose(motion.matrices[0], np.tile(motion.matrices[0][0], (3, 1, 1)), atol=1e-12)
