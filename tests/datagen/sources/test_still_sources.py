"""The still-image sources on tiny trees of their published layouts."""

import cv2
import numpy as np
import pytest
from still_trees import (
    HEIGHT,
    WIDTH,
    big,
    box_mask,
    duts,
    duts_repacked,
    ecssd,
    fss,
    hrsod,
    listed,
    msra10k,
    read,
    side_by_side,
    write_pair,
    write_picture,
)
from vosforge.datagen.sources.source import SourceLayoutError, open_source

LAYOUTS = [
    pytest.param(
        "duts",
        duts,
        [("train", "DUTS-TR/ILSVRC2012_test_00000004"), ("train", "DUTS-TR/n01"), ("val", "DUTS-TE/sun_a")],
        id="duts",
    ),
    pytest.param(
        "duts",
        duts_repacked,
        [("train", "DUTS-TR/ILSVRC2012_test_00000004"), ("train", "DUTS-TR/n01"), ("val", "DUTS-TE/sun_a")],
        id="duts repacked",
    ),
    pytest.param("ecssd", ecssd, [("train", "0001"), ("train", "0002")], id="ecssd"),
    pytest.param("ecssd", side_by_side, [("train", "0001"), ("train", "0002")], id="ecssd repacked"),
    pytest.param("hrsod", hrsod, [("train", "HRSOD_train/a_k"), ("val", "HRSOD_test/b_k")], id="hrsod"),
    pytest.param("hrsod", side_by_side, [("train", "0001"), ("train", "0002")], id="hrsod repacked"),
    pytest.param("big", big, [("train", "test/dog_2"), ("train", "val/cat_1")], id="big"),
    pytest.param("big", side_by_side, [("train", "0001"), ("train", "0002")], id="big repacked"),
    pytest.param("msra10k", msra10k, [("train", "100"), ("train", "99")], id="msra10k"),
    pytest.param("msra10k", side_by_side, [("train", "0001"), ("train", "0002")], id="msra10k flat"),
    pytest.param(
        "fss-1000",
        fss,
        [("train", f"{category}/{number}") for category in ("ab_wheel", "abacus") for number in (1, 10, 2)],
        id="fss-1000",
    ),
]


@pytest.mark.parametrize("name, make, expected", LAYOUTS)
def test_published_layout_is_listed_and_every_pair_is_read(name, make, expected, tmp_path):
    make(tmp_path)
    source = open_source(name, tmp_path)
    assert listed(source) == expected
    for clip in source.list_clips():
        (frame,) = source.read(clip).frames
        assert frame.ids.shape == (HEIGHT, WIDTH) and set(np.unique(frame.ids)) == {0, 1}
        assert cv2.imdecode(np.frombuffer(frame.picture, np.uint8), 1).shape == (HEIGHT, WIDTH, 3)
        assert frame.name == clip.name.split("/")[-1]


def test_picture_is_the_bytes_of_the_file_and_the_mask_is_cut_at_128(tmp_path):
    expected = write_pair(tmp_path / "images" / "0001.jpg", tmp_path / "ground_truth_mask" / "0001.png", 7)
    content, frame = read(open_source("ecssd", tmp_path), "0001")
    assert frame.picture == expected and frame.file == str(tmp_path / "images" / "0001.jpg")
    assert np.array_equal(frame.ids, box_mask(7)) and content.objects == {}


def test_each_picture_of_duts_has_its_own_mask(tmp_path):
    duts(tmp_path)
    source = open_source("duts", tmp_path)
    for left, name in enumerate(("DUTS-TR/ILSVRC2012_test_00000004", "DUTS-TR/n01")):
        _, frame = read(source, name)
        assert np.array_equal(frame.ids, box_mask(left))


def test_class_of_fss_is_the_category(tmp_path):
    fss(tmp_path)
    content, frame = read(open_source("fss-1000", tmp_path), "abacus/10")
    assert content.objects == {1: {"category": "abacus"}}
    assert np.array_equal(frame.ids, box_mask(10)) and frame.name == "10"


def test_ground_truth_of_big_is_taken_not_the_coarse_mask(tmp_path):
    big(tmp_path)
    _, frame = read(open_source("big", tmp_path), "val/cat_1")
    assert np.array_equal(frame.ids, box_mask(3))


def test_one_folder_of_big_alone_is_read(tmp_path):
    big(tmp_path)
    assert listed(open_source("big", tmp_path / "test")) == [("train", "dog_2")]


@pytest.mark.parametrize("name, make", [("duts", duts), ("duts", duts_repacked), ("hrsod", hrsod)])
def test_split_chooses_the_part(name, make, tmp_path):
    make(tmp_path)
    train, test = (open_source(name, tmp_path, split=split) for split in ("train", "test"))
    assert {split for split, _ in listed(train)} == {"train"} and {split for split, _ in listed(test)} == {"val"}
    assert listed(train) + listed(test) == listed(open_source(name, tmp_path))
    assert train.recipe_parameters() == {"split": "train"}


def test_part_that_was_not_downloaded_is_left_out(tmp_path):
    duts(tmp_path)
    (tmp_path / "DUTS-TE").rename(tmp_path / "elsewhere")
    assert {name.split("/")[0] for _, name in listed(open_source("duts", tmp_path))} == {"DUTS-TR"}
    with pytest.raises(SourceLayoutError, match=r"expected DUTS-TE/DUTS-TE-Image.*found DUTS-TR/, elsewhere/"):
        open_source("duts", tmp_path, split="test").list_clips()


def test_rubbish_of_archives_is_no_part_of_the_data(tmp_path):
    ecssd(tmp_path)
    for name in ("._0001.jpg", ".DS_Store", "Thumbs.db"):
        (tmp_path / "images" / name).write_bytes(b"rubbish")
    fss(tmp_path / "fss")
    (tmp_path / "fss" / ".ipynb_checkpoints").mkdir()
    write_pair(tmp_path / "fss" / ".ipynb_checkpoints" / "1.jpg", tmp_path / "fss" / ".ipynb_checkpoints" / "1.png")
    assert [name for _, name in listed(open_source("ecssd", tmp_path))] == ["0001", "0002"]
    assert len(listed(open_source("fss-1000", tmp_path / "fss"))) == 6


def test_missing_mask_is_named_when_its_clip_is_read(tmp_path):
    ecssd(tmp_path)
    (tmp_path / "ground_truth_mask" / "0002.png").unlink()
    source = open_source("ecssd", tmp_path)
    assert [name for _, name in listed(source)] == ["0001", "0002"]
    with pytest.raises(FileNotFoundError, match=r"ground_truth_mask/0002\.png"):
        read(source, "0002")


def test_missing_picture_is_named_when_its_clip_is_read(tmp_path):
    big(tmp_path)
    write_pair(tmp_path / "val" / "other_im.jpg", tmp_path / "val" / "other_gt.png")
    (tmp_path / "val" / "cat_1_im.jpg").unlink()
    with pytest.raises(FileNotFoundError, match=r"val/cat_1_im\.jpg"):
        read(open_source("big", tmp_path), "val/cat_1")


def test_broken_mask_is_named(tmp_path):
    msra10k(tmp_path)
    path = tmp_path / "Imgs" / "99.png"
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(ValueError, match=r"Imgs/99\.png"):
        read(open_source("msra10k", tmp_path), "99")


@pytest.mark.parametrize("name", ["duts", "ecssd", "hrsod", "big", "msra10k", "fss-1000"])
def test_wrong_root_says_what_was_expected_and_found(name, tmp_path):
    # A folder below one of its own: what lies around it is looked at too.
    root = tmp_path / "stills"
    (root / "holiday").mkdir(parents=True)
    (root / "notes.txt").touch()
    with pytest.raises(SourceLayoutError) as caught:
        open_source(name, root).list_clips()
    message = str(caught.value)
    assert str(root) in message and "expected" in message and "found holiday/, notes.txt" in message
    assert ".jpg" in message and ".png" in message and "; give" not in message


@pytest.mark.parametrize(
    "name, make, root, better",
    [
        ("duts", duts, "data/DUTS-TR", "data"),
        ("duts", duts_repacked, ".", "data"),
        ("ecssd", ecssd, "data/images", "data"),
        ("hrsod", hrsod, "data/HRSOD_train", "data"),
        ("big", big, ".", "data"),
        ("msra10k", msra10k, ".", "data"),
        ("fss-1000", fss, ".", "data"),
        ("fss-1000", fss, "data/abacus", "data"),
    ],
)
def test_root_one_folder_off_is_told_the_right_one(name, make, root, better, tmp_path):
    make(tmp_path / "data")
    with pytest.raises(SourceLayoutError, match=f"; give {tmp_path / better}"):
        open_source(name, tmp_path / root).list_clips()


def test_pictures_without_any_mask_are_an_error_that_counts_both(tmp_path):
    duts(tmp_path)
    for path in (tmp_path / "DUTS-TE" / "DUTS-TE-Mask").iterdir():
        path.unlink()
    counts = "DUTS-TE/DUTS-TE-Image: 1 jpg, 0 png; DUTS-TE/DUTS-TE-Mask: 0 jpg, 0 png"
    with pytest.raises(SourceLayoutError, match=counts):
        open_source("duts", tmp_path).list_clips()


def test_folders_of_pairs_of_another_data_set_are_no_classes_of_fss(tmp_path):
    duts_repacked(tmp_path)
    with pytest.raises(SourceLayoutError, match="expected folders of classes"):
        open_source("fss-1000", tmp_path).list_clips()


def test_two_pictures_of_one_name_are_an_error(tmp_path):
    ecssd(tmp_path)
    write_picture(tmp_path / "images" / "0001.JPEG")
    with pytest.raises(ValueError, match=r"0001\.JPEG and 0001\.jpg"):
        open_source("ecssd", tmp_path).list_clips()
