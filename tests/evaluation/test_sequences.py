"""Trees and corpora are opened whole, and what is missing is named."""

import numpy as np
import pytest
from davis_tree import NUM_FRAMES, picture, truth, write_tree
from PIL import Image
from vosforge.train.evaluation.errors import EvaluationError
from vosforge.train.evaluation.sequences import open_sequences


def test_palette_tree_gives_ids_and_frames_in_the_order_of_its_list(tmp_path):
    found = open_sequences(write_tree(tmp_path, {"two": 2, "one": 1}))
    assert found.kind == "davis-2017"
    assert [sequence.name for sequence in found.sequences] == ["two", "one"]
    two = found.sequences[0]
    assert two.frame_names == tuple(f"{t:05d}" for t in range(NUM_FRAMES))
    np.testing.assert_array_equal(two.read_truth(3), truth(3, 2))
    assert np.abs(two.read_frame(3).astype(int) - picture(3)).mean() < 4


def test_frames_with_numbers_of_different_lengths_are_in_the_order_of_the_numbers(tmp_path):
    write_tree(tmp_path, {"one": 1}, num_frames=11)
    for path in sorted(tmp_path.rglob("000*")):
        path.rename(path.with_stem(f"f{int(path.stem)}"))
    (sequence,) = open_sequences(tmp_path).sequences
    assert sequence.frame_names == tuple(f"f{t}" for t in range(11))
    np.testing.assert_array_equal(sequence.read_truth(10), truth(10))
    for folder, suffix in (("JPEGImages", "jpg"), ("Annotations", "png")):
        (tmp_path / folder / "480p/one" / f"f04.{suffix}").touch()
    with pytest.raises(EvaluationError, match="the order of the frames f04 and f4 is not clear"):
        open_sequences(tmp_path)


def test_grey_tree_is_one_object(tmp_path):
    found = open_sequences(write_tree(tmp_path, {"one": 1}, grey=True, year="2016"))
    assert found.kind == "davis-2016"
    np.testing.assert_array_equal(found.sequences[0].read_truth(0), truth(0))


def test_tree_without_lists_and_without_resolution_level_has_all_its_folders(tmp_path):
    found = open_sequences(write_tree(tmp_path, {"b": 1, "a": 1}, year=None, level="."))
    assert [sequence.name for sequence in found.sequences] == ["a", "b"]


def test_newer_list_is_taken_and_year_chooses_the_other_and_merges_ids(tmp_path):
    write_tree(tmp_path, {"two": 2})
    (tmp_path / "ImageSets/2016").mkdir()
    (tmp_path / "ImageSets/2016/val.txt").write_text("two\n")
    assert open_sequences(tmp_path).kind == "davis-2017"
    older = open_sequences(tmp_path, year="2016").sequences[0]
    np.testing.assert_array_equal(older.read_truth(0), (truth(0, 2) > 0).astype(np.uint8))


def test_list_of_frame_pairs_gives_each_sequence_once(tmp_path):
    write_tree(tmp_path, {"one": 1}, grey=True, year=None)
    lists = tmp_path / "ImageSets/480p"
    lists.mkdir(parents=True)
    lines = [f"/JPEGImages/480p/one/{t:05d}.jpg /Annotations/480p/one/{t:05d}.png" for t in range(NUM_FRAMES)]
    (lists / "val.txt").write_text("\n".join(lines))
    assert [sequence.name for sequence in open_sequences(tmp_path).sequences] == ["one"]


@pytest.mark.parametrize("name", ["my dog", "[red] <b>ü&"])
def test_a_name_may_hold_spaces_and_brackets(tmp_path, name):
    write_tree(tmp_path, {name: 1, "my": 1})
    assert [sequence.name for sequence in open_sequences(tmp_path).sequences] == [name, "my"]
    pairs = f"/JPEGImages/480p/{name}/00000.jpg /Annotations/480p/{name}/00000.png\n"
    (tmp_path / "ImageSets/2017/val.txt").write_text(pairs)
    assert [sequence.name for sequence in open_sequences(tmp_path).sequences] == [name]


@pytest.mark.parametrize("folder", ["480p", "."])
def test_year_2016_takes_lists_by_resolution_or_plain_ones(tmp_path, folder):
    write_tree(tmp_path, {"one": 1}, grey=True, year=folder)
    found = open_sequences(tmp_path, year="2016")
    assert found.kind == "davis-2016" and [sequence.name for sequence in found.sequences] == ["one"]
    with pytest.raises(EvaluationError, match="has no year 2017"):
        open_sequences(tmp_path, year="2017")


def test_year_without_lists_is_refused(tmp_path):
    write_tree(tmp_path, {"one": 1})
    with pytest.raises(EvaluationError, match="has no year 2016; it holds 2017"):
        open_sequences(tmp_path, year="2016")


def test_void_is_background_in_a_palette_annotation(tmp_path):
    from vosforge.datagen.imaging.images import encode_palette_png

    write_tree(tmp_path, {"one": 1})
    ids = truth(0)
    ids[40:] = 255
    (tmp_path / "Annotations/480p/one/00000.png").write_bytes(encode_palette_png(ids))
    np.testing.assert_array_equal(open_sequences(tmp_path).sequences[0].read_truth(0), truth(0))


def test_grey_annotation_with_ids_is_refused_by_name(tmp_path):
    write_tree(tmp_path, {"one": 1})
    Image.fromarray(truth(0, 2)).save(tmp_path / "Annotations/480p/one/00000.png")
    with pytest.raises(EvaluationError, match=r"one/00000\.png is grey with the values 0, 1, 2"):
        open_sequences(tmp_path).sequences[0].read_truth(0)


@pytest.mark.parametrize(
    ("victim", "message"),
    [
        ("JPEGImages/480p/one/00002.jpg", r"sequence one: .*JPEGImages.* lacks 00002\.jpg"),
        ("Annotations/480p/one/00002.png", r"sequence one: .*Annotations.* lacks 00002\.png"),
    ],
)
def test_missing_file_is_named(tmp_path, victim, message):
    write_tree(tmp_path, {"one": 1})
    (tmp_path / victim).unlink()
    with pytest.raises(EvaluationError, match=message):
        open_sequences(tmp_path)


def test_truncated_frame_is_named(tmp_path):
    write_tree(tmp_path, {"one": 1})
    path = tmp_path / "JPEGImages/480p/one/00001.jpg"
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(EvaluationError, match=r"00001\.jpg cannot be read"):
        open_sequences(tmp_path).sequences[0].read_frame(1)


def test_wrong_root_says_what_was_found_and_expected(tmp_path):
    (tmp_path / "holiday").mkdir()
    with pytest.raises(EvaluationError, match=r"holds holiday; expected a DAVIS tree .* or a finished corpus"):
        open_sequences(tmp_path)
    with pytest.raises(EvaluationError, match="is missing; expected a DAVIS tree"):
        open_sequences(tmp_path / "nowhere")


def test_folder_inside_or_above_a_tree_points_to_it(tmp_path):
    tree = write_tree(tmp_path / "DAVIS", {"one": 1})
    for wrong in (tmp_path, tree / "JPEGImages"):
        with pytest.raises(EvaluationError, match=rf"did you mean {tree}\?"):
            open_sequences(wrong)


def test_unknown_split_lists_the_known_ones(tmp_path):
    write_tree(tmp_path, {"one": 1})
    with pytest.raises(EvaluationError, match=r"no list test\.txt; choose --split from: val"):
        open_sequences(tmp_path, split="test")


def test_corpus_gives_its_held_out_clips(tiny_corpus):
    found = open_sequences(tiny_corpus)
    assert found.kind == "corpus"
    assert [sequence.name for sequence in found.sequences] == ["tiny-000002", "tiny-000005"]
    sequence = found.sequences[0]
    assert sequence.num_frames == 8
    assert sequence.read_frame(7).shape == (*sequence.read_truth(7).shape, 3)
    assert sequence.read_luma(7).shape == sequence.read_truth(7).shape


def test_clip_without_object_in_its_first_frame_is_left_out_by_name(tiny_world, tmp_path):
    from vosforge.datagen.imaging.images import encode_palette_png
    from vosforge.datagen.writing.writer import CorpusWriter, commit_part

    writer = CorpusWriter(tmp_path / "corpus", tiny_world.description(num_clips=2, val_every=1))
    for index in range(2):
        members = tiny_world.clip_members(index)
        if index == 0:
            name = members[1][0]
            assert name.endswith(".00000.png")
            members[1] = (name, encode_palette_png(np.zeros((64, 96), np.uint8)))
        commit_part(tmp_path / "corpus", f"tiny-{index:06d}", index, members, {})
    writer.assemble_ready()
    writer.finish()
    found = open_sequences(tmp_path / "corpus")
    assert [sequence.name for sequence in found.sequences] == ["tiny-000001"]
    assert found.left_out == ("tiny-000000",)
    whole = open_sequences(tmp_path / "corpus", from_first=False)
    assert [sequence.name for sequence in whole.sequences] == ["tiny-000000", "tiny-000001"] and not whole.left_out


def test_corpus_without_held_out_clips_says_so(tiny_world, tmp_path):
    corpus = tiny_world.write(tmp_path / "corpus", num_clips=2, val_every=0)
    with pytest.raises(EvaluationError, match="no clip in split val: train holds 2 clips"):
        open_sequences(corpus)
