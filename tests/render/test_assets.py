"""Folders of assets are found, checked and named; what is broken is named with its reason."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from vosforge.render.assets.pool import AssetPool, ledger_rows, load_environment, load_image
from vosforge.render.assets.scan import scan_assets
from vosforge.render.scene import AssetReference


def picture(path, size=(32, 24)):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def test_the_maps_of_a_pbr_set_make_one_texture(tmp_path):
    others = ("Normal", "Roughness", "Displacement", "AmbientOcclusion", "Metalness")
    for name in ("Wood_1K_Color", *(f"Wood_1K_{ending}" for ending in others)):
        picture(tmp_path / f"wood/{name}.png")
    for name in ("Grass001_1K-JPG_Color", "Grass001_1K-JPG_NormalGL", "Grass001_1K-JPG_NormalDX"):
        picture(tmp_path / f"grass/{name}.png")
    for name in ("rock_diff_1k", "rock_nor_gl_1k", "rock_rough_1k", "rock_arm_1k", "rock_disp_4k"):
        picture(tmp_path / f"rock/{name}.png")
    picture(tmp_path / "plain/dots.png")
    pool = scan_assets([], [tmp_path], [])
    maps = {
        Path(asset.name).stem: {kind: Path(path).stem for kind, path in asset.maps} for asset in pool.usable("texture")
    }
    assert maps == {
        "Wood_1K_Color": {
            "normal": "Wood_1K_Normal",
            "roughness": "Wood_1K_Roughness",
            "displacement": "Wood_1K_Displacement",
            "metalness": "Wood_1K_Metalness",
        },
        "Grass001_1K-JPG_Color": {"normal": "Grass001_1K-JPG_NormalGL"},
        "rock_diff_1k": {"normal": "rock_nor_gl_1k", "roughness": "rock_rough_1k", "displacement": "rock_disp_4k"},
        "dots": {},
    }
    reference = pool.deal("texture", 0, 0)
    assert reference.maps == pool.asset(reference).maps


def test_a_directx_normal_map_is_left_out(tmp_path):
    for name in ("Bark_Color", "Bark_NormalDX"):
        picture(tmp_path / f"{name}.png")
    (asset,) = scan_assets([], [tmp_path], []).usable("texture")
    assert asset.maps == ()


def test_a_set_is_known_by_all_its_maps_and_a_broken_map_quarantines_it(tmp_path):
    for place in ("here", "there"):
        for name in ("Bark_Color", "Bark_Roughness"):
            picture(tmp_path / place / f"textures/{name}.png")
    picture(tmp_path / "there/textures/Bark_Roughness.png", (48, 48))
    here, there = (scan_assets([], [tmp_path / place / "textures"], []) for place in ("here", "there"))
    assert here.assets[0].sha256 != there.assets[0].sha256
    (tmp_path / "here/textures/Bark_Roughness.png").write_bytes(b"no picture")
    picture(tmp_path / "here/textures/other.png")
    broken = scan_assets([], [tmp_path / "here/textures"], []).quarantined()
    assert [asset.reason.split(":")[0] for asset in broken] == ["roughness map"]


def test_a_truncated_picture_is_quarantined_and_the_others_serve(tmp_path):
    whole = picture(tmp_path / "a.jpg", (256, 256))
    (tmp_path / "b.jpg").write_bytes(whole.read_bytes()[:2000])
    (tmp_path / "c.png").write_bytes(b"")
    picture(tmp_path / "d.png", (8, 8))
    pool = scan_assets([], [], [tmp_path])
    assert [asset.name for asset in pool.usable("background")] == [f"{tmp_path.name}/a.jpg"]
    reasons = {asset.name.split("/")[1]: asset.reason for asset in pool.quarantined()}
    assert "truncated" in reasons["b.jpg"] and "decoded" in reasons["c.png"] and "8x8" in reasons["d.png"]


def test_missing_empty_and_wholly_broken_folders_are_refused_by_name(tmp_path):
    with pytest.raises(ValueError, match=r"--textures .*nowhere: no such folder"):
        scan_assets([], [tmp_path / "nowhere"], [])
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"--models .*empty: no model in it; expected files ending in .obj"):
        scan_assets([tmp_path / "empty"], [], [])
    (tmp_path / "empty/x.jpg").write_bytes(b"no picture")
    with pytest.raises(ValueError, match="none of the 1 backgrounds"):
        scan_assets([], [], [tmp_path / "empty"])


def test_names_do_not_depend_on_where_the_folder_lies(tmp_path):
    for place in ("here", "there"):
        picture(tmp_path / place / "textures/a.png")
        (tmp_path / place / "textures/broken.png").write_bytes(b"no picture")
    here, there = (scan_assets([], [tmp_path / place / "textures"], []) for place in ("here", "there"))
    assert here.fingerprint() == there.fingerprint()
    picture(tmp_path / "there/textures/b.png")
    assert scan_assets([], [tmp_path / "there/textures"], []).fingerprint() != here.fingerprint()


def test_equally_named_folders_keep_their_assets_apart(tmp_path):
    folders = [picture(tmp_path / place / "textures/a.png").parent for place in ("here", "there")]
    pool = scan_assets([], folders, [])
    assert [asset.name for asset in pool.usable("texture")] == ["textures-1/a.png", "textures-2/a.png"]


def test_the_ledger_lists_use_quarantine_and_licence(tmp_path):
    whole = picture(tmp_path / "a.png")
    picture(tmp_path / "b.png")
    (tmp_path / "c.png").write_bytes(whole.read_bytes()[:100])
    (tmp_path / "LICENSE").write_text("CC0 1.0\n")
    pool = scan_assets([], [tmp_path], [])
    name = pool.usable("texture")[0].name
    rows = {row["asset"]: row for row in ledger_rows(pool, [name, "procedural/model/vase/3"])}
    assert [row["status"] for row in rows.values()] == ["used", "unused", "quarantined", "used"]
    assert rows[name]["licence"] == "CC0 1.0"
    assert rows["procedural/model/vase/3"]["kind"] == "model"


def test_procedural_pictures_come_from_their_seed():
    pool = AssetPool()
    texture, background = pool.deal("texture", 1, 0), pool.deal("background", 1, 0)
    assert load_image(texture, 64, 64).shape == (64, 64, 3)
    assert load_image(background, 96, 64).shape == (64, 96, 3)
    assert np.array_equal(load_image(texture, 64, 64), load_image(texture, 64, 64))


def test_a_file_keeps_its_own_size(tmp_path):
    path = picture(tmp_path / "a.png", (40, 20))
    assert load_image(AssetReference(name="a", path=str(path)), 512, 512).shape == (20, 40, 3)


def test_a_turned_photograph_stands_upright(tmp_path):
    pixels = np.zeros((20, 40, 3), np.uint8)
    pixels[:, :20] = 200
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees to the right
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
    upright = load_image(AssetReference(name="a", path=str(tmp_path / "a.png")), 512, 512)
    assert upright.shape == (40, 20, 3)
    assert upright[:20].mean() > 190 and upright[20:].mean() < 10


@pytest.mark.parametrize("ending", ["jpg", "png"])
def test_a_huge_picture_is_shrunk_to_cover_twice_what_is_needed(tmp_path, ending):
    path = picture(tmp_path / f"a.{ending}", (2000, 1200))
    shrunk = load_image(AssetReference(name="a", path=str(path)), 96, 64)
    assert shrunk.shape == (128, 213, 3)


def test_a_16_bit_map_keeps_its_range(tmp_path):
    Image.fromarray(np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16)).save(tmp_path / "a.png")
    values = load_image(AssetReference(name="a", path=str(tmp_path / "a.png")), 64, 64)
    assert values.min() == 0 and values.max() == 255 and 120 < values.mean() < 135


def radiance(path, height=32, width=64, value=1.0):
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.full((height, width, 3), value, np.float32)
    os.environ["OPENCV_IO_ENABLE_OPENEXR"] = "1"
    assert cv2.imwrite(str(path), values)
    return path


def test_environment_maps_are_read_checked_and_dealt(tmp_path):
    radiance(tmp_path / "sky.hdr", value=30.0)
    radiance(tmp_path / "room.exr")
    radiance(tmp_path / "square.hdr", width=32)
    radiance(tmp_path / "black.hdr", value=0.0)
    radiance(tmp_path / "nan.exr", value=np.nan)
    (tmp_path / "cut.hdr").write_bytes(radiance(tmp_path / "whole.hdr").read_bytes()[:90])
    pool = scan_assets([], [], [], hdris=[tmp_path])
    label = tmp_path.name
    assert [asset.name for asset in pool.usable("environment")] == [
        f"{label}/{name}" for name in ("room.exr", "sky.hdr", "whole.hdr")
    ]
    reasons = {Path(asset.name).name: asset.reason for asset in pool.quarantined()}
    assert "32x32 is not equirectangular" in reasons["square.hdr"]
    assert "light nothing" in reasons["black.hdr"] and "not finite" in reasons["nan.exr"]
    assert "cannot be decoded" in reasons["cut.hdr"]
    sky = load_environment(AssetReference(name="sky", path=str(tmp_path / "sky.hdr")), 512)
    assert sky.shape == (32, 64, 3) and sky.dtype == np.float32 and np.allclose(sky, 30.0, rtol=0.02)


def test_procedural_environments_come_from_their_seed():
    reference = AssetPool().deal("environment", 1, 0)
    sky = load_environment(reference, 32)
    assert sky.shape == (32, 64, 3) and sky.dtype == np.float32 and np.isfinite(sky).all() and sky.max() > 0
    assert np.array_equal(sky, load_environment(reference, 32))
