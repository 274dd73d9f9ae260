"""YouTube-VOS: few annotated frames, objects that come into view later, seen and unseen classes."""

import json
import shutil

import numpy as np
import pytest
from davis_tree import truth, write_tree
from vosforge.datagen.imaging.images import decode_ids, encode_palette_png
from vosforge.train.evaluation.cli import main
from vosforge.train.evaluation.errors import EvaluationError
from vosforge.train.evaluation.scores import SequenceScores, summarise
from vosforge.train.evaluation.sequences import given_masks, open_sequences
from youtube_vos_tree import ANNOTATED, LATE, NUM_FRAMES, late_truth, write_youtube_vos


@pytest.fixture
def root(tmp_path):
    return write_youtube_vos(tmp_path / "yt")


@pytest.fixture
def late(root):
    return open_sequences(root, sparse=True).sequences[0]


def test_val_is_the_folder_valid_with_its_truth_and_the_classes_of_train(root):
    found = open_sequences(root, sparse=True)
    assert (found.kind, found.split, found.seen) == ("youtube-vos", "valid", {"ape"})
    sequence = found.sequences[0]
    assert (sequence.num_frames, sequence.annotated_frames) == (NUM_FRAMES, ANNOTATED)
    assert sequence.categories == {1: "ape", 2: "zebra"}
    np.testing.assert_array_equal(sequence.read_truth(10), late_truth(10))


def test_folder_of_a_split_is_a_root_too(root):
    assert open_sequences(root / "valid", sparse=True).sequences[0].name == "late"


def test_each_object_is_given_in_its_own_first_frame_and_alone(late):
    given = given_masks(late)
    assert list(given) == [0, LATE]
    np.testing.assert_array_equal(given[0], truth(0))
    np.testing.assert_array_equal(given[LATE] == 2, late_truth(LATE) == 2)
    assert set(np.unique(given[LATE])) == {0, 2}


def test_the_first_frame_of_an_object_is_the_one_of_the_lowest_number(root):
    for path in sorted((root / "valid").rglob("000*")):
        path.rename(path.with_stem(str(int(path.stem))))
    meta = json.loads((root / "valid/meta.json").read_text())
    for facts in meta["videos"]["late"]["objects"].values():
        facts["frames"] = [str(int(name)) for name in facts["frames"]]
    (root / "valid/meta.json").write_text(json.dumps(meta))
    assert open_sequences(root, sparse=True).sequences[0].first_frames == {1: 0, 2: LATE}


def test_davis_protocol_gives_the_first_frame_alone(root):
    sequence = open_sequences(root, sparse=True, protocol="davis").sequences[0]
    assert list(given_masks(sequence)) == [0] and sequence.first_frames is None


def test_command_that_needs_every_frame_refuses_the_sparse_video(root):
    with pytest.raises(EvaluationError, match="video late has masks for 3 of 11 frames"):
        open_sequences(root)


def test_split_with_given_masks_alone_cannot_be_scored(tmp_path):
    with pytest.raises(EvaluationError, match=r"valid/Annotations holds the given masks alone.*server"):
        open_sequences(write_youtube_vos(tmp_path, with_truth=False), sparse=True)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{}", "is not the meta.json of YouTube-VOS"),
        ('{"videos": {}}', "is not the meta.json of YouTube-VOS.*lists no video"),
        ('{"videos": {"late": {"objects": {"1": {"frames": ["00000", 5]}}}}}', "no list of names"),
        ('{"videos": {"late": {"objects": {"1": {"category": ["ape"]}}}}}', "is no text"),
        ('{"videos": {"late": {"objects": {"1": {"frames": ["00001"]}}}}}', "object 1 in frame 00001"),
        ('{"videos": {"late": {"objects": {"9": {}}}}}', "no annotation shows object 9"),
        ('{"videos": {"gone": {"objects": {"1": {}}}}}', "video gone: the folder .*JPEGImages/gone is missing"),
    ],
)
def test_what_is_wrong_with_a_split_is_named(root, content, message):
    (root / "valid/meta.json").write_text(content)
    with pytest.raises(EvaluationError, match=message):
        open_sequences(root, sparse=True)


def test_unknown_split_lists_the_known_ones(root):
    with pytest.raises(EvaluationError, match="no split test; choose --split from: train, valid"):
        open_sequences(root, "test", sparse=True)


def test_objects_are_scored_behind_their_given_frames_and_the_last_frame_counts():
    scores = SequenceScores(
        name="late",
        objects={
            1: {"J": [1.0, 0.8, 0.6], "F": [1.0, 0.4, 0.2]},
            2: {"J": [np.nan, 1.0, 0.3], "F": [np.nan, 1.0, 0.1]},
        },
        frames=ANNOTATED,
        num_frames=NUM_FRAMES,
        given={1: 0, 2: LATE},
        last_is_scored=True,
        categories={1: "ape", 2: "zebra"},
    )
    found = summarise([scores], seen={"ape"})
    assert found["seen"]["J-Mean"] == pytest.approx(0.7) and found["seen"]["objects"] == 1
    assert found["unseen"]["J-Mean"] == pytest.approx(0.3) and found["unseen"]["F-Mean"] == pytest.approx(0.1)
    assert found["G"] == pytest.approx((0.7 + 0.3 + 0.3 + 0.1) / 4)
    assert found["global"]["J-Mean"] == pytest.approx(0.5)
    np.testing.assert_allclose(scores.frame_means("J"), [1.0, 0.9, 0.45])
    with_ends = summarise([scores], include_ends=True)["sequences"]["late"]["objects"]
    assert with_ends["2"]["J-Mean"] == pytest.approx(0.65)


def test_objects_without_a_class_are_neither_seen_nor_unseen():
    scores = SequenceScores(
        name="late",
        objects={i: {"J": [1.0, value], "F": [1.0, value]} for i, value in ((1, 0.8), (2, 0.4), (3, 0.1))},
        frames=(0, 5),
        num_frames=6,
        last_is_scored=True,
        categories={1: "ape", 2: "zebra"},
    )
    found = summarise([scores], seen={"ape"})
    assert [found[name]["J-Mean"] for name in ("seen", "unseen")] == [0.8, 0.4]
    assert found["unseen"]["objects"] == found["without_class"] == 1
    assert found["G"] == pytest.approx(0.6)


def test_video_whose_objects_come_in_at_its_end_is_left_out_by_name(root, tmp_path, capsys):
    for folder in ("JPEGImages", "Annotations", "GroundTruth"):
        shutil.copytree(root / f"valid/{folder}/late", root / f"valid/{folder}/end")
    meta = json.loads((root / "valid/meta.json").read_text())
    meta["videos"]["end"] = {"objects": {"2": {"category": "zebra", "frames": ["00010"]}}}
    (root / "valid/meta.json").write_text(json.dumps(meta))
    arguments = ["davis", "--root", str(root), "--out", str(tmp_path / "out")]
    assert main(arguments) == 0
    assert "left out, nothing to follow or to score: end" in capsys.readouterr().out
    results = json.loads((tmp_path / "out/results.json").read_text())
    assert results["dataset"]["left_out"] == ["end"] and results["dataset"]["num_sequences"] == 1
    assert main([*arguments, "--sequence", "end"]) == 2
    message = capsys.readouterr().err
    assert "sequence end has 11 frames; given masks are not scored" in message and "last frame" not in message


def test_object_without_a_frame_behind_its_given_one_is_named_and_left_out():
    scores = SequenceScores(
        name="late",
        objects={1: {"J": [1.0, 0.8], "F": [1.0, 0.8]}, 2: {"J": [np.nan, 1.0], "F": [np.nan, 1.0]}},
        frames=(0, 5),
        num_frames=6,
        given={1: 0, 2: 5},
        last_is_scored=True,
    )
    found = summarise([scores])
    assert found["unscored"] == ["late_2"] and set(found["sequences"]["late"]["objects"]) == {"1"}


def test_command_follows_objects_from_where_they_come_in(root, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["davis", "--root", str(root), "--out", str(out), "--baselines", "copy-first-mask,dis-flow"]) == 0
    copied = json.loads((out / "results.json").read_text())["methods"]["copy-first-mask"]
    overlap = {shift: (12 - shift) / (12 + shift) for shift in (5, 10)}
    objects = copied["sequences"]["late"]["objects"]
    assert objects["1"]["J-Mean"] == pytest.approx((overlap[5] + overlap[10]) / 2)
    assert objects["2"]["J-Mean"] == pytest.approx(overlap[5])
    assert copied["seen"]["J-Mean"] == objects["1"]["J-Mean"] and copied["unseen"]["J-Mean"] == objects["2"]["J-Mean"]
    masks = out / "methods/copy-first-mask/masks/late"
    assert len(list(masks.glob("*.png"))) == NUM_FRAMES
    assert set(np.unique(decode_ids((masks / "00004.png").read_bytes()))) == {0, 1}
    assert set(np.unique(decode_ids((masks / "00005.png").read_bytes()))) == {0, 1, 2}
    assert (out / "report.html").is_file()


def test_second_run_takes_what_is_finished_with_its_unscored_frames(root, tmp_path):
    arguments = ["davis", "--root", str(root), "--out", str(tmp_path / "out")]
    assert main(arguments) == 0
    first = (tmp_path / "out/results.json").read_text()
    written = (tmp_path / "out/methods/copy-first-mask/scores/late.json").stat().st_mtime_ns
    assert main(arguments) == 0
    assert (tmp_path / "out/results.json").read_text() == first
    assert (tmp_path / "out/methods/copy-first-mask/scores/late.json").stat().st_mtime_ns == written


def test_masks_are_needed_for_annotated_frames_alone_and_score_by_class(root, tmp_path, capsys):
    results = tmp_path / "results/late"
    results.mkdir(parents=True)
    for t in (5, 10):
        (results / f"{t:05d}.png").write_bytes(encode_palette_png(late_truth(t)))
    assert main(["masks", "--root", str(root), "--results", str(tmp_path / "results")]) == 0
    found = json.loads((tmp_path / "results/results.json").read_text())
    assert found["seen"]["J&F-Mean"] == found["unseen"]["J&F-Mean"] == found["G"] == 1
    (results / "00010.png").unlink()
    assert main(["masks", "--root", str(root), "--results", str(tmp_path / "results")]) == 2
    assert "late lacks 1 of 2 scored frames, first 00010.png" in capsys.readouterr().err


def test_classes_may_come_from_a_file(root, tmp_path, capsys):
    meta = tmp_path / "train.json"
    meta.write_text('{"videos": {"x": {"objects": {"1": {"category": "zebra"}}}}}')
    arguments = ["davis", "--root", str(root), "--out", str(tmp_path / "out"), "--train-meta", str(meta)]
    assert main(arguments) == 0
    copied = json.loads((tmp_path / "out/results.json").read_text())["methods"]["copy-first-mask"]
    assert copied["unseen"]["J-Mean"] == copied["sequences"]["late"]["objects"]["1"]["J-Mean"]
    assert main([*arguments[:-1], str(tmp_path / "none.json")]) == 2
    assert "none.json is missing" in capsys.readouterr().err


def test_masks_alone_are_written_for_a_split_whose_truth_is_on_a_server(tmp_path, capsys):
    root = write_youtube_vos(tmp_path / "yt", with_truth=False)
    assert main(["davis", "--root", str(root), "--out", str(tmp_path / "out"), "--masks-only"]) == 0
    folder = tmp_path / "out/methods/copy-first-mask"
    masks = sorted((folder / "masks/late").iterdir())
    assert [path.stem for path in masks] == [f"{t:05d}" for t in range(NUM_FRAMES)]
    assert set(np.unique(decode_ids(masks[LATE].read_bytes()))) == {0, 1, 2}
    assert not (tmp_path / "out/results.json").exists()


def test_davis_split_with_first_masks_alone_is_written_too(tmp_path, capsys):
    root = write_tree(tmp_path / "tree", {"one": 1})
    for t in range(1, 6):
        (root / f"Annotations/480p/one/{t:05d}.png").unlink()
    arguments = ["davis", "--root", str(root), "--out", str(tmp_path / "out")]
    assert main(arguments) == 2
    assert "davis --masks-only writes masks without scores" in capsys.readouterr().err
    assert main([*arguments, "--masks-only"]) == 0
    assert len(list((tmp_path / "out/methods/copy-first-mask/masks/one").iterdir())) == 6
