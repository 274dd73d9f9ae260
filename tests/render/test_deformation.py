"""Models that change their shape: by a lattice, by the bones of a rig, by the animation of a file."""

import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("bpy", reason="bpy is not installed (the render extra)")

import bpy
import cv2
from moving_world import cube, world, write_cube, write_rigged_bar, write_sliding_boxes
from vosforge.render.blender.deformation import REST_POSITION, vertices_of
from vosforge.render.blender.models import BrokenModel, add_object
from vosforge.render.blender.motion import build_motion
from vosforge.render.blender.rigs import measure_rig
from vosforge.render.blender.session import configure_render, reset_blender
from vosforge.render.blender.subdivision import LONGEST_EDGE, split_long_edges
from vosforge.render.scene import AssetReference, DeformationSpec

pytestmark = pytest.mark.blender
FRAMES = 5
RENDER_MIDDLE = """
import os, sys
from pathlib import Path
import bpy
from vosforge.render.blender.models import add_object
from vosforge.render.blender.motion import build_motion
from vosforge.render.blender.session import configure_render, reset_blender
from vosforge.render.blender.surroundings import add_camera
from vosforge.render.scene import SceneSpec
folder = Path(sys.argv[1])
for name in sys.argv[2:]:
    spec = SceneSpec.from_json((folder / f"{name}.json").read_text())
    reset_blender()
    configure_render(spec.render, 0)
    motion = build_motion(spec, [add_object(entry) for entry in spec.objects])
    add_camera(spec)
    motion.keyframe()
    scene = bpy.context.scene
    scene.world = bpy.data.worlds.new("world")
    scene.render.use_motion_blur = spec.camera.shutter_frames > 0
    scene.render.motion_blur_shutter = spec.camera.shutter_frames
    scene.cycles.use_denoising = False
    scene.render.filepath = str(folder / f"{name}.png")
    motion.show(2)
    scene.frame_set(2)
    bpy.ops.render.render(write_still=True)
os._exit(0)
"""


def bend(amplitude=0.08):
    offsets = np.random.default_rng(0).uniform(-amplitude, amplitude, size=(5, 27, 3))
    return DeformationSpec(kind="lattice", lattice=tuple(tuple(map(tuple, entry)) for entry in offsets.tolist()))


def build(*objects, num_frames=FRAMES, **options):
    spec = world(objects, num_frames, **options)
    reset_blender()
    configure_render(spec.render, 0)
    models = [add_object(entry) for entry in spec.objects]
    return spec, models, build_motion(spec, models)


def file_model(path, **deformation):
    return cube(path, model=AssetReference(name=path.name, path=str(path)), deformation=DeformationSpec(**deformation))


def edge_lengths(mesh, vertices):
    edges = np.array([tuple(edge.vertices) for edge in mesh.edges])
    return np.linalg.norm(vertices[edges[:, 0]] - vertices[edges[:, 1]], axis=1)


def test_a_lattice_changes_distances_within_the_model(tmp_path):
    _, (model,), motion = build(cube(write_cube(tmp_path / "cube.obj"), deformation=bend()))
    first, last = motion.vertices(0, 0), motion.vertices(0, FRAMES - 1)
    assert first.dtype == np.float32 and first.shape == (len(model.data.vertices), 3)
    assert np.abs(np.ptp(first, axis=0) - np.ptp(last, axis=0)).max() > 0.01
    assert np.abs(edge_lengths(model.data, first) - edge_lengths(model.data, last)).max() > 0.002


def test_the_mesh_shown_is_that_of_its_vertices_and_moves_as_its_velocity_says(tmp_path):
    _, (model,), motion = build(cube(write_cube(tmp_path / "cube.obj"), deformation=bend()))
    motion.show(2)
    np.testing.assert_array_equal(vertices_of(model.data), motion.vertices(0, 2))
    velocity = np.empty((len(model.data.vertices), 3), np.float32)
    model.data.attributes["velocity"].data.foreach_get("vector", velocity.reshape(-1))
    step = (motion.vertices(0, 3) - motion.vertices(0, 1)) / 2
    np.testing.assert_allclose(velocity / bpy.context.scene.render.fps, step, atol=1e-6)


def test_textures_stick_to_a_model_that_bends(tmp_path):
    texture = AssetReference(name="stripes", family="stripes", seed=1)
    entry = cube(write_cube(tmp_path / "cube.obj"), deformation=bend(), texture=texture)
    _, (model,), motion = build(entry)
    nodes = model.data.materials[0].node_tree
    sources = {link.from_node.type for link in nodes.links if link.to_node.type == "MAPPING"}
    assert sources == {"ATTRIBUTE"}
    motion.show(3)
    rest = np.empty((len(model.data.vertices), 3), np.float32)
    model.data.attributes[REST_POSITION].data.foreach_get("vector", rest.reshape(-1))
    np.testing.assert_allclose(np.ptp(rest, axis=0), 1 / np.sqrt(3), atol=1e-6)


def test_long_edges_are_split_without_moving_the_surface_or_its_looks():
    def subdivided():
        reset_blender()
        bpy.ops.mesh.primitive_cube_add(size=0.6)
        model = bpy.context.object
        colours = model.data.color_attributes.new("colour", "FLOAT_COLOR", "CORNER")
        colours.data.foreach_set("color", np.tile([0.2, 0.4, 0.6, 1.0], len(model.data.loops)))
        for name in ("first", "second"):
            model.data.materials.append(bpy.data.materials.new(name))
        model.data.polygons[0].material_index = 1
        split_long_edges(model)
        return model.data

    mesh = subdivided()
    vertices = vertices_of(mesh)
    assert edge_lengths(mesh, vertices).max() <= LONGEST_EDGE
    np.testing.assert_allclose(np.abs(vertices).max(axis=1), 0.3, atol=1e-6)
    np.testing.assert_allclose(sum(face.area for face in mesh.polygons), 6 * 0.36, rtol=1e-5)
    second = sum(face.area for face in mesh.polygons if face.material_index == 1)
    np.testing.assert_allclose(second, 0.36, rtol=1e-5)
    assert mesh.uv_layers.active is not None
    np.testing.assert_allclose(mesh.color_attributes["colour"].data[-1].color[:3], (0.2, 0.4, 0.6), atol=1e-6)
    np.testing.assert_array_equal(vertices_of(subdivided()), vertices)


def test_bones_bend_a_rig_and_leave_its_root_still(tmp_path):
    path = write_rigged_bar(tmp_path / "bar.gltf")
    entry = file_model(path, kind="articulated", amplitude_radians=0.5, cycles_per_frame=0.2)
    _, (model,), motion = build(entry)
    rest = vertices_of(model.data)
    moved = np.max([np.linalg.norm(motion.vertices(0, frame) - rest, axis=1) for frame in range(FRAMES)], axis=0)
    height = rest[:, np.ptp(rest, axis=0).argmax()]
    end = moved[height < height.min() + 0.05].max(), moved[height > height.max() - 0.05].max()
    assert min(end) < 1e-5, "one end hangs on the root"
    assert 0.1 < max(end) < 1.0


def test_bones_that_turn_by_nothing_leave_the_model_as_it_was_loaded(tmp_path):
    path = write_rigged_bar(tmp_path / "bar.gltf")
    _, (model,), motion = build(file_model(path, kind="articulated", amplitude_radians=0.0, cycles_per_frame=0.2))
    np.testing.assert_allclose(motion.vertices(0, 3), vertices_of(model.data), atol=1e-5)


def test_an_animation_moves_its_part_and_runs_back_where_it_does_not_close(tmp_path):
    path = write_sliding_boxes(tmp_path / "boxes.gltf")
    _, _, motion = build(file_model(path, kind="animation", cycles_per_frame=0.25), num_frames=9)
    path_of_all = np.stack([motion.vertices(0, frame) for frame in range(9)])
    moved = np.abs(path_of_all - path_of_all[0]).max(axis=(0, 2))
    assert (moved < 1e-5).sum() == 8 and (moved > 0.1).sum() == 8
    np.testing.assert_allclose(path_of_all[8], path_of_all[0], atol=1e-5)
    np.testing.assert_allclose(path_of_all[3], path_of_all[5], atol=1e-5)
    assert np.ptp(path_of_all[4], axis=0).max() > np.ptp(path_of_all[0], axis=0).max() + 0.1


def test_the_animation_of_a_rig_bends_its_skin_and_repeats_where_it_closes(tmp_path):
    path = write_rigged_bar(tmp_path / "bar.gltf", animated=True)
    _, (model,), motion = build(file_model(path, kind="animation", cycles_per_frame=0.125), num_frames=17)
    rest, bent = vertices_of(model.data), motion.vertices(0, 4)
    np.testing.assert_allclose(motion.vertices(0, 0), rest, atol=1e-4)
    np.testing.assert_allclose(motion.vertices(0, 16), rest, atol=1e-4)
    still = np.abs(bent - rest).max(axis=1) < 1e-4
    assert 0.2 < still.mean() < 0.5, "what the lowest joint carries stays"
    height = np.ptp(rest, axis=0).argmax()
    assert np.ptp(bent, axis=0)[height] < 0.65 * np.ptp(rest, axis=0)[height]


def test_poses_are_stored_within_bounds_and_interpolated(tmp_path, monkeypatch):
    path = write_rigged_bar(tmp_path / "bar.gltf")
    entry = file_model(path, kind="articulated", amplitude_radians=0.3, cycles_per_frame=0.05)
    _, _, whole = build(entry, num_frames=21)
    monkeypatch.setattr("vosforge.render.blender.rigs.MOST_BAKED_BYTES", 12 * 40 * 11)
    _, _, coarse = build(entry, num_frames=21)
    for frame in range(21):
        difference = np.abs(whole.vertices(0, frame) - coarse.vertices(0, frame)).max()
        assert difference < (1e-6 if frame % 2 == 0 else 0.02)
    assert not np.array_equal(whole.vertices(0, 5), coarse.vertices(0, 5)), "fewer poses were stored"


def test_a_file_is_measured_for_bones_and_for_an_animation_that_moves_it(tmp_path):
    reset_blender()
    cube_path = write_cube(tmp_path / "cube.obj")
    assert measure_rig(str(cube_path)) == {"rigged": False, "animated": False}
    assert measure_rig(str(write_rigged_bar(tmp_path / "bar.gltf"))) == {"rigged": True, "animated": False}
    assert measure_rig(str(write_sliding_boxes(tmp_path / "boxes.gltf"))) == {"rigged": False, "animated": True}
    assert not [entry for entry in bpy.data.objects if entry.type == "MESH"], "the scene is left as it was"


@pytest.mark.parametrize("kind", ["articulated", "animation"])
def test_a_model_without_the_rig_or_animation_asked_for_is_refused(tmp_path, kind):
    with pytest.raises(BrokenModel, match="has no"):
        build(file_model(write_cube(tmp_path / "cube.obj"), kind=kind))


def test_an_unknown_deformation_is_refused(tmp_path):
    with pytest.raises(ValueError, match="melting"):
        build(file_model(write_cube(tmp_path / "cube.obj"), kind="melting"))


def test_a_shape_that_moves_is_blurred_like_an_object_that_moves(tmp_path):
    """The same shift to the right once as a path of a rigid cube, once as offsets of a lattice around it."""
    way = np.linspace(-0.8, 0.8, 5)
    path = write_cube(tmp_path / "cube.obj")
    by_path = cube(path, location=tuple((float(x), 0.0, 0.0) for x in way))
    offsets = tuple(((float(x), 0.0, 0.0),) * 27 for x in way)
    by_lattice = cube(path, deformation=DeformationSpec(kind="lattice", lattice=offsets))
    specs = {
        "path": world([by_path], FRAMES, shutter_frames=0.9),
        "lattice": world([by_lattice], FRAMES, shutter_frames=0.9),
        "sharp": world([by_lattice], FRAMES),
    }
    for name, spec in specs.items():
        (tmp_path / f"{name}.json").write_text(spec.to_json())
    subprocess.run([sys.executable, "-c", RENDER_MIDDLE, str(tmp_path), *specs], check=True, timeout=120)
    path, lattice, sharp = (cv2.imread(str(tmp_path / f"{name}.png")).astype(float) for name in specs)
    assert np.abs(sharp - path).mean() > 3 * np.abs(lattice - path).mean()


def test_real_rigs_and_animations_stay_within_bounds(shared_data):
    models = shared_data / "assets" / "models"
    objects = [
        file_model(models / "zombie-1/model.gltf", kind="articulated", amplitude_radians=0.4, cycles_per_frame=0.2),
        file_model(
            models / "low-poly-horse/model.gltf", kind="articulated", amplitude_radians=0.4, cycles_per_frame=0.2
        ),
        file_model(models / "wind-turbine/model.gltf", kind="animation", cycles_per_frame=0.1),
    ]
    _, placed, motion = build(*objects)
    for slot, model in enumerate(placed):
        rest, poses = vertices_of(model.data), [motion.vertices(slot, frame) for frame in range(FRAMES)]
        assert np.abs(poses[0] - poses[-1]).max() > 0.02
        assert max(np.abs(pose).max() for pose in poses) < 1.0
        longest = max(edge_lengths(model.data, pose).max() for pose in poses)
        assert longest < 1.5 * edge_lengths(model.data, rest).max() + 0.05, "no vertex is torn from its neighbours"
    tower = np.abs(motion.vertices(2, 3) - motion.vertices(2, 0)).max(axis=1) < 1e-5
    assert 0.5 < tower.mean() < 0.9, "the blades turn, the tower does not"
