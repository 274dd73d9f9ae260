"""Folders of models as ShapeNet, Objaverse and people lay them out: found, measured once, credited, split."""

import base64
import gzip
import json
import struct
from pathlib import Path

import numpy as np
import pytest
from vosforge.render.assets import measure as asset_measure
from vosforge.render.assets.cache import cache_path
from vosforge.render.assets.files import content_hash, find_assets
from vosforge.render.assets.folders import find_all_kinds
from vosforge.render.assets.pool import AssetPool
from vosforge.render.assets.scan import AssetFolders, check_assets, scan_assets, scan_with_cache
from vosforge.render.process.child import ChildResult

CUBE = [(x, y, z) for x in (0.0, 1.0) for y in (0.0, 1.0) for z in (0.0, 1.0)]
TRIANGLES = [0, 1, 3, 0, 3, 2, 4, 6, 7, 4, 7, 5, 0, 4, 5, 0, 5, 1, 2, 3, 7, 2, 7, 6, 0, 2, 6, 0, 6, 4, 1, 5, 7, 1, 7, 3]


def write_obj(path, scale=1.0, library=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"mtllib {library}"] if library else []
    lines += [f"v {x * scale} {y * scale} {z * scale}" for x, y, z in CUBE]
    lines += [f"f {a + 1} {b + 1} {c + 1}" for a, b, c in np.array(TRIANGLES).reshape(-1, 3)]
    path.write_text("\n".join(lines) + "\n")
    return path


def gltf(offsets, asset=None):
    """A glTF of one cube mesh for each offset, as a JSON object without outside files."""
    corners = np.array(CUBE, np.float32).tobytes() + np.array(TRIANGLES, np.uint16).tobytes()
    return {
        "asset": {"version": "2.0", **(asset or {})},
        "scene": 0,
        "scenes": [{"nodes": list(range(len(offsets)))}],
        "nodes": [{"mesh": 0, "translation": list(offset)} for offset in offsets],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1}]}],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": 8, "type": "VEC3", "min": [0, 0, 0], "max": [1, 1, 1]},
            {"bufferView": 1, "componentType": 5123, "count": 36, "type": "SCALAR"},
        ],
        "bufferViews": [
            {"buffer": 0, "byteOffset": 0, "byteLength": 96},
            {"buffer": 0, "byteOffset": 96, "byteLength": 72},
        ],
        "buffers": [
            {
                "byteLength": len(corners),
                "uri": "data:application/octet-stream;base64," + base64.b64encode(corners).decode(),
            }
        ],
    }


def write_glb(path, header):
    content = json.dumps(header).encode()
    content += b" " * (-len(content) % 4)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack("<4sIIII", b"glTF", 2, 20 + len(content), len(content), 0x4E4F534A) + content)
    return path


@pytest.fixture
def no_blender(monkeypatch):
    """Models are measured without Blender; the list of what was measured."""
    measured = []

    def run_child(arguments, _log, _limit, answers, **_limits):
        paths = json.loads(Path(arguments[1]).read_text())
        measured.extend(paths)
        answers.write_text("".join(json.dumps({"faces": 12, "bounds": [1, 2, 3]}) + "\n" for _ in paths))
        return ChildResult(0, 0.1, "")

    monkeypatch.setattr(asset_measure, "run_child", run_child)
    return measured


def test_of_a_shapenet_model_only_the_normalised_file_counts(tmp_path):
    root = tmp_path / "ShapeNetCore.v2"
    write_obj(root / "02691156/1a2b/models/model_normalized.obj")
    write_obj(root / "02691156/1a2b/models/model_normalized.surface.obj")
    write_obj(root / "02691156/1a2b/screenshots/preview.obj")
    write_obj(root / "03001627/3c4d/models/model_normalized.obj")
    (root / "taxonomy.json").write_text(json.dumps([{"synsetId": "02691156", "name": "airplane,aeroplane,plane"}]))
    found = find_assets("model", root, "shapenet")
    assert [asset.name for asset in found] == [
        "shapenet/02691156/1a2b/models/model_normalized.obj",
        "shapenet/03001627/3c4d/models/model_normalized.obj",
    ]
    assert found[0].source == "ShapeNetCore.v2 02691156/1a2b (airplane,aeroplane,plane)"
    assert found[1].source == "ShapeNetCore.v2 03001627/3c4d"
    assert found[0].licence == "ShapeNet terms of use"


def test_objaverse_metadata_gives_source_and_licence(tmp_path):
    root = tmp_path / "hf-objaverse-v1"
    for uid in ("aaaa", "bbbb"):
        write_glb(root / f"glbs/000-023/{uid}.glb", gltf([(0, 0, 0)]))
    listing = {"aaaa": {"license": "by-nc", "viewerUrl": "https://example.org/aaaa", "user": {"username": "ann"}}}
    (root / "metadata").mkdir()
    (root / "metadata/000-023.json.gz").write_bytes(gzip.compress(json.dumps(listing).encode()))
    (root / "glbs/000-023/bbbb.json").write_text(json.dumps({"license": "cc0"}))
    for folder in (root, root / "glbs"):
        first, second = find_assets("model", folder, "objaverse")
        assert (first.source, first.licence) == ("https://example.org/aaaa by ann", "CC BY-NC 4.0")
        assert second.licence == "CC0 1.0" and second.source == "objaverse:bbbb"


def test_a_gltf_file_speaks_for_itself_and_the_nearest_licence_file_for_the_rest(tmp_path):
    write_glb(tmp_path / "a.glb", gltf([(0, 0, 0)], {"copyright": "2020 Ann, CC BY 4.0"}))
    extras = {"license": "CC-BY-SA-4.0", "author": "Bob", "source": "https://example.org/b"}
    write_glb(tmp_path / "b.glb", gltf([(0, 0, 0)], {"extras": extras}))
    write_obj(tmp_path / "c.obj")
    write_obj(tmp_path / "inner/d.obj")
    (tmp_path / "LICENSE").write_text("\nMIT\nmore\n")
    (tmp_path / "inner/license.txt").write_text("Model Information:\n* license type:\tCC0-1.0\n")
    found = {asset.name: (asset.source, asset.licence) for asset in find_assets("model", tmp_path, "models")}
    assert found == {
        "models/a.glb": ("models", "2020 Ann, CC BY 4.0"),
        "models/b.glb": ("https://example.org/b by Bob", "CC-BY-SA-4.0"),
        "models/c.obj": ("models", "MIT"),
        "models/inner/d.obj": ("models", "CC0-1.0"),
    }


def test_a_model_is_another_when_its_material_or_texture_changes(tmp_path):
    model = write_obj(tmp_path / "a.obj", library="my colours.mtl")
    library, texture = tmp_path / "my colours.mtl", tmp_path / "wood.png"
    hashes = [content_hash(model)]
    library.write_text("newmtl wood\nmap_Kd -s 1 1 1 wood.png\n")
    hashes.append(content_hash(model))
    texture.write_bytes(b"one")
    hashes.append(content_hash(model))
    texture.write_bytes(b"two")
    hashes.append(content_hash(model))
    assert len(set(hashes)) == 4


def test_a_file_is_measured_once_a_machine(tmp_path, monkeypatch, no_blender):
    monkeypatch.setenv("VOSFORGE_CACHE", str(tmp_path / "cache"))
    write_obj(tmp_path / "one/a.obj")
    write_obj(tmp_path / "two/same.obj")
    write_obj(tmp_path / "two/other.obj", scale=2.0)
    pool = scan_with_cache(AssetFolders(models=(tmp_path / "one", tmp_path / "two")), known := {})
    assert len(no_blender) == 2 and len(known) == 2, "equal content is measured once"
    assert [asset.faces for asset in pool.assets] == [12] * 3 and pool.assets[0].bounds == (1, 2, 3)
    scan_with_cache(AssetFolders(models=(tmp_path / "two",)), {})
    assert len(no_blender) == 2
    cache_path().write_text("damaged")
    scan_with_cache(AssetFolders(models=(tmp_path / "one",)), {})
    assert len(no_blender) == 3


def test_a_hanging_model_is_quarantined_and_tried_again_next_time(tmp_path, monkeypatch):
    monkeypatch.setenv("VOSFORGE_CACHE", str(tmp_path / "cache"))
    for name in "abc":
        write_obj(tmp_path / f"models/{name}.obj", scale=ord(name))

    def hang_at_b(arguments, _log, _limit, answers, **_limits):
        paths = json.loads(Path(arguments[1]).read_text())
        count = next((number for number, path in enumerate(paths) if path.endswith("b.obj")), len(paths))
        answers.write_text('{"faces": 12}\n' * count)
        return ChildResult(0 if count == len(paths) else -9, 1.0, "", "timeout")

    monkeypatch.setattr(asset_measure, "run_child", hang_at_b)
    folders = AssetFolders(models=(tmp_path / "models",))
    pool = scan_with_cache(folders, known := {})
    assert [asset.name for asset in pool.quarantined()] == ["models/b.obj"]
    assert pool.quarantined()[0].reason.startswith("timeout: no end after")
    assert len(known) == 3, "within one corpus the verdict stands"
    assert len(json.loads(cache_path().read_text())["models"]) == 2, "for the next one it may have been the machine"


def test_an_unreadable_file_is_quarantined(tmp_path, no_blender):
    write_obj(tmp_path / "a.obj")
    (tmp_path / "b.obj").symlink_to("/proc/self/mem")
    pool = scan_assets([tmp_path], [], [])
    assert [asset.name.split("/")[1] for asset in pool.usable("model")] == ["a.obj"]
    assert "cannot be read" in pool.quarantined()[0].reason


def test_linked_folders_are_walked_once(tmp_path):
    elsewhere, folder = tmp_path / "elsewhere", tmp_path / "models"
    elsewhere.mkdir()
    (folder / "own").mkdir(parents=True)
    (elsewhere / "far.obj").write_text("v 0 0 0\n")
    (folder / "own" / "near.obj").write_text("v 1 0 0\n")
    (folder / "linked").symlink_to(elsewhere)
    (elsewhere / "back").symlink_to(folder)
    names = [asset.name for asset in find_assets("model", folder, "models")]
    assert names == ["models/linked/far.obj", "models/own/near.obj"]


def test_a_mixed_folder_is_sorted_out(tmp_path):
    from PIL import Image

    for name in ("textures/dots.png", "Wood_Color.png", "Wood_Normal.png", "holiday.jpg", "skin.png", "shot/x.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (32, 32), (9, 9, 9)).save(tmp_path / name)
    write_obj(tmp_path / "a.obj", library="a.mtl")
    (tmp_path / "a.mtl").write_text("newmtl skin\nmap_Kd skin.png\n")
    (tmp_path / "sky.hdr").write_bytes(b"")
    (tmp_path / ".hidden.png").write_bytes(b"")
    found = {asset.name.split("/", 1)[1]: asset.kind for asset in find_all_kinds([tmp_path])}
    assert found == {
        "a.obj": "model",
        "textures/dots.png": "texture",
        "Wood_Color.png": "texture",
        "holiday.jpg": "background",
        "shot/x.png": "background",
        "sky.hdr": "environment",
    }


@pytest.mark.blender
def test_every_broken_file_is_quarantined_with_its_reason_and_parts_are_counted(tmp_path):
    pytest.importorskip("bpy", reason="bpy is not installed (the render extra)")
    write_obj(tmp_path / "nan.obj").write_text("v nan 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    (tmp_path / "empty.ply").write_bytes(b"")
    (tmp_path / "cut.gltf").write_text(json.dumps(gltf([(0, 0, 0)]))[:200])
    (tmp_path / "flat.obj").write_text("v 0 0 0\nv 0 0 0\nv 0 0 0\nf 1 2 3\n")
    (tmp_path / "table.gltf").write_text(json.dumps(gltf([(0, 0, 0), (3, 0, 0), (0, 0, 7)])))
    write_obj(tmp_path / "big.obj", scale=1000.0)
    checked = {asset.name: asset for asset in check_assets(find_assets("model", tmp_path, "m"), {})}
    reasons = {name: asset.reason for name, asset in checked.items() if asset.reason}
    assert set(reasons) == {"m/nan.obj", "m/empty.ply", "m/cut.gltf", "m/flat.obj"}
    assert "finite" in reasons["m/nan.obj"] and "no area" in reasons["m/flat.obj"]
    assert checked["m/table.gltf"].num_parts == 3 and checked["m/table.gltf"].faces == 36
    assert sorted(checked["m/table.gltf"].bounds) == pytest.approx([1.0, 4.0, 8.0])
    assert checked["m/big.obj"].bounds == pytest.approx((1000.0,) * 3)
    assert not checked["m/table.gltf"].rigged and not checked["m/table.gltf"].animated


@pytest.mark.blender
def test_all_parts_of_a_model_are_one_instance(tmp_path):
    pytest.importorskip("bpy", reason="bpy is not installed (the render extra)")
    from vosforge.render.blender.frames import render_frames
    from vosforge.render.scene import (
        AssetReference,
        BackgroundSpec,
        CameraSpec,
        LightSpec,
        ObjectSpec,
        RenderSettings,
        SceneSpec,
    )

    (tmp_path / "pair.gltf").write_text(json.dumps(gltf([(0, 0, 0), (4, 0, 0)])))
    ground = AssetPool().deal("background", 0, 0)
    point = ((0.0, 0.0, 0.0),) * 5
    spec = SceneSpec(
        recipe="parts",
        index=0,
        attempt=0,
        num_frames=1,
        objects=(
            ObjectSpec(
                instance_id=7,
                model=AssetReference(name="pair", path=str(tmp_path / "pair.gltf")),
                texture=None,
                location=point,
                rotation=point,
                scale=((3.0, 3.0, 3.0),) * 5,
            ),
        ),
        camera=CameraSpec(location=((0.0, -5.0, 0.0),) * 5, look_at=((0.0, 3.0, 0.0),) * 5, fov_radians=(0.8,)),
        lights=(LightSpec(location=(2.0, -9.0, 4.0), colour=(1.0, 1.0, 1.0), energy_watts=4000.0),),
        background=BackgroundSpec(image=ground, emission_strength=0.8, depth=12.0, width=24.0, height=16.0),
        world_colour=(0.5, 0.5, 0.5),
        world_strength=0.5,
        render=RenderSettings(width=96, height=64, samples=1),
    )
    ((_, ids),) = render_frames(spec)
    assert set(np.unique(ids)) == {0, 7}
    seen = (ids == 7).any(axis=0)
    starts = np.flatnonzero(np.diff(seen.astype(int)) == 1)
    assert len(starts) == 2, "two parts with a gap between them carry one id"
