import numpy as np
import pytest
import still_trees
import video_trees
from PIL import Image
from vosforge.datagen.sources.masks import decode_mask
from vosforge.datagen.sources.source import open_source
from vosforge.datagen.sources.videos.frame_folders import files_by_stem, in_frame_order


def png(image: Image.Image, path) -> bytes:
    image.save(path)
    return path.read_bytes()


def test_frames_come_in_the_order_of_their_numbers(tmp_path):
    for name in ("10.jpg", "2.jpg", "1.jpg", "a.jpg"):
        (tmp_path / name).touch()
    assert list(files_by_stem(tmp_path, (".jpg",))) == ["1", "2", "10", "a"]


@pytest.mark.parametrize(
    "names",
    [
        ("f1", "f2", "f10"),
        ("shot2_f9", "shot2_f10", "shot10_f1"),
        ("clip.1", "clip.9", "clip.10"),
        ("frame_0001", "frame_9999", "frame_10000"),
        ("f9_P", "f10_I"),
        ("0.04", "0.08", "0.10"),
        ("9.50", "10.25"),
        ("00000", "00001", "cover"),
        ("a", "b", "c"),
    ],
)
def test_frames_are_ordered_as_a_user_counts_them(names):
    assert in_frame_order(reversed(names), "here") == list(names)


@pytest.mark.parametrize(("names", "pair"), [(("f2", "f01", "f1"), "f01 and f1"), (("1.5", "1.25"), "1.5 and 1.25")])
def test_two_frames_whose_order_is_not_clear_are_named(names, pair):
    with pytest.raises(ValueError, match=f"here: the order of the frames {pair} is not clear; write all numbers"):
        in_frame_order(names, "here")


def test_a_lost_mask_of_a_set_that_has_all_is_named(tmp_path):
    for t in range(3):
        rgb, ids = video_trees.frame(t)
        video_trees.write_jpeg(tmp_path / f"JPEGImages/480p/disc/{t:05d}.jpg", rgb)
        video_trees.write_binary(tmp_path / f"Annotations/480p/disc/{t:05d}.png", ids)
    (tmp_path / "ImageSets/2016").mkdir(parents=True)
    (tmp_path / "ImageSets/2016/train.txt").write_text("disc\n")
    source = open_source("davis-2016", tmp_path)
    (clip,) = source.list_clips()
    assert len(list(source.read(clip).frames)) == 3
    (tmp_path / "Annotations/480p/disc/00001.png").unlink()
    with pytest.raises(ValueError, match=r"00001\.png is missing"):
        list(source.read(clip).frames)


def test_a_class_that_lost_all_its_masks_is_listed(tmp_path):
    still_trees.fss(tmp_path)
    (tmp_path / "zebra").mkdir()
    (tmp_path / "zebra/1.jpg").write_bytes(b"a picture")
    names = [clip.name for clip in open_source("fss-1000", tmp_path).list_clips()]
    assert "zebra/1" in names


def test_a_grey_picture_saved_with_a_palette_is_read_as_grey(tmp_path):
    values = np.repeat(np.array([[0, 60, 140, 255]], np.uint8), 3, axis=0)
    grey = Image.fromarray(values)
    palette = Image.fromarray(values, mode="P")
    palette.putpalette(np.repeat(np.arange(256, dtype=np.uint8), 3).tobytes())
    expected = decode_mask(png(grey, tmp_path / "grey.png"), "binary")
    assert np.array_equal(decode_mask(png(palette, tmp_path / "palette.png"), "binary"), expected)
    assert expected[0].tolist() == [0, 0, 1, 1]
    low = Image.fromarray(np.array([[0, 1]], np.uint8), mode="P")
    low.putpalette(np.repeat(np.arange(256, dtype=np.uint8), 3).tobytes())
    assert decode_mask(png(low, tmp_path / "low.png"), "binary").tolist() == [[0, 1]], "indices, not shades of black"
