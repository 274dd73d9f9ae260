"""PASCAL VOC and SBD on tiny trees of their published layouts."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from instance_trees import box_mask, write_sbd, write_voc
from PIL import Image
from still_trees import HEIGHT, WIDTH, listed, read
from vosforge.datagen.imaging.images import encode_palette_png
from vosforge.datagen.sources.sbd_mat import read_instances
from vosforge.datagen.sources.source import SourceLayoutError, open_source


def test_objects_of_voc_have_ids_categories_and_void_borders(tmp_path):
    write_voc(tmp_path)
    source = open_source("voc", tmp_path)
    assert listed(source) == [("train", "2007_000032"), ("train", "2008_000100"), ("val", "2007_000033")]
    content, frame = read(source, "2007_000032")
    assert content.objects == {1: {"category": "dog"}, 2: {"category": "person"}}
    assert np.array_equal(frame.ids == 1, box_mask(3, 3, 11, 11)) and (frame.ids == 255).sum() == 36 + 48
    assert frame.picture == (tmp_path / "JPEGImages" / "2007_000032.jpg").read_bytes()


def test_split_of_voc_chooses_the_list(tmp_path):
    write_voc(tmp_path)
    assert listed(open_source("voc", tmp_path, split="val")) == [("val", "2007_000033")]
    (tmp_path / "ImageSets" / "Segmentation" / "val.txt").unlink()
    assert [split for split, _ in listed(open_source("voc", tmp_path))] == ["train", "train"]
    with pytest.raises(
        SourceLayoutError, match=r"expected names of pictures in val\.txt in .*, found train\.txt, trainval\.txt"
    ):
        open_source("voc", tmp_path, split="val").list_clips()


def test_voc_names_a_missing_picture_and_masks_that_do_not_match(tmp_path):
    write_voc(tmp_path)
    source = open_source("voc", tmp_path)
    (tmp_path / "JPEGImages" / "2008_000100.jpg").unlink()
    with pytest.raises(FileNotFoundError, match=r"2008_000100\.jpg"):
        read(source, "2008_000100")
    (tmp_path / "SegmentationClass" / "2007_000033.png").write_bytes(encode_palette_png(np.zeros((4, 5), np.uint8)))
    with pytest.raises(ValueError, match=r"2007_000033\.png is \(20, 30\).*\(4, 5\)"):
        read(source, "2007_000033")
    path = tmp_path / "SegmentationObject" / "2007_000032.png"
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(ValueError, match=r"SegmentationObject/2007_000032\.png"):
        read(source, "2007_000032")


def test_object_of_voc_without_a_category_is_named(tmp_path):
    ids = box_mask(3, 3, 11, 11).astype(np.uint8)
    write_voc(tmp_path, ids, np.zeros_like(ids))
    with pytest.raises(ValueError, match=r"SegmentationObject/2007_000032\.png: an object has category 0"):
        read(open_source("voc", tmp_path), "2007_000032")


def test_instances_of_sbd_have_ids_and_categories(tmp_path):
    write_sbd(tmp_path)
    source = open_source("sbd", tmp_path)
    train = [("train", name) for name in ("2007_000033", "2008_000002", "2008_000100")]
    assert listed(source) == [*train, ("val", "2008_000003")]
    content, frame = read(source, "2008_000002")
    assert content.objects == {1: {"category": "dog"}, 2: {"category": "person"}}
    assert frame.ids.dtype == np.uint8 and np.array_equal(frame.ids == 2, box_mask(16, 6, 27, 17))


def test_sbd_beside_voc_leaves_out_what_voc_has(tmp_path):
    write_voc(tmp_path / "VOC2012")
    write_sbd(tmp_path / "sbd")
    source = open_source("sbd", tmp_path / "sbd", voc=str(tmp_path / "VOC2012"))
    assert listed(source) == [("train", "2008_000002"), ("train", "2008_000003")]
    plain = open_source("sbd", tmp_path / "sbd").recipe_parameters()
    assert source.recipe_parameters() != plain and str(tmp_path) not in json.dumps(source.recipe_parameters())
    with pytest.raises(SourceLayoutError, match=r"nowhere.*train\.txt is missing; give the folder VOC2012"):
        open_source("sbd", tmp_path / "sbd", voc=str(tmp_path / "nowhere")).list_clips()


def test_train_noval_of_sbd_needs_its_list(tmp_path):
    write_sbd(tmp_path)
    source = open_source("sbd", tmp_path, split="train_noval")
    with pytest.raises(
        SourceLayoutError, match=r"expected names of pictures in train_noval\.txt in .*, found img/, inst/"
    ):
        source.list_clips()
    (tmp_path / "train_noval.txt").write_text("2008_000003\n")
    assert listed(source) == [("train", "2008_000003")]


def test_outline_in_place_of_a_mask_becomes_ignore(tmp_path):
    segmentation = box_mask(3, 3, 11, 11).astype(np.uint8)
    segmentation[12:19, 14] = segmentation[18, 14:29] = 2
    write_sbd(tmp_path, segmentation)
    _, kept = read(open_source("sbd", tmp_path), "2008_000002")
    content, frame = read(open_source("sbd", tmp_path, min_box_fill=0.3), "2008_000002")
    assert np.array_equal(kept.ids, segmentation)
    assert np.array_equal(frame.ids == 255, segmentation == 2) and (frame.ids == 1).sum() == 64
    assert content.metadata["ignored_objects"] == [2]
    with pytest.raises(ValueError, match=r"min_box_fill is 8"):
        open_source("sbd", tmp_path, min_box_fill=8)


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float64])
def test_files_of_sbd_are_read_in_every_storage(compressed, dtype, tmp_path):
    segmentation = np.random.default_rng(0).integers(0, 3, (HEIGHT, WIDTH)).astype(dtype)
    write_sbd(tmp_path, segmentation, compressed=compressed)
    ids, categories = read_instances(tmp_path / "inst" / "2008_000003.mat")
    assert ids.dtype == np.uint8 and np.array_equal(ids, segmentation) and categories == [12, 15]


@pytest.mark.parametrize("compressed", [True, False])
def test_cut_file_of_sbd_is_named_wherever_it_is_cut(compressed, tmp_path):
    write_sbd(tmp_path, compressed=compressed)
    path = tmp_path / "inst" / "2008_000002.mat"
    whole = path.read_bytes()
    for kept in (0, 1, 60, 127, 128, 130, 136, *range(140, len(whole), 23), len(whole) - 1):
        path.write_bytes(whole[:kept])
        with pytest.raises(ValueError, match=r"inst/2008_000002\.mat is not a MATLAB file"):
            read_instances(path)


@settings(max_examples=80, deadline=None)
@given(changes=st.lists(st.tuples(st.integers(124, 4000), st.integers(0, 255)), min_size=1, max_size=4))
def test_damaged_file_of_sbd_is_read_or_named(sbd_file, changes):
    path, whole = sbd_file
    content = bytearray(whole)
    for place, value in changes:
        content[place % len(content)] = value
    path.write_bytes(content)
    try:
        ids, _ = read_instances(path)
    except ValueError as error:
        assert str(path) in str(error)
    else:
        assert ids.dtype == np.uint8 and ids.ndim == 2


@pytest.fixture(scope="module")
def sbd_file(tmp_path_factory):
    root = tmp_path_factory.mktemp("sbd")
    write_sbd(root, compressed=False)
    path = root / "inst" / "2008_000002.mat"
    return path, path.read_bytes()


def test_instance_of_sbd_without_a_category_is_named(tmp_path):
    write_sbd(tmp_path, categories=(12,))
    with pytest.raises(ValueError, match=r"2008_000002\.mat: GTinst has 1 categories but the instances \[1, 2\]"):
        read(open_source("sbd", tmp_path), "2008_000002")


def test_grey_masks_of_voc_as_others_save_them_are_read_as_ids(tmp_path):
    write_voc(tmp_path)
    path = tmp_path / "SegmentationObject" / "2007_000032.png"
    with Image.open(path) as image:
        ids = np.array(image)
    Image.fromarray(ids).save(path)
    assert np.array_equal(read(open_source("voc", tmp_path), "2007_000032")[1].ids, ids)
