"""COCO and LVIS on tiny trees of their published layouts."""

import json
import sys

import numpy as np
import pytest
from instance_trees import CROWD, POLYGON, box_mask, coco_image, write_coco, write_lvis
from still_trees import HEIGHT, WIDTH, listed, read
from vosforge.datagen.corpus.instances import Instance, decode_rle, encode_rle
from vosforge.datagen.sources.annotations.annotation_masks import resolve_ids
from vosforge.datagen.sources.source import SourceLayoutError, open_source


@pytest.mark.parametrize("pictures, year", [("", 2017), ("images", 2017), ("", 2014)])
def test_annotated_pictures_of_coco_are_listed(pictures, year, tmp_path):
    write_coco(tmp_path, pictures=pictures, year=year)
    source = open_source("coco", tmp_path, year=year)
    assert listed(source) == [("train", f"train{year}/000000000009"), ("val", f"val{year}/000000000139")]
    assert listed(open_source("coco", tmp_path, year=year, split="val")) == listed(source)[1:]
    content, frame = read(source, f"val{year}/000000000139")
    assert frame.ids is None and len(frame.instances) == 1 and content.metadata["image_id"] == 139
    assert content.metadata["license"] == 4


def test_instances_of_coco_keep_overlaps_ids_and_crowds(tmp_path):
    write_coco(tmp_path)
    _, frame = read(open_source("coco", tmp_path), "train2017/000000000009")
    dog, person, crowd = frame.instances
    assert [one.id for one in frame.instances] == [41, 40, 900100000009]
    assert [one.category for one in frame.instances] == ["dog", "person", "person"]
    assert [one.is_crowd for one in frame.instances] == [False, False, True]
    # The corners of a polygon are pixel borders, so a box of 10 x 10 has 100 pixels; the last polygon has no area.
    assert np.array_equal(decode_rle(dog.rle), box_mask(2, 3, 12, 13) | box_mask(20, 3, 25, 8))
    assert np.array_equal(decode_rle(person.rle), box_mask(8, 5, 16, 10))
    assert np.array_equal(decode_rle(crowd.rle), box_mask(0, 10, 1, 15) | box_mask(10, 0, 11, 4))


def test_compressed_rle_is_taken_as_it_is(tmp_path):
    rle = encode_rle(box_mask(4, 5, 9, 17))
    write_coco(tmp_path, [{**CROWD, "iscrowd": 0, "id": 7, "segmentation": rle}])
    _, frame = read(open_source("coco", tmp_path), "train2017/000000000009")
    assert frame.instances[0].rle == rle


def test_ids_of_coco_put_the_smaller_on_top_and_ignore_crowds(tmp_path):
    write_coco(tmp_path)
    content, frame = read(open_source("coco", tmp_path, labels="ids"), "train2017/000000000009")
    assert frame.instances is None
    dog, person = box_mask(2, 3, 12, 13) | box_mask(20, 3, 25, 8), box_mask(8, 5, 16, 10)
    crowd = box_mask(0, 10, 1, 15) | box_mask(10, 0, 11, 4)
    expected = np.where(person, 2, np.where(dog, 1, np.where(crowd, 255, 0)))
    assert np.array_equal(frame.ids, expected)
    assert content.objects == {1: {"category": "dog", "annotation": 41}, 2: {"category": "person", "annotation": 40}}


def test_smallest_instances_beyond_254_are_ignored():
    masks = [np.zeros((HEIGHT, WIDTH), bool) for _ in range(256)]
    for number, mask in enumerate(masks):
        mask.flat[2 * number : 2 * number + (1 if number in (3, 5) else 2)] = True
    ids, numbered = resolve_ids([Instance(id=i + 1, rle=encode_rle(m)) for i, m in enumerate(masks)], HEIGHT, WIDTH)
    assert len(numbered) == 254 and numbered[254].id == 256 and ids.max() == 255
    assert [number for number, mask in enumerate(masks) if (ids[mask] == 255).any()] == [3, 5]


def test_small_annotations_of_coco_can_be_left_out(tmp_path):
    write_coco(tmp_path)
    source = open_source("coco", tmp_path, min_area=100)
    _, frame = read(source, "train2017/000000000009")
    assert [one.id for one in frame.instances] == [41, 900100000009]
    with pytest.raises(SourceLayoutError, match=r"no picture with an annotation of at least 1000"):
        open_source("coco", tmp_path, min_area=1000).list_clips()


def test_annotation_without_a_pixel_is_left_out_and_noted(tmp_path):
    thin = {**POLYGON, "segmentation": [[5, 5, 5, 9, 5, 7]], "id": 50}
    write_coco(tmp_path, [POLYGON, thin])
    content, frame = read(open_source("coco", tmp_path), "train2017/000000000009")
    assert [one.id for one in frame.instances] == [41] and content.metadata["empty_annotations"] == [50]


@pytest.mark.parametrize(
    "segmentation, message",
    [
        ([[1, 1, 5, 1, 5, 5, 1]], "no list x, y"),
        ([[1, 1, 5, 1, 5, "a"]], "no list of numbers"),
        ([[1, 1, 1e9, 1, 5, 5]], "far outside the picture of 30 x 20"),
        ([[1, 1, float("nan"), 1, 5, 5]], "far outside the picture"),
        ({"size": [HEIGHT, WIDTH], "counts": [5, 5]}, "cover 10 pixels of 20 x 30 = 600"),
        ({"size": [HEIGHT, WIDTH], "counts": "52"}, "cover 7 pixels"),
        ({"size": [HEIGHT, WIDTH], "counts": "5\u00ff"}, "no meaning"),
        ({"size": [WIDTH, HEIGHT], "counts": [600]}, r"size \[30, 20\]"),
        ({"counts": [600]}, "neither a list of polygons nor an RLE"),
        (None, "neither a list of polygons nor an RLE"),
    ],
)
def test_malformed_segmentation_names_file_and_picture(segmentation, message, tmp_path):
    write_coco(tmp_path, [{**POLYGON, "segmentation": segmentation}])
    source = open_source("coco", tmp_path)
    where = rf"instances_train2017\.json: the annotation at byte \d+, of train2017/000000000009: .*{message}"
    with pytest.raises(ValueError, match=where):
        read(source, "train2017/000000000009")


def test_lvis_takes_the_folder_from_the_url(tmp_path):
    write_lvis(tmp_path, tmp_path)
    source = open_source("lvis", tmp_path)
    assert listed(source) == [
        ("train", "train2017/000000000009"),
        ("val", "train2017/000000000025"),
        ("val", "val2017/000000000139"),
    ]
    content, frame = read(source, "train2017/000000000025")
    assert content.metadata["neg_category_ids"] == [7] and content.metadata["not_exhaustive_category_ids"] == [18]
    (dog,) = frame.instances
    assert (dog.id, dog.category, dog.is_crowd, dog.details) == (25, "dog", False, {"category_id": 18})
    assert decode_rle(dog.rle).sum() == 125


def test_pictures_of_lvis_may_lie_with_coco(tmp_path, monkeypatch):
    write_lvis(tmp_path / "lvis" / "annotations", tmp_path / "coco")
    monkeypatch.chdir(tmp_path)
    source = open_source("lvis", tmp_path / "lvis", pictures="coco", split="val")
    monkeypatch.chdir("/")
    assert len(listed(source)) == 2
    assert read(source, "val2017/000000000139")[1].file == str(tmp_path / "coco" / "val2017" / "000000000139.jpg")
    with pytest.raises(SourceLayoutError, match=r"not lvis.*expected train2017 in .*/lvis, found annotations/"):
        open_source("lvis", tmp_path / "lvis").list_clips()


@pytest.mark.parametrize(
    "name, expected",
    [
        ("voc", "expected JPEGImages and SegmentationObject and SegmentationClass"),
        ("sbd", "expected img and inst"),
        ("coco", r"expected annotations/instances_train2017\.json or annotations/instances_val2017\.json"),
        ("lvis", r"expected lvis_v1_train\.json or lvis_v1_val\.json"),
    ],
)
def test_wrong_root_says_what_was_expected_and_found(name, expected, tmp_path):
    (tmp_path / "holiday").mkdir()
    with pytest.raises(SourceLayoutError, match=expected) as caught:
        open_source(name, tmp_path).list_clips()
    assert str(tmp_path) in str(caught.value) and "found holiday/" in str(caught.value)


def test_missing_pictures_of_a_split_are_an_error_that_names_their_folder(tmp_path):
    write_coco(tmp_path)
    (tmp_path / "train2017").rename(tmp_path / "elsewhere")
    with pytest.raises(SourceLayoutError, match=r"expected train2017 in .*, found annotations/, elsewhere/, val2017/"):
        open_source("coco", tmp_path).list_clips()
    assert len(open_source("coco", tmp_path, split="val").list_clips()) == 1


@pytest.mark.parametrize("kept", [0, 1, 100, 400, -200, -3, -1])
def test_cut_json_is_named(kept, tmp_path):
    write_coco(tmp_path)
    path = tmp_path / "annotations" / "instances_train2017.json"
    path.write_text(path.read_text()[:kept])
    with pytest.raises(ValueError, match=r"instances_train2017\.json is broken at byte \d+"):
        open_source("coco", tmp_path).list_clips()


def test_json_of_another_kind_is_refused(tmp_path):
    write_coco(tmp_path)
    path = tmp_path / "annotations" / "instances_train2017.json"
    path.write_text(
        json.dumps({"images": [coco_image(9, "train2017")], "annotations": [{"image_id": 9, "caption": "a"}]})
    )
    with pytest.raises(ValueError, match=r"the element of 'annotations' at byte \d+ is not as in COCO.*category_id"):
        open_source("coco", tmp_path).list_clips()
    path.write_text(json.dumps({"images": [coco_image(9, "train2017")]}))
    with pytest.raises(SourceLayoutError, match="has no elements of annotations, categories"):
        open_source("coco", tmp_path).list_clips()
    path.write_text("[1, 2]")
    with pytest.raises(ValueError, match=r"broken at byte 0: expected \{, found \["):
        open_source("coco", tmp_path).list_clips()


@pytest.mark.parametrize(
    "change, message",
    [
        ({"image_id": 77}, "annotations of the image 77, which is not among"),
        ({"category_id": 5}, "the image 9 has category 5, which has no name"),
    ],
)
def test_annotation_that_refers_to_nothing_is_refused(change, message, tmp_path):
    write_coco(tmp_path, [POLYGON, {**POLYGON, **change}])
    with pytest.raises(ValueError, match=message):
        open_source("coco", tmp_path).list_clips()


@pytest.mark.parametrize(
    "changed", ['"depth": 20', '"height": 0', '"height": 9999999', '"height": "20"', '"height": null']
)
def test_image_without_a_proper_size_is_named(changed, tmp_path):
    write_coco(tmp_path)
    path = tmp_path / "annotations" / "instances_train2017.json"
    path.write_text(path.read_text().replace('"height": 20', changed))
    with pytest.raises(ValueError, match=r"the image 9 is not as in COCO"):
        open_source("coco", tmp_path).list_clips()


def test_json_that_changed_since_the_listing_is_noticed(tmp_path):
    write_coco(tmp_path)
    source = open_source("coco", tmp_path)
    clip = source.list_clips()[0]
    path = tmp_path / "annotations" / "instances_train2017.json"
    path.write_text(" " + path.read_text())
    with pytest.raises(ValueError, match=r"instances_train2017\.json: the annotation at byte"):
        source.read(clip)


@pytest.mark.parametrize(
    "options, message", [({"labels": "masks"}, "labels is 'masks'"), ({"min_area": -1}, "min_area is -1")]
)
def test_options_out_of_range_are_refused(options, message, tmp_path):
    for name in ("coco", "lvis"):
        with pytest.raises(ValueError, match=message):
            open_source(name, tmp_path, **options)


def test_missing_extra_is_named_before_anything_is_listed(tmp_path, monkeypatch):
    write_coco(tmp_path)
    monkeypatch.setitem(sys.modules, "pycocotools", None)
    with pytest.raises(ValueError, match=r"install vosforge\[coco\]"):
        open_source("coco", tmp_path).list_clips()
