"""Folders of assets are found, checked and named; what is broken is named with its reason."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from vosforge.render.asset_scan import scan_assets
from vosforge.render.assets import AssetPool, ledger_rows, load_image
from vosforge.render.scene import AssetReference


def picture(path, size=(32, 24)):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def test_of_a_pbr_set_only_the_colour_map_is_a_texture(tmp_path):
    others = ("Normal", "Roughness", "Displacement", "AmbientOcclusion", "Metalness")
    for name in ("Wood_1K_Color", *(f"Wood_1K_{ending}" for ending in others)):
        picture(tmp_path / f"wood/{name}.png")
    for name in ("Grass001_1K-JPG_Color", "Grass001_1K-JPG_NormalGL", "Grass001_1K-JPG_NormalDX"):
        picture(tmp_path / f"grass/{name}.png")
    for name in ("rock_diff_1k", "rock_nor_gl_1k", "rock_rough_1k", "rock_arm_1k", "rock_disp_4k"):
        picture(tmp_path / f"rock/{name}.png")
    pool = scan_assets([], [tmp_path], [])
    names = [Path(asset.name).stem for asset in pool.usable("texture")]
    assert names == ["Grass001_1K-JPG_Color", "rock_diff_1k", "Wood_1K_Color"]


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
