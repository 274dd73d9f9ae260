"""Real renders of tiny worlds: ids are exact, repeatable, and the scene is built through BlenderProc."""

import json

import numpy as np
import pytest

pytest.importorskip("bpy", reason="bpy is not installed (the render extra)")

from vosforge.datagen.imaging.images import decode_ids, decode_jpeg
from vosforge.render.camera_path import project_points
from vosforge.render.process.child import run_child
from vosforge.render.scene import (
    AssetReference,
    BackgroundSpec,
    CameraSpec,
    LightSpec,
    ObjectSpec,
    RenderSettings,
    SceneSpec,
)

pytestmark = pytest.mark.blender
WIDTH, HEIGHT, FRAMES = 96, 64, 3


def write_cube(path):
    corners = [(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]
    faces = [(1, 2, 4, 3), (5, 7, 8, 6), (1, 5, 6, 2), (3, 4, 8, 7), (1, 3, 7, 5), (2, 6, 8, 4)]
    lines = [f"v {x} {y} {z}" for x, y, z in corners] + ["f " + " ".join(map(str, face)) for face in faces]
    path.write_text("\n".join(lines) + "\n")


def write_picture(path, colour):
    from PIL import Image

    pixels = np.full((64, 64, 3), colour, np.uint8)
    pixels[::8] //= 2
    Image.fromarray(pixels).save(path)


def still(point):
    return (tuple(map(float, point)),) * 5


def two_cubes(folder, **render):
    """A red cube in front of a blue one; both are seen whole but for the overlap; the red one moves to the right."""
    write_cube(folder / "cube.obj")
    for name, colour in (("red", (220, 40, 40)), ("blue", (40, 60, 220)), ("ground", (120, 160, 120))):
        write_picture(folder / f"{name}.png", colour)

    def cube(instance_id, name, location, scale):
        return ObjectSpec(
            instance_id=instance_id,
            model=AssetReference(name="cube", path=str(folder / "cube.obj")),
            texture=AssetReference(name=name, path=str(folder / f"{name}.png")),
            location=location,
            rotation=still((0, 0, 0)),
            scale=still((scale,) * 3),
        )

    moving = tuple((x, 0.0, 0.0) for x in np.linspace(-1.0, -0.2, 5))
    return SceneSpec(
        recipe="two-cubes",
        index=0,
        attempt=0,
        num_frames=FRAMES,
        objects=(cube(1, "red", moving, 1.8), cube(2, "blue", still((0.6, 3.0, 0.0)), 3.0)),
        camera=CameraSpec(location=still((0, -5, 0)), look_at=still((0, 3, 0)), fov_radians=(0.8,)),
        lights=(LightSpec(location=(2.0, -9.0, 4.0), colour=(1.0, 1.0, 1.0), energy_watts=4000.0),),
        background=BackgroundSpec(
            image=AssetReference(name="ground", path=str(folder / "ground.png")),
            emission_strength=0.8,
            depth=12.0,
            width=24.0,
            height=16.0,
        ),
        world_colour=(0.5, 0.6, 0.6),
        world_strength=0.4,
        render=RenderSettings(width=WIDTH, height=HEIGHT, samples=2, device="cpu", **render),
        render_seed=5,
    )


def render(folder, spec):
    """Render in a child process, as the farm does; returns ([rgb], [ids], metadata, member bytes)."""
    from vosforge.datagen.corpus.shards import read_members

    (folder / "parts").mkdir(exist_ok=True)
    checks = {"smallest_area": 1, "smallest_share": 0.0}
    order = {"root": str(folder), "key": "cubes-000000", "seed": 0, "spec": spec.to_json(), "checks": checks}
    (folder / "request.json").write_text(json.dumps(order))
    arguments = ["render", str(folder / "request.json"), str(folder / "answer.json")]
    result = run_child(arguments, folder / "output.log", 120.0)
    assert result.returncode == 0, result.output_tail
    content = (folder / "parts/cubes-000000.tar").read_bytes()
    members = dict(read_members(content))
    rgb = [decode_jpeg(members[f"cubes-000000.{frame:05d}.jpg"]) for frame in range(FRAMES)]
    ids = [decode_ids(members[f"cubes-000000.{frame:05d}.png"]) for frame in range(FRAMES)]
    return rgb, ids, json.loads(members["cubes-000000.json"]), content


@pytest.fixture(scope="module")
def cubes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cubes")
    return render(folder, two_cubes(folder))


def test_two_cubes_carry_their_ids_where_they_stand(cubes):
    rgb, ids, _, _ = cubes
    for picture, labels in zip(rgb, ids, strict=True):
        assert set(np.unique(labels)) == {0, 1, 2}
        red, blue = picture[labels == 1].mean(axis=0), picture[labels == 2].mean(axis=0)
        assert red[0] > red[2] + 30 and blue[2] > blue[0] + 30
    middle = ids[0][HEIGHT // 2]
    assert middle[:8].max() == 0, "the background is 0"


def test_the_near_cube_hides_the_far_one_and_moves_right(cubes):
    _, ids, _, _ = cubes
    columns = [np.flatnonzero((labels == 1).any(axis=0)) for labels in ids]
    assert columns[0][0] < columns[1][0] < columns[2][0]
    far_area = [(labels == 2).sum() for labels in ids]
    assert far_area[2] < far_area[0], "the red cube covers more and more of the blue one"


def test_silhouette_of_a_cube_is_where_the_camera_projects_it(cubes):
    _, _, metadata, _ = cubes
    pose, intrinsics = (np.array(metadata["camera"][name])[0] for name in ("poses", "intrinsics"))
    side = 1.8 / np.sqrt(3) / 2
    corners = np.array([[-1.0 + x * side, y * side, z * side] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
    seen = project_points(corners, pose, intrinsics)[:, :2]
    x0, y0, x1, y1 = metadata["objects"][0]["box"][0]
    np.testing.assert_allclose([x0, y0], seen.min(axis=0), atol=1.0)
    np.testing.assert_allclose([x1, y1], seen.max(axis=0), atol=1.0)


def test_metadata_tells_area_box_and_intrinsics(cubes):
    _, ids, metadata, _ = cubes
    for entry in metadata["objects"]:
        assert entry["area"] == [int((labels == entry["id"]).sum()) for labels in ids]
    assert metadata["camera"]["intrinsics"][0][0][0] == pytest.approx(WIDTH / 2 / np.tan(0.4), rel=1e-4)
    assert np.array(metadata["camera"]["poses"]).shape == (FRAMES, 4, 4)


def test_the_same_spec_gives_the_same_bytes_on_one_and_two_threads(cubes, tmp_path):
    assert render(tmp_path, two_cubes(tmp_path, threads=2))[3] == cubes[3]


def test_ids_agree_with_a_second_emission_pass(cubes, tmp_path):
    _, ids, _, _ = render(tmp_path, two_cubes(tmp_path, two_pass_masks=True))
    agreement = np.mean([np.mean(mine == other) for mine, other in zip(cubes[1], ids, strict=True)])
    assert agreement > 0.985, "the second pass differs by its filtered edges only"


def test_every_supported_format_is_measured_or_refused(tmp_path, shared_data):
    from vosforge.render.assets.scan import scan_assets

    folders = [shared_data / "assets" / name for name in ("meshes", "broken", "models/cup")]
    pool = scan_assets(folders, [], [])
    verdicts = {asset.name: asset for asset in pool.assets}
    for name in ("cow.obj", "box_textured.glb", "cube_uv.ply", "spider.fbx", "spider_binary.stl"):
        assert not verdicts[f"meshes/{name}"].reason and verdicts[f"meshes/{name}"].faces > 0
    assert b"KHR_draco_mesh_compression" in (folders[2] / "model.gltf").read_bytes()
    assert not verdicts["cup/model.gltf"].reason and verdicts["cup/model.gltf"].faces > 0
    assert verdicts["meshes/box_textured.glb"].textured and not verdicts["meshes/cow.obj"].textured
    for name in ("empty.obj", "empty.ply", "nan.obj", "truncated.gltf", "zero_area.obj", "crash.ply"):
        assert verdicts[f"broken/{name}"].reason, f"{name} must be quarantined"


def test_models_are_scanned_without_files_left_behind_and_in_upper_case_too(tmp_path, monkeypatch):
    from vosforge.render.assets.scan import scan_assets

    folder, elsewhere = tmp_path / "models", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    write_cube(folder / "CUBE.OBJ")
    write_picture(folder / "skin.png", (10, 200, 10))
    header = "ply\nformat ascii 1.0\ncomment TextureFile skin.png\nelement vertex 3\n"
    header += "".join(f"property float {name}\n" for name in ("x", "y", "z", "texture_u", "texture_v"))
    header += "element face 1\nproperty list uchar int vertex_indices\nend_header\n"
    (folder / "leaf.ply").write_text(header + "0 0 0 0 0\n1 0 0 1 0\n0 1 0 0 1\n3 0 1 2\n")
    (folder / "empty.obj").write_bytes(b"")
    (folder / "empty.ply").write_bytes(b"")
    monkeypatch.chdir(elsewhere)
    verdicts = {asset.name: asset for asset in scan_assets([folder], [], []).assets}
    assert verdicts["models/CUBE.OBJ"].faces == 6
    assert verdicts["models/leaf.ply"].textured
    assert verdicts["models/empty.obj"].reason != verdicts["models/empty.ply"].reason
    assert list(elsewhere.iterdir()) == []
