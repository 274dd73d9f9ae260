"""What the light, the surroundings, the surfaces and the lens do to the picture, measured on tiny renders."""

import dataclasses

import cv2
import numpy as np
import pytest

pytest.importorskip("bpy", reason="bpy is not installed (the render extra)")

import bpy
from moving_world import cube, still, world, write_cube
from vosforge.render.blender.frames import build_scene, render_built
from vosforge.render.blender.lens import add_lens, needs_sharp_pass, sharp
from vosforge.render.blender.relief import height_from_normals
from vosforge.render.blender.truth import render_surfaces, truth_renders
from vosforge.render.blender.world import mean_radiance
from vosforge.render.scene import AssetReference, EnvironmentSpec, FloorSpec, LensSpec, RenderSettings

pytestmark = pytest.mark.blender
WIDTH, HEIGHT = 96, 64
GROUND = AssetReference(name="ground", family="mosaic", seed=1)


def scene(folder, *, objects=None, num_frames=1, kind="emissive", floor=False, samples=4, camera=None, **changes):
    """A cube before a wall 12 units away, seen by a camera that stands still."""
    spec = world(objects or [cube(write_cube(folder / "cube.obj"), scale=still((2.5,) * 3))], num_frames)
    ground = FloorSpec(height=-1.5, texture=AssetReference(name="f", family="gradient", seed=2), units_per_repeat=8.0)
    return dataclasses.replace(
        spec,
        camera=dataclasses.replace(
            spec.camera, location=still((0, -5, 0.4)), fov_radians=(0.8,), **(camera or {"shutter_frames": 0.0})
        ),
        background=dataclasses.replace(spec.background, image=GROUND, kind=kind, floor=ground if floor else None),
        render=RenderSettings(width=WIDTH, height=HEIGHT, samples=samples, device="cpu", threads=1),
        **changes,
    )


def pictures(spec):
    """The frames of a scene as float (H, W, 3) in [0, 255]."""
    return [rgb.astype(float) for rgb, _ in render_built(build_scene(spec), with_ids=False)]


def ids_of(spec):
    built = build_scene(spec)
    with truth_renders(built):
        return [surface.ids for surface in render_surfaces(built)]


def write_one_sided_light(path):
    """An environment that is bright in one half of the horizon and dark in the other."""
    radiance = np.full((32, 64, 3), 0.02, np.float32)
    radiance[:, 16:48] = 2.0
    cv2.imwrite(str(path), radiance)
    return AssetReference(name=path.name, path=str(path))


def test_an_environment_lights_the_side_that_it_is_bright_on_and_turns(tmp_path):
    image = write_one_sided_light(tmp_path / "half.hdr")

    def left_and_right(rotation):
        turned = [cube(write_cube(tmp_path / "cube.obj"), scale=still((2.5,) * 3), rotation=still((0, 0, np.pi / 4)))]
        environment = EnvironmentSpec(image=image, rotation_radians=rotation, strength=1.0)
        picture = pictures(scene(tmp_path, objects=turned, environment=environment, lights=()))[0].mean(axis=-1)
        row = picture[HEIGHT // 2]
        return row[WIDTH // 2 - 12 : WIDTH // 2 - 3].mean(), row[WIDTH // 2 + 3 : WIDTH // 2 + 12].mean()

    first, second = left_and_right(0.0), left_and_right(np.pi)
    assert abs(first[0] - first[1]) > 40, "the sides of the cube differ"
    assert (first[0] > first[1]) != (second[0] > second[1]), "and half a turn of the map swaps them"


def test_an_environment_is_seen_only_when_it_is_the_background(tmp_path):
    environment = EnvironmentSpec(
        image=write_one_sided_light(tmp_path / "half.hdr"), rotation_radians=0.0, strength=1.0
    )
    behind, seen = (
        pictures(scene(tmp_path, kind=kind, environment=environment, lights=()))[0]
        for kind in ("emissive", "environment")
    )
    plain = pictures(scene(tmp_path, lights=()))[0]
    assert np.abs(behind[:10] - plain[:10]).mean() < 2, "the picture behind shines as ever"
    assert np.abs(seen[:10] - plain[:10]).mean() > 10
    with pytest.raises(ValueError, match="environment"):
        build_scene(scene(tmp_path, kind="environment"))


def test_the_mean_of_an_environment_weighs_rows_by_what_they_cover():
    radiance = np.zeros((64, 128, 3), np.float32)
    radiance[:32] = 1.0
    assert mean_radiance(radiance) == pytest.approx(0.5)
    radiance[:16] = 0.0
    assert mean_radiance(radiance) == pytest.approx(0.5 * np.cos(np.pi / 4), rel=1e-2)


def test_an_object_darkens_the_floor_below_it_and_floor_and_wall_are_background(tmp_path):
    lamp = dataclasses.replace(scene(tmp_path).lights[0], location=(0.0, -2.0, 9.0), energy_watts=6000.0)
    with_object = scene(tmp_path, kind="lit", floor=True, lights=(lamp,), world_strength=0.1)
    away = [dataclasses.replace(with_object.objects[0], location=still((0, -40, 0)))]
    without = dataclasses.replace(with_object, objects=tuple(away))
    shadowed, open_floor = (pictures(spec)[0].mean(axis=-1) for spec in (with_object, without))
    ids = ids_of(with_object)[0]
    bottom = np.flatnonzero((ids == 1).any(axis=1))[-1]
    below = (slice(bottom + 1, bottom + 5), slice(WIDTH // 2 - 6, WIDTH // 2 + 6))
    assert set(np.unique(ids)) == {0, 1} and (ids[below] == 0).all()
    assert shadowed[below].mean() < 0.7 * open_floor[below].mean()
    assert 40 < open_floor.mean() < 215, "neither black nor burnt out"


def test_exposure_makes_up_for_strong_and_weak_lamps_of_lit_scenes_alone(tmp_path):
    def brightness(kind, watts):
        spec = scene(tmp_path, kind=kind, world_strength=0.05)
        lamp = dataclasses.replace(spec.lights[0], location=(-3.0, -6.0, 6.0), energy_watts=watts)
        return pictures(dataclasses.replace(spec, lights=(lamp,)))[0][24:40, 40:56].mean()

    lit = brightness("lit", 15000.0) - brightness("lit", 1000.0)
    emissive = brightness("emissive", 15000.0) - brightness("emissive", 1000.0)
    assert 0 < lit < 0.6 * emissive


def write_ribbed_normals(path, *, green_down):
    """A normal map of rolling hills that tile; returns the height that it came from, in lengths of the texture."""
    side = 64
    y, x = np.mgrid[0:side, 0:side] * 2 * np.pi / side
    height = 0.02 * (np.sin(3 * x) * np.cos(2 * y) + 0.5 * np.sin(2 * x + 3 * y))
    down, right = (np.roll(height, -1, axis) - np.roll(height, 1, axis) for axis in (0, 1))
    normal = np.stack([-right, down if not green_down else -down, np.full_like(right, 2.0 / side)], axis=-1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    cv2.imwrite(str(path), np.rint((normal[..., ::-1] * 0.5 + 0.5) * 255).astype(np.uint8))
    return height


@pytest.mark.parametrize("green_down", [False, True])
def test_a_normal_map_of_either_convention_becomes_the_surface_it_came_from(tmp_path, green_down):
    height = write_ribbed_normals(tmp_path / "n.png", green_down=green_down)
    normals = cv2.cvtColor(cv2.imread(str(tmp_path / "n.png")), cv2.COLOR_BGR2RGB).astype(np.float32) / 255
    np.testing.assert_allclose(height_from_normals(normals), height, atol=0.15 * height.max())


def test_maps_of_a_texture_change_how_its_surface_shades(tmp_path):
    write_ribbed_normals(tmp_path / "normal.png", green_down=False)
    for name, value in (("grey", 128), ("smooth", 10), ("metal", 255)):
        cv2.imwrite(str(tmp_path / f"{name}.png"), np.full((64, 64, 3), value, np.uint8))

    def face(**maps):
        texture = AssetReference(
            name="grey",
            path=str(tmp_path / "grey.png"),
            maps=tuple((kind, str(tmp_path / f"{name}.png")) for kind, name in maps.items()),
        )
        box = cube(write_cube(tmp_path / "cube.obj"), scale=still((2.5,) * 3), texture=texture, roughness=0.9)
        lamp = dataclasses.replace(scene(tmp_path).lights[0], location=(-5.0, -4.0, 4.0))
        return pictures(scene(tmp_path, objects=[box], lights=(lamp,), samples=8))[0][24:38, 40:56].mean(axis=-1)

    plain, ribbed, metal = face(), face(normal="normal"), face(roughness="smooth", metalness="metal")
    assert ribbed.std() > 3 * plain.std() + 3, "a relief shades"
    assert abs(metal.mean() - plain.mean()) > 15, "a polished metal does not shade as plaster does"


def sharpness(picture, box):
    """Energy of fine detail inside (rows, columns)."""
    return np.abs(cv2.Laplacian(picture.mean(axis=-1), cv2.CV_64F))[box].mean()


def test_depth_of_field_blurs_the_background_and_not_the_object_in_focus(tmp_path):
    texture = AssetReference(name="t", family="mosaic", seed=3)
    box = [cube(write_cube(tmp_path / "cube.obj"), scale=still((2.5,) * 3), texture=texture, texture_repeats=2.0)]
    lens = LensSpec(f_stop=0.25, focus_id=1)
    flat = scene(tmp_path, objects=box, samples=16)
    deep = dataclasses.replace(flat, camera=dataclasses.replace(flat.camera, lens=lens))
    assert needs_sharp_pass(deep) and not needs_sharp_pass(flat)
    before, after = pictures(flat)[0], pictures(deep)[0]
    background, face = (slice(2, 12), slice(4, 92)), (slice(24, 38), slice(40, 56))
    assert sharpness(after, background) < 0.7 * sharpness(before, background)
    assert sharpness(after, face) > 0.75 * sharpness(before, face)
    with pytest.raises(ValueError, match="focus_id"):
        add_lens(
            dataclasses.replace(deep, camera=dataclasses.replace(deep.camera, lens=LensSpec(f_stop=1, focus_id=9))), []
        )


def test_motion_blur_smears_along_the_motion_and_leaves_ids_alone(tmp_path):
    path = tuple((x, 0.0, 0.0) for x in np.linspace(-0.9, 0.9, 5))
    box = [cube(write_cube(tmp_path / "cube.obj"), scale=still((1.8,) * 3), location=path)]
    still_shutter = scene(tmp_path, objects=box, num_frames=3, samples=16)
    open_shutter = dataclasses.replace(
        still_shutter, camera=dataclasses.replace(still_shutter.camera, shutter_frames=0.8)
    )
    frozen, smeared = pictures(still_shutter)[1], pictures(open_shutter)[1]
    ids, same = ids_of(still_shutter), ids_of(open_shutter)
    assert all(np.array_equal(first, second) for first, second in zip(ids, same, strict=True))
    columns, rows = (np.flatnonzero((ids[1] == 1).any(axis=axis)) for axis in (0, 1))
    changed = np.abs(smeared - frozen).mean(axis=-1)
    inner_rows, inner_columns = slice(rows[2], rows[-2]), slice(columns[0] + 8, columns[-1] - 8)
    sides = np.concatenate([changed[inner_rows, c - 3 : c + 3].ravel() for c in (columns[0], columns[-1])])
    top = changed[rows[0] - 2 : rows[0] + 2, inner_columns]
    assert sides.mean() > 3 * top.mean(), "it moves sideways, so its upright edges smear"


def test_sharp_switches_blur_and_depth_of_field_off_and_back_on(tmp_path):
    camera = {"shutter_frames": 0.5, "lens": LensSpec(f_stop=0.2, focus_id=1)}
    build_scene(scene(tmp_path, num_frames=2, camera=camera))
    render, field_of_depth = bpy.context.scene.render, bpy.context.scene.camera.data.dof
    assert render.use_motion_blur and field_of_depth.use_dof
    with sharp():
        assert not render.use_motion_blur and not field_of_depth.use_dof
    assert render.use_motion_blur and field_of_depth.use_dof
    assert render.motion_blur_position == "CENTER" and render.motion_blur_shutter == pytest.approx(0.5)
