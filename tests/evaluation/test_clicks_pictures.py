"""Objects to click on, from sets of pictures in their published layouts, videos and corpora."""

import cv2
import numpy as np
import pytest
from davis_tree import picture, truth, write_tree
from PIL import Image
from vosforge.datagen.imaging.images import encode_jpeg, encode_palette_png
from vosforge.train.evaluation.clicks.objects import objects_of_instances
from vosforge.train.evaluation.clicks.opening import open_pictures
from vosforge.train.evaluation.errors import EvaluationError

SQUARE = truth(0) == 1


def write_picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".jpg":
        path.write_bytes(encode_jpeg(picture(0)))
    else:
        Image.fromarray(picture(0)).save(path)


def write_mask(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)


def trimap() -> np.ndarray:
    """The square as 255, a band of two pixels around and inside its boundary as 128."""
    band = cv2.dilate(SQUARE.astype(np.uint8), np.ones((5, 5))) - cv2.erode(SQUARE.astype(np.uint8), np.ones((5, 5)))
    return np.where(band == 1, np.uint8(128), np.where(SQUARE, np.uint8(255), np.uint8(0)))


def only_object(found):
    (one,) = found.pictures[0].objects()
    return one


@pytest.mark.parametrize("names", [("data_GT/a.jpg", "boundary_GT/a.bmp"), ("data_GT/a.bmp", "boundary_GT/a.png")])
def test_grabcut_masks_ignore_128_and_take_more_as_the_object(tmp_path, names):
    write_picture(tmp_path / names[0])
    write_mask(tmp_path / names[1], trimap())
    found = open_pictures(tmp_path)
    one = only_object(found)
    assert found.layout == "grabcut" and one.name == "a:1" and one.rgb.shape == (48, 64, 3)
    assert one.truth.sum() == 8 * 8 and one.ignored.sum() == 16 * 16 - 8 * 8
    assert not (one.truth & one.ignored).any()


def test_grabcut_masks_in_colour_are_one_plane_three_times(tmp_path):
    write_picture(tmp_path / "data_GT/a.jpg")
    write_mask(tmp_path / "boundary_GT/a.bmp", trimap()[..., None].repeat(3, axis=2))
    assert only_object(open_pictures(tmp_path)).truth.sum() == 64


def test_berkeley_pictures_may_have_masks_of_several_objects(tmp_path):
    for name in ("a", "b"):
        write_picture(tmp_path / f"images/{name}.jpg")
    write_mask(tmp_path / "masks/a#1.png", SQUARE.astype(np.uint8) * 255)
    write_mask(tmp_path / "masks/a#2.png", SQUARE[::-1].astype(np.uint8) * 255)
    write_mask(tmp_path / "masks/b.png", SQUARE.astype(np.uint8) * 255)
    found = open_pictures(tmp_path)
    assert found.layout == "berkeley"
    assert [one.name for picture in found.pictures for one in picture.objects()] == ["a:1", "a:2", "b:1"]
    assert (found.pictures[0].objects()[1].truth == SQUARE[::-1]).all()


def test_davis_345_takes_all_that_is_not_black_as_one_object(tmp_path):
    write_picture(tmp_path / "img/a.png")
    coloured = np.zeros((48, 64, 3), np.uint8)
    coloured[5:10, 5:10, 0], coloured[20:25, 5:10, 2] = 128, 1
    write_mask(tmp_path / "gt/a.png", coloured)
    one = only_object(open_pictures(tmp_path))
    assert one.truth.sum() == 50 and not one.ignored.any()


def test_pairs_of_any_folder_hold_ids_or_one_object(tmp_path):
    write_picture(tmp_path / "a.jpg")
    ids = truth(0, 2)
    ids[0:3, 0:3] = 255
    (tmp_path / "a.png").write_bytes(encode_palette_png(ids))
    write_picture(tmp_path / "b.jpg")
    write_mask(tmp_path / "b.png", SQUARE.astype(np.uint8) * 255)
    found = open_pictures(tmp_path)
    objects = [one for picture in found.pictures for one in picture.objects()]
    assert found.layout == "pairs" and [one.name for one in objects] == ["a:1", "a:2", "b:1"]
    assert objects[0].ignored.sum() == 9 and (objects[1].truth == (ids == 2)).all()
    (union,) = open_pictures(tmp_path, which="union").pictures[0].objects()
    assert union.truth.sum() == 2 * 144


def test_frames_of_videos_are_spread_and_void_is_ignored(tmp_path):
    root = write_tree(tmp_path / "tree", {"one": 1, "two": 2})
    with_void = truth(1, 2)
    with_void[40:, :] = 255
    (root / "Annotations/480p/two/00001.png").write_bytes(encode_palette_png(with_void))
    found = open_pictures(root, per_sequence=2)
    assert [picture.name for picture in found.pictures] == ["one/00001", "one/00004", "two/00001", "two/00004"]
    first, second = found.pictures[2].objects()
    assert (first.name, second.name) == ("two/00001:1", "two/00001:2")
    assert first.ignored.sum() == 8 * 64 and (first.truth == (truth(1, 2) == 1)).all()
    assert {picture.name.split("/")[0] for picture in open_pictures(root, only=("one",)).pictures} == {"one"}


def test_objects_below_the_smallest_area_are_left_out(tmp_path):
    root = write_tree(tmp_path / "tree", {"one": 1})
    assert open_pictures(root).pictures[0].objects(), "videos: 100 pixels"
    assert open_pictures(root, min_area=145).pictures[0].objects() == []


def test_frames_of_corpora_show_their_objects(tiny_corpus):
    found = open_pictures(tiny_corpus, per_sequence=3)
    assert found.layout == "corpus" and len(found.pictures) == 6
    assert found.pictures[0].name == "tiny-000002/00001"
    objects = [one for picture in found.pictures for one in picture.objects()]
    assert objects and all(one.truth.any() and one.rgb.shape == (64, 96, 3) for one in objects)
    with pytest.raises(EvaluationError, match="no clip 'none' in its split val"):
        open_pictures(tiny_corpus, only=("none",))


def test_overlapping_instances_stay_whole_and_crowds_are_ignored():
    masks = np.zeros((3, 20, 30), bool)
    masks[0, 2:12, 2:12], masks[1, 8:18, 8:18], masks[2, :, 10:30] = True, True, True
    facts = [{"is_crowd": False}, {"is_crowd": False}, {"is_crowd": True}]
    rgb = np.zeros((20, 30, 3), np.uint8)
    first, second = objects_of_instances("p", rgb, masks, facts, "each", 1)
    assert first.truth.sum() == second.truth.sum() == 100
    assert (first.ignored == masks[2] & ~masks[0]).all()
    (both,) = objects_of_instances("p", rgb, masks, facts, "union", 1)
    assert both.truth.sum() == 200 - 16


def test_mistakes_name_the_file(tmp_path):
    with pytest.raises(EvaluationError, match="is missing; expected GrabCut"):
        open_pictures(tmp_path / "none")
    with pytest.raises(EvaluationError, match="holds nothing; expected GrabCut"):
        open_pictures(tmp_path)
    write_picture(tmp_path / "images/a.jpg")
    (tmp_path / "masks").mkdir()
    with pytest.raises(EvaluationError, match=r"images/a\.jpg lacks its mask"):
        open_pictures(tmp_path)
    write_mask(tmp_path / "masks/a.png", np.zeros((48, 60), np.uint8) + 255)
    with pytest.raises(EvaluationError, match="a: picture and mask differ in size, 64x48 and 60x48"):
        open_pictures(tmp_path).pictures[0].objects()
    (tmp_path / "masks/a.png").write_bytes(encode_palette_png(truth(0)))
    with pytest.raises(EvaluationError, match=r"masks/a\.png is coloured; .* layout pairs"):
        open_pictures(tmp_path).pictures[0].objects()
    (tmp_path / "masks/a.png").write_bytes(b"no picture")
    with pytest.raises(EvaluationError, match=r"masks/a\.png is broken"):
        open_pictures(tmp_path).pictures[0].objects()
    (tmp_path / "masks/a.png").rename(tmp_path / "masks/b.png")
    write_mask(tmp_path / "masks/a.png", SQUARE.astype(np.uint8) * 255)
    with pytest.raises(EvaluationError, match=r"masks/b\.png lacks its picture"):
        open_pictures(tmp_path)
    with pytest.raises(EvaluationError, match="--sequence is for videos"):
        open_pictures(tmp_path, only=("a",))


def test_masks_of_several_objects_are_united_on_request(tmp_path):
    write_picture(tmp_path / "images/a.jpg")
    second = np.roll(SQUARE, 20, axis=1)
    undecided = np.where(second, np.uint8(255), np.uint8(0))
    undecided[SQUARE] = undecided[0, :3] = 128
    write_mask(tmp_path / "masks/a#1.png", SQUARE.astype(np.uint8) * 255)
    write_mask(tmp_path / "masks/a#2.png", undecided)
    one = only_object(open_pictures(tmp_path, which="union"))
    assert (one.truth == (SQUARE | second)).all()
    assert one.ignored.sum() == 3, "what one mask takes, another cannot leave undecided"
