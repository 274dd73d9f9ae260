"""Objects that fall: they land on the floor, come to rest, keep their scale, and do it the same way every time."""

import hashlib
import json
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("bpy", reason="bpy is not installed (the render extra)")

import bpy
from moving_world import BOX_CORNERS, cube, still, world, write_cube
from vosforge.render.blender.models import add_object
from vosforge.render.blender.motion import build_motion
from vosforge.render.blender.session import reset_blender
from vosforge.render.scene import DeformationSpec, SceneSpec

pytestmark = pytest.mark.blender
FRAMES = 60
FLOOR = -1.0
SCALES = ((1.5, 1.2, 0.8), (1.0, 1.0, 1.0), (0.7, 1.6, 1.1))
MODEL_CORNERS = BOX_CORNERS / np.linalg.norm(2 * BOX_CORNERS[-1])

DIGEST = """
import hashlib, sys
from vosforge.render.blender.models import add_object
from vosforge.render.blender.motion import build_motion
from vosforge.render.blender.session import reset_blender
from vosforge.render.scene import SceneSpec
spec = SceneSpec.from_json(open(sys.argv[1]).read())
reset_blender()
motion = build_motion(spec, [add_object(entry) for entry in spec.objects])
print("digest", hashlib.sha256(b"".join(entry.tobytes() for entry in motion.matrices)).hexdigest())
"""


def pile(folder, num_frames=FRAMES):
    """Three boxes above one another that start turned, the last two within each other."""
    path = write_cube(folder / "cube.obj")
    places = ((0.0, 0.0, 0.6), (0.3, 0.2, 1.7), (0.2, 0.1, 1.9))
    entries = zip(SCALES, places, strict=True)
    return world(
        [
            cube(path, slot + 1, scale=still(scale), location=still(place), rotation=still((0.4 * slot, 0.3, 0.2)))
            for slot, (scale, place) in enumerate(entries)
        ],
        num_frames,
        falling=True,
    )


def drop(spec):
    reset_blender()
    models = [add_object(entry) for entry in spec.objects]
    return build_motion(spec, models), models


@pytest.fixture(scope="module")
def fall(tmp_path_factory):
    spec = pile(tmp_path_factory.mktemp("pile"))
    motion, models = drop(spec)
    return spec, motion, models


def corners(matrix):
    return MODEL_CORNERS @ matrix[:3, :3].T + matrix[:3, 3]


def test_objects_fall_and_come_to_rest_on_the_floor(fall):
    _, motion, _ = fall
    for matrices in motion.matrices:
        lowest = np.array([corners(matrix)[:, 2].min() for matrix in matrices])
        assert matrices[0, 2, 3] - matrices[-1, 2, 3] > 0.2
        assert lowest.min() > FLOOR - 0.02, "nothing goes through the floor"
        assert np.abs(np.diff(matrices[-4:, :3, 3], axis=0)).max() < 0.02
    assert min(corners(matrices[-1])[:, 2].min() for matrices in motion.matrices) < FLOOR + 0.02


def test_objects_do_not_pass_through_each_other(fall):
    _, motion, _ = fall
    for frame in range(FRAMES):
        matrices = [entry[frame] for entry in motion.matrices]
        for one in matrices:
            for other in matrices:
                if one is not other:
                    local = (corners(one) - other[:3, 3]) @ np.linalg.inv(other[:3, :3]).T
                    depth = (MODEL_CORNERS.max(axis=0) - np.abs(local)) * np.linalg.norm(other[:3, :3], axis=0)
                    assert depth.min(axis=1).max() < 0.03, f"frame {frame}: a corner is inside another box"


def test_the_fall_begins_at_rest_and_speeds_up_as_gravity_says(fall):
    _, motion, _ = fall
    heights = motion.matrices[2][:, 2, 3]
    np.testing.assert_allclose(heights[0] - heights[5], 0.5 * 9.81 * (5 / 24) ** 2, rtol=0.15)


def test_every_object_keeps_its_scale_along_every_axis(fall):
    _, motion, _ = fall
    for matrices, scale in zip(motion.matrices, SCALES, strict=True):
        lengths = np.linalg.norm(matrices[:, :3, :3], axis=1)
        np.testing.assert_allclose(lengths, np.tile(scale, (FRAMES, 1)), rtol=1e-6)


def test_shown_objects_stand_where_their_matrices_say(fall):
    _, motion, models = fall
    motion.keyframe()
    for frame in (0, 20, FRAMES - 1):
        bpy.context.scene.frame_set(frame)
        graph = bpy.context.evaluated_depsgraph_get()
        for model, matrices in zip(models, motion.matrices, strict=True):
            np.testing.assert_allclose(model.evaluated_get(graph).matrix_world, matrices[frame], atol=1e-5)


def test_nothing_of_the_simulation_stays_in_the_scene(fall):
    _, _, models = fall
    scene = bpy.context.scene
    assert scene.rigidbody_world is None and scene.render.fps == 24
    assert {entry for entry in bpy.data.objects if entry.type == "MESH"} == set(models)


def test_the_same_spec_falls_the_same_way_again_and_in_another_process(fall, tmp_path):
    spec, first, _ = fall
    (tmp_path / "spec.json").write_text(spec.to_json())
    command = [sys.executable, "-c", DIGEST, str(tmp_path / "spec.json")]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    digest = hashlib.sha256(b"".join(entry.tobytes() for entry in first.matrices)).hexdigest()
    assert f"digest {digest}" in answer
    again, _ = drop(spec)
    for one, other in zip(first.matrices, again.matrices, strict=True):
        np.testing.assert_array_equal(one, other)


def test_objects_that_fall_are_rigid(tmp_path):
    fields = json.loads(pile(tmp_path, num_frames=3).to_json())
    fields["objects"][0]["deformation"] = vars(DeformationSpec(kind="lattice"))
    motion, _ = drop(SceneSpec.from_json(json.dumps(fields)))
    assert motion.vertices(0, 1) is None


def test_a_fall_without_a_floor_is_refused(tmp_path):
    fields = json.loads(pile(tmp_path, num_frames=3).to_json())
    fields["background"]["floor"] = None
    with pytest.raises(ValueError, match="floor"):
        drop(SceneSpec.from_json(json.dumps(fields)))
