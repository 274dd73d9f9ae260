"""Ground truth where it is hard: blur, depth of field, deforming models, cut-outs, thin structures."""

import dataclasses

import numpy as np
import pytest

pytest.importorskip("bpy", reason="bpy is not installed (the render extra)")

import bpy
from moving_world import cube, still, world, write_cube
from truth_world import GATE, HEIGHT, WIDTH, decode, two_cubes
from vosforge.render.blender.frames import build_scene, render_built
from vosforge.render.blender.truth import FINER, render_finer_ids, render_surfaces, truth_renders
from vosforge.render.clip_members import render_members
from vosforge.render.scene import AssetReference, DeformationSpec, EnvironmentSpec, LensSpec
from vosforge.render.truth.checks import SMALLEST_AGREEMENT, camera_agreement, mask_agreement
from vosforge.render.truth.surface import pixel_rays

pytestmark = pytest.mark.blender


@pytest.fixture(scope="module")
def cube_file(tmp_path_factory):
    return write_cube(tmp_path_factory.mktemp("truth") / "cube.obj")


@pytest.fixture(scope="module")
def cubes(cube_file):
    """The two cubes, built, with the ids that come with their pictures."""
    scene = build_scene(two_cubes(cube_file))
    return [ids for _, ids in render_built(scene)]


def lens_and_shutter(spec):
    camera = dataclasses.replace(spec.camera, shutter_frames=0.9, lens=LensSpec(f_stop=0.2, focus_id=1))
    return dataclasses.replace(spec, camera=camera)


def test_ids_of_a_render_apart_are_those_that_come_with_the_picture(cubes, cube_file):
    scene = build_scene(two_cubes(cube_file))
    with truth_renders(scene):
        apart = [surface.ids for surface in render_surfaces(scene)]
    assert np.mean(np.stack(apart) != np.stack(cubes)) < 1e-3


def test_motion_blur_and_depth_of_field_leave_ids_untouched(cubes, cube_file):
    sharp, blurred = two_cubes(cube_file, passes=("ids",)), lens_and_shutter(two_cubes(cube_file, passes=("ids",)))
    clips = [render_members(spec, "k", 0, GATE) for spec in (sharp, blurred)]
    ids, blurred_ids = (decode(clip)["ids"] for clip in clips)
    for frame, wanted in enumerate(cubes):
        assert np.mean(ids[frame] != wanted) < 1e-3 and np.mean(blurred_ids[frame] != wanted) < 1e-3
    pictures = [dict(clip.members)["k.00001.jpg"] for clip in clips]
    assert pictures[0] != pictures[1], "the picture is blurred"
    assert blurred.render.passes == ("ids",) and not clips[1].passes


@pytest.mark.parametrize(("width", "height"), [(48, 80), (80, 48), (48, 48)])
def test_intrinsics_are_those_of_the_lens_in_any_format_while_it_zooms(cube_file, width, height):
    spec = two_cubes(cube_file)
    camera = dataclasses.replace(spec.camera, fov_radians=(0.9, 0.5, 0.7))
    render = dataclasses.replace(spec.render, width=width, height=height)
    scene = build_scene(dataclasses.replace(spec, camera=camera, render=render))
    geometry = scene.geometry()
    assert len(set(geometry.intrinsics[:, 0, 0])) == spec.num_frames
    with truth_renders(scene):
        for frame, surface in enumerate(render_surfaces(scene)):
            pose, intrinsics = geometry.poses[frame], geometry.intrinsics[frame]
            assert surface.seen.mean() > 0.5
            assert camera_agreement(surface, surface.depth, pose, intrinsics) == 1.0


@pytest.fixture(scope="module")
def bent(cube_file):
    """A cube that is bent strongly and stands before a still one, under motion blur: the decoded passes."""
    offsets = np.zeros((5, 27, 3))
    offsets[:, :, 0] = np.linspace(0.0, 0.35, 5)[:, None] * np.repeat([-1.0, 0.0, 1.0], 9)
    deformation = DeformationSpec(kind="lattice", lattice=tuple(tuple(map(tuple, e)) for e in offsets.tolist()))
    spec = lens_and_shutter(two_cubes(cube_file, passes=("ids", "flow", "coordinates", "tracks", "depth")))
    objects = (dataclasses.replace(spec.objects[0], deformation=deformation), spec.objects[1])
    clip = render_members(dataclasses.replace(spec, objects=objects), "bent", 0, GATE)
    return decode(clip)


def test_flow_of_a_deforming_object_carries_its_coordinates(bent):
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    for frame, (flow, valid) in bent["flow_forward.png"].items():
        own = valid & (bent["ids"][frame] == 1)
        to_column = np.floor(columns + 0.5 + flow[..., 0]).astype(int).clip(0, WIDTH - 1)
        to_row = np.floor(rows + 0.5 + flow[..., 1]).astype(int).clip(0, HEIGHT - 1)
        arrives = own & (bent["ids"][frame + 1][to_row, to_column] == 1)
        assert arrives.sum() > 0.9 * own.sum() > 100
        here, there = bent["coordinates.png"][frame][0], bent["coordinates.png"][frame + 1][0][to_row, to_column]
        apart = np.linalg.norm(here - there, axis=-1)[arrives]
        assert np.median(apart) < 0.015, "half a pixel of the model"
        assert flow[own].std(axis=0).max() > 0.5, "its points do not move alike"


def test_tracks_of_a_deforming_object_move_with_its_flow(bent):
    tracks = bent["tracks.npy"][0][:32]
    for frame, (flow, _) in bent["flow_forward.png"].items():
        seen = tracks[:, frame, 3] > 0
        assert seen.sum() > 3
        columns, rows = np.floor(tracks[seen, frame, :2]).astype(int).T
        moved = tracks[seen, frame + 1, :2] - tracks[seen, frame, :2]
        assert np.quantile(np.abs(moved - flow[rows, columns]), 0.9) < 0.2


def test_the_sky_has_no_depth_and_flows_as_the_camera_turns(cube_file):
    spec = two_cubes(cube_file, passes=("ids", "flow", "depth", "normals"), samples=4)
    sky = EnvironmentSpec(
        image=AssetReference(name="sky", family="clear_sky", seed=3), rotation_radians=0.4, strength=1.0
    )
    camera = dataclasses.replace(spec.camera, look_at=tuple((x, 3.0, 0.6) for x in np.linspace(-2.0, 2.0, 5)))
    background = dataclasses.replace(spec.background, kind="environment")
    spec = dataclasses.replace(spec, environment=sky, camera=camera, background=background)
    clip = render_members(spec, "k", 0, GATE)
    truth, scene = decode(clip), build_scene(spec)
    sky_seen = truth["ids"][1] == 0
    assert sky_seen.mean() > 0.3 and not truth["depth.png"][1][sky_seen].any()
    assert not truth["normals.png"][1][sky_seen].any()
    flow, valid = truth["flow_forward.png"][1]
    assert valid.all()
    geometry = scene.geometry()
    rays = pixel_rays(HEIGHT, WIDTH, geometry.intrinsics[1]) @ geometry.poses[1][:3, :3].T @ geometry.poses[2][:3, :3]
    x = geometry.intrinsics[2][0, 2] - geometry.intrinsics[2][0, 0] * rays[..., 0] / rays[..., 2]
    np.testing.assert_allclose((flow[..., 0] - (x - np.arange(WIDTH) - 0.5))[sky_seen], 0.0, atol=0.02)
    assert np.abs(flow[sky_seen]).max() > 3.0


def plate(cube_file, path_scale, **changes):
    """A cube squeezed to a plate before a still wall."""
    return cube(cube_file, 1, scale=still(path_scale), **changes)


def disc_material(softness):
    """Opacity falls from 1 inside a disc to 0 outside of it, over a band `softness` wide in model units."""
    material = bpy.data.materials.new("leaf")
    material.use_nodes = True
    nodes, links = material.node_tree.nodes, material.node_tree.links
    place, length, ramp = (nodes.new(f"ShaderNode{name}") for name in ("TexCoord", "VectorMath", "MapRange"))
    flat = nodes.new("ShaderNodeVectorMath")
    flat.operation, length.operation = "MULTIPLY", "LENGTH"
    flat.inputs[1].default_value = (1.0, 0.0, 1.0)
    links.new(place.outputs["Object"], flat.inputs[0])
    links.new(flat.outputs[0], length.inputs[0])
    links.new(length.outputs["Value"], ramp.inputs["Value"])
    ramp.inputs["From Min"].default_value, ramp.inputs["From Max"].default_value = 0.2 - softness, 0.2 + softness
    ramp.inputs["To Min"].default_value, ramp.inputs["To Max"].default_value = 1.0, 0.0
    principled = next(node for node in nodes if node.type == "BSDF_PRINCIPLED")
    links.new(ramp.outputs["Result"], principled.inputs["Alpha"])
    return material


def test_normals_are_those_of_the_shape_and_not_of_a_bump_map(cube_file):
    scene = build_scene(two_cubes(cube_file))
    material = scene.models[0].data.materials[0]
    nodes, links = material.node_tree.nodes, material.node_tree.links
    noise, bump = nodes.new("ShaderNodeTexNoise"), nodes.new("ShaderNodeBump")
    noise.inputs["Scale"].default_value = 40.0
    bump.inputs["Distance"].default_value = 0.5
    links.new(noise.outputs["Fac"], bump.inputs["Height"])
    principled = next(node for node in nodes if node.type == "BSDF_PRINCIPLED")
    links.new(bump.outputs["Normal"], principled.inputs["Normal"])
    with truth_renders(scene):
        surface = next(render_surfaces(scene))
    assert (np.abs(surface.normal[surface.ids == 1]).max(axis=-1) > 0.999).all(), "the sides of the cube are axes"
    assert principled.inputs["Normal"].is_linked, "the picture has its bumps again"


@pytest.mark.parametrize("softness", [0.001, 0.1])
def test_a_leaf_with_a_cut_out_is_seen_where_it_is_more_there_than_not(cube_file, softness):
    far = cube(cube_file, 2, location=still((0.0, 3.0, 0.0)), scale=still([3.0] * 3))
    spec = world([plate(cube_file, (4.0, 0.001, 4.0)), far], 1)
    scene = build_scene(dataclasses.replace(spec, render=dataclasses.replace(spec.render, width=WIDTH, height=HEIGHT)))
    scene.models[0].data.materials[0] = disc_material(softness)
    with truth_renders(scene):
        (surface,) = render_surfaces(scene)
        finer = render_finer_ids(scene, 0, (0, 0, WIDTH, HEIGHT))
    geometry = scene.geometry()
    plane = np.array([0.0, -1.0, 0.0])
    rays = pixel_rays(HEIGHT, WIDTH, geometry.intrinsics[0]) @ geometry.poses[0][:3, :3].T
    hits = geometry.poses[0][:3, 3] - rays * (geometry.poses[0][:3, 3] @ plane / (rays @ plane))[..., None]
    disc = np.hypot(hits[..., 0], hits[..., 2]) < 0.2 * 4.0
    assert disc.sum() > 200
    np.testing.assert_array_less(np.mean(disc != (surface.ids == 1)), 0.002)
    assert (surface.ids == 2).any(), "the far cube is seen past the leaf"
    assert mask_agreement(surface.ids, finer) >= SMALLEST_AGREEMENT["mask"]


def test_masks_agree_with_a_render_of_eight_times_the_pixels_down_to_thin_rods(cube_file):
    rods = [
        cube(cube_file, n + 1, location=still((x, 0.0, 0.0)), rotation=still((0.0, angle, 0.2)), scale=still(size))
        for n, (x, angle, size) in enumerate(
            [(-1.0, 0.3, (0.25, 0.25, 4.0)), (0.2, -0.5, (0.4, 0.2, 5.0)), (1.1, 1.2, (2.5, 1.0, 1.0))]
        )
    ]
    spec = world(rods, 1)
    settings = dataclasses.replace(spec.render, width=192, height=128)
    scene = build_scene(dataclasses.replace(spec, render=settings))
    with truth_renders(scene):
        (surface,) = render_surfaces(scene)
        finer = render_finer_ids(scene, 0, (0, 0, 192, 128))
    assert finer.shape == (128 * FINER, 192 * FINER)
    assert mask_agreement(surface.ids, finer) >= SMALLEST_AGREEMENT["mask"]
    shifted = np.roll(surface.ids, 1, axis=1)
    assert mask_agreement(shifted, finer) < SMALLEST_AGREEMENT["mask"], "masks that are off by a pixel do not agree"


def test_the_picture_after_a_truth_render_is_the_picture_without_one(cube_file):
    spec = lens_and_shutter(two_cubes(cube_file))
    plain = [rgb for rgb, _ in render_built(build_scene(spec), with_ids=False)]
    scene = build_scene(spec)
    with truth_renders(scene):
        for _ in render_surfaces(scene):
            pass
    for wanted, (rgb, ids) in zip(plain, render_built(scene, with_ids=False), strict=True):
        np.testing.assert_array_equal(rgb, wanted)
        assert ids is None
