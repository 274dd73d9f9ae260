import pickle
import shutil

import numpy as np
import pytest
from video_trees import TREES, bl30k, davis_2016, davis_2017, frame, gygo, write_jpeg, write_palette, youtube_vos
from vosforge.datagen.sources.source import SourceLayoutError, open_source


def listed(source) -> list:
    return [(clip.name, clip.split) for clip in source.list_clips()]


def read(source, name: str):
    """The frames and the content of one clip."""
    clip = next(clip for clip in source.list_clips() if clip.name == name)
    content = source.read(clip)
    return list(content.frames), content


def assert_same_ids(frames, expected) -> None:
    assert [one.name for one in frames] == [f"{t:05d}" for t, _ in expected]
    for one, (_, ids) in zip(frames, expected, strict=True):
        np.testing.assert_array_equal(one.ids, ids)


def test_davis_2017_lists_train_before_val_each_by_name(tmp_path):
    source = open_source("davis-2017", davis_2017(tmp_path))
    assert listed(source) == [("bear", "train"), ("tree", "train"), ("swan", "val")]
    assert listed(open_source("davis-2017", tmp_path, split="test-dev")) == [("deer", "val")]


def test_davis_2017_ids_are_the_palette_indices(tmp_path):
    source = open_source("davis-2017", davis_2017(tmp_path))
    frames, _ = read(source, "bear")
    assert_same_ids(frames, [(t, frame(t, (1, 2))[1]) for t in range(3)])
    assert frames[1].picture == (tmp_path / "JPEGImages/480p/bear/00001.jpg").read_bytes()


def test_a_test_sequence_has_the_first_mask_alone(tmp_path):
    frames, content = read(open_source("davis-2017", davis_2017(tmp_path), split="test-dev"), "deer")
    assert [one.ids is not None for one in frames] == [True, False, False]
    assert content.metadata["split"] == "test-dev"


def test_void_pixels_of_davis_2017_stay_ignore(tmp_path):
    davis_2017(tmp_path)
    ids = frame(0, (1, 2))[1]
    ids[:, 60:] = 255
    write_palette(tmp_path / "Annotations/480p/bear/00000.png", ids)
    frames, _ = read(open_source("davis-2017", tmp_path), "bear")
    np.testing.assert_array_equal(frames[0].ids, ids)


@pytest.mark.parametrize("first_release", [False, True])
def test_davis_2016_has_one_object_in_either_form_of_its_lists(tmp_path, first_release):
    source = open_source("davis-2016", davis_2016(tmp_path, first_release))
    assert listed(source) == [("bear", "train"), ("swan", "val")]
    frames, _ = read(source, "bear")
    assert_same_ids(frames, [(t, frame(t)[1]) for t in range(3)])


def test_davis_2016_merges_the_objects_of_palette_masks_and_keeps_ignore(tmp_path):
    davis_2016(tmp_path)
    ids = frame(0, (1, 2))[1]
    ids[:, 60:] = 255
    write_palette(tmp_path / "Annotations/480p/bear/00000.png", ids)
    frames, _ = read(open_source("davis-2016", tmp_path), "bear")
    assert set(np.unique(frames[0].ids)) == {0, 1, 255}
    np.testing.assert_array_equal(frames[0].ids == 1, (ids > 0) & (ids < 255))


def test_binary_masks_are_refused_as_davis_2017(tmp_path):
    davis_2016(tmp_path)
    shutil.move(tmp_path / "ImageSets/2016", tmp_path / "ImageSets/2017")
    with pytest.raises(ValueError, match=r"bear/00000\.png has 0 and 255 alone.*davis-2016"):
        read(open_source("davis-2017", tmp_path), "bear")


def test_youtube_vos_keeps_late_and_passed_over_ids_with_their_categories(tmp_path):
    source = open_source("youtube-vos", youtube_vos(tmp_path))
    assert listed(source) == [("0a", "train"), ("0b", "val")]
    frames, content = read(source, "0a")
    assert_same_ids(frames, [(0, frame(0)[1]), (5, frame(5, (1, 4))[1]), (10, frame(10, (1, 4))[1])])
    assert content.objects == {
        1: {"category": "ape", "first_frame": "00000"},
        4: {"category": "sedan", "first_frame": "00005"},
    }
    assert content.metadata["first_masks_only"] is False


def test_youtube_vos_valid_has_first_masks_only_and_says_so(tmp_path):
    frames, content = read(open_source("youtube-vos", youtube_vos(tmp_path)), "0b")
    assert [one.ids is not None for one in frames] == [True, False, False]
    assert content.metadata["first_masks_only"] is True


def test_youtube_vos_with_all_frames_has_the_frames_between_unannotated(tmp_path):
    youtube_vos(tmp_path, all_frames=True)
    frames, _ = read(open_source("youtube-vos", tmp_path, split="train", all_frames=True), "0a")
    assert [one.name for one in frames if one.ids is not None] == ["00000", "00005", "00010"]
    assert len(frames) == 11


def test_the_json_of_another_set_is_not_taken_for_youtube_vos(tmp_path):
    youtube_vos(tmp_path)
    (tmp_path / "train/meta.json").write_text('{"videos": [{"id": 3}]}')
    with pytest.raises(SourceLayoutError, match=r"train/meta\.json is not the meta\.json of youtube-vos"):
        open_source("youtube-vos", tmp_path).list_clips()


def test_bl30k_is_all_train_and_may_lie_in_its_parts(tmp_path):
    bl30k(tmp_path / "BL30K_a")
    bl30k(tmp_path / "BL30K_b", videos=["b00000"])
    source = open_source("bl30k", tmp_path, num_frames=4)
    assert listed(source) == [("a00000", "train"), ("a00001", "train"), ("b00000", "train")]
    frames, _ = read(source, "b00000")
    assert_same_ids(frames, [(t, frame(t, (1, 2))[1]) for t in range(4)])


def test_a_video_of_bl30k_that_broke_off_is_refused(tmp_path):
    bl30k(tmp_path)
    with pytest.raises(ValueError, match="a00000 holds 4 pictures, a video of BL30K has 160"):
        read(open_source("bl30k", tmp_path), "a00000")
    (tmp_path / "Annotations/a00000/00002.png").unlink()
    with pytest.raises(ValueError, match=r"a00000/00002\.png is missing"):
        read(open_source("bl30k", tmp_path, num_frames=0), "a00000")


def test_gygo_has_binary_masks_and_a_list_with_a_capital(tmp_path):
    source = open_source("gygo", gygo(tmp_path))
    assert listed(source) == [("shoe_1", "train"), ("mug_2", "val")]
    frames, _ = read(source, "mug_2")
    assert_same_ids(frames, [(t, frame(t)[1]) for t in range(2)])


@pytest.mark.parametrize("name", TREES)
def test_a_listed_clip_is_read_by_a_pickled_source_without_a_listing(tmp_path, name):
    source = open_source(name, TREES[name](tmp_path), **({"num_frames": 0} if name == "bl30k" else {}))
    again, clip = pickle.loads(pickle.dumps((source, source.list_clips()[0])))
    shutil.rmtree(tmp_path / "ImageSets", ignore_errors=True)
    assert sum(1 for _ in again.read(clip).frames) > 1


@pytest.mark.parametrize("name", TREES)
def test_a_wrong_root_says_what_was_expected_and_what_was_found(tmp_path, name):
    (tmp_path / "holiday").mkdir()
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(SourceLayoutError, match=r"expected .* found holiday/, notes\.txt.*The layout: ") as caught:
        open_source(name, tmp_path).list_clips()
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("name", TREES)
def test_the_folder_above_or_below_the_right_one_is_pointed_to_it(tmp_path, name):
    right = TREES[name](tmp_path / "set")
    below = right / ("train" if name == "youtube-vos" else "JPEGImages")
    for wrong in (tmp_path, below):
        with pytest.raises(SourceLayoutError) as caught:
            open_source(name, wrong).list_clips()
        assert f"give {right}." in str(caught.value)


def test_a_root_that_is_no_folder_is_answered_with_the_layout(tmp_path):
    with pytest.raises(SourceLayoutError, match=r"does not exist; .*JPEGImages/480p/<sequence>"):
        open_source("davis-2017", tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    with pytest.raises(SourceLayoutError, match="is a file"):
        open_source("davis-2017", tmp_path / "file")


def test_what_a_source_does_not_have_is_refused_by_name(tmp_path):
    davis_2017(tmp_path)
    with pytest.raises(ValueError, match=r"no source 'davis'; the sources are davis-2016, davis-2017"):
        open_source("davis", tmp_path)
    with pytest.raises(ValueError, match=r"no split 'trian'; its splits are train, val, test-dev"):
        open_source("davis-2017", tmp_path, split="trian")
    with pytest.raises(ValueError, match="bl30k has no splits"):
        open_source("bl30k", tmp_path, split="train")
    with pytest.raises(ValueError, match="no option 'size'; its options are split, resolution"):
        open_source("davis-2017", tmp_path, size=3)


def test_a_list_that_is_missing_or_empty_is_named(tmp_path):
    davis_2017(tmp_path)
    (tmp_path / "ImageSets/2017/val.txt").write_text("\n")
    with pytest.raises(SourceLayoutError, match=r"val\.txt is empty"):
        open_source("davis-2017", tmp_path).list_clips()
    (tmp_path / "ImageSets/2017/val.txt").unlink()
    assert len(open_source("davis-2017", tmp_path).list_clips()) == 2, "train alone may have been fetched"
    with pytest.raises(SourceLayoutError, match=r"expected val\.txt in .*2017, found test-dev\.txt, train\.txt"):
        open_source("davis-2017", tmp_path, split="val").list_clips()


def test_files_that_do_not_make_a_video_are_named(tmp_path):
    source = open_source("davis-2017", davis_2017(tmp_path))
    write_palette(tmp_path / "Annotations/480p/bear/00009.png", frame(0)[1])
    with pytest.raises(ValueError, match=r"bear/00009\.png has no picture"):
        read(source, "bear")
    write_jpeg(tmp_path / "JPEGImages/480p/tree/00000.jpeg", frame(0)[0])
    with pytest.raises(ValueError, match=r"tree holds both 00000\.jpe?g and 00000\.jpe?g"):
        read(source, "tree")
    shutil.rmtree(tmp_path / "Annotations/480p/swan")
    with pytest.raises(ValueError, match="Annotations/480p/swan holds no masks"):
        read(source, "swan")


def test_hidden_files_of_an_archive_are_left_out(tmp_path):
    davis_2017(tmp_path)
    (tmp_path / "JPEGImages/480p/bear/._00000.jpg").write_bytes(b"\x00\x05\x16\x07")
    frames, _ = read(open_source("davis-2017", tmp_path), "bear")
    assert len(frames) == 3


def test_the_real_davis_sequences_are_read(shared_data):
    source = open_source("davis-2016", shared_data / "davis")
    clips = source.list_clips()
    assert [clip.name for clip in clips] == ["blackswan", "camel", "car-shadow", "dog", "libby", "scooter-black"]
    assert {clip.split for clip in clips} == {"val"}
    frames = list(source.read(clips[0]).frames)
    assert len(frames) == 50 and frames[0].ids.shape == (480, 854)
    assert all(set(np.unique(one.ids)) == {0, 1} for one in frames[::10])
