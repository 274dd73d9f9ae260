"""Rounds of corrections: the robot draws on what is wrong, a method answers, and the command as a user meets it."""

import json
import pickle
from dataclasses import replace

import numpy as np
import pytest
from davis_tree import NUM_FRAMES, truth, write_tree
from html_page import assert_whole, shown_text
from PIL import Image
from vosforge.datagen.simulation.robot.strokes import draw_strokes
from vosforge.train.evaluation.cli import main
from vosforge.train.evaluation.errors import EvaluationError
from vosforge.train.evaluation.rounds import work
from vosforge.train.evaluation.rounds.correction import (
    MethodScores,
    RoundsSettings,
    correct_frame,
    frames_to_correct,
    score_rounds,
)
from vosforge.train.evaluation.rounds.methods import grabcut, scribble_methods
from vosforge.train.evaluation.rounds.work import RoundsJob, run_frame
from vosforge.train.evaluation.sequences import open_sequences

SETTINGS = RoundsSettings(frames_per_sequence=2, min_object_area=50)


@pytest.fixture
def tree(tmp_path):
    return write_tree(tmp_path / "tree", {"one": 1, "two": 2})


@pytest.fixture
def frames(tree):
    return frames_to_correct(open_sequences(tree).sequences, SETTINGS)


def perfect(frame):
    return lambda rgb, ids, strokes, object_ids: np.where(np.isin(frame.truth, object_ids), frame.truth, 0).astype(
        np.uint8
    )


def keep_strokes(rgb, ids, strokes, object_ids):
    """A method that marks what was drawn, and nothing else."""
    drawn = draw_strokes(strokes, *ids.shape, thickness=3)
    return np.where(drawn >= 0, drawn, ids).astype(np.uint8)


def test_frames_are_spread_over_a_sequence_and_show_large_enough_objects(tree):
    sequences = open_sequences(tree).sequences
    assert [(one.sequence.name, one.number) for one in frames_to_correct(sequences, SETTINGS)] == [
        ("one", 1), ("one", 4), ("two", 1), ("two", 4)
    ]  # fmt: skip
    every = frames_to_correct(sequences, RoundsSettings(frames_per_sequence=100, min_object_area=144))
    assert len(every) == 2 * NUM_FRAMES and every[-1].object_ids == (1, 2)
    with pytest.raises(EvaluationError, match="145 pixels; give a smaller"):
        frames_to_correct(sequences, RoundsSettings(min_object_area=145))


def test_a_perfect_answer_ends_the_strokes(frames):
    rounds = correct_frame(perfect(frames[2]), frames[2], SETTINGS)
    assert [len(one.strokes) for one in rounds] == [2, 0, 0]
    assert {stroke.object_id for stroke in rounds[0].strokes} == {1, 2}
    assert [one.J for one in score_rounds(frames[2], rounds)] == [(1.0, 1.0, 1.0)] * 2


def test_strokes_lie_on_what_is_still_wrong(frames):
    frame = frames[2]
    swapped = np.choose(frame.truth, [0, 2, 1]).astype(np.uint8)
    seen = []

    def wrong(rgb, ids, strokes, object_ids):
        seen.append((ids.copy(), strokes))
        return swapped

    correct_frame(wrong, frame, SETTINGS)
    assert not seen[0][0].any() and (seen[1][0] == swapped).all()
    for ids, strokes in seen:
        for stroke in strokes:
            drawn = draw_strokes([stroke], *frame.truth.shape) >= 0
            assert (frame.truth[drawn] == stroke.object_id).all()
            assert (ids[drawn] != stroke.object_id).all()


def test_void_is_neither_drawn_on_nor_scored(frames):
    frame = frames[0]
    labels = np.where(frame.truth == 1, 1, 255).astype(np.uint8)
    labels[:, :4] = 0
    unsure = replace(frame, truth=labels)
    everything = np.ones_like(labels)
    rounds = correct_frame(lambda rgb, ids, strokes, object_ids: everything, unsure, SETTINGS)
    drawn = draw_strokes([stroke for one in rounds[1:] for stroke in one.strokes], *labels.shape)
    assert (labels[drawn == 0] == 0).all() and np.any(drawn == 0)
    # The object has 144 pixels and the wrong columns 4 x 48; void is no part of the union.
    regions = [one.J for one in score_rounds(unsure, rounds)]
    assert regions == [pytest.approx([144 / (144 + 192)] * 3)]


def test_marking_the_strokes_gains_with_every_round(frames):
    for one in score_rounds(frames[0], correct_frame(keep_strokes, frames[0], SETTINGS)):
        assert 0 < one.J[0] < one.J[1] < one.J[2] < 1
        assert one.area == 144


def test_a_round_is_given_its_own_strokes_or_all_so_far(frames):
    for kept in ("last", "all"):
        numbers, drawn = [], []

        def method(rgb, ids, strokes, object_ids, numbers=numbers):
            numbers.append(len(strokes))
            return keep_strokes(rgb, ids, strokes, object_ids)

        rounds = correct_frame(method, frames[0], RoundsSettings(strokes=kept, min_object_area=50))
        drawn = [len(one.strokes) for one in rounds]
        assert numbers == (drawn if kept == "last" else np.cumsum(drawn).tolist())


def test_objects_too_small_to_be_scored_get_no_strokes(tree):
    sequence = open_sequences(tree).sequences[1]
    crumbs = truth(1, 2)
    crumbs[crumbs == 2] = 0
    crumbs[30:33, 30:33] = 2
    changed = type(sequence)(**{**vars(sequence), "read_labels": lambda t: crumbs})
    (frame, *_) = frames_to_correct([changed], SETTINGS)
    assert frame.object_ids == (1,)
    rounds = correct_frame(keep_strokes, frame, SETTINGS)
    assert {stroke.object_id for one in rounds for stroke in one.strokes} <= {0, 1}


def test_means_and_shares_are_over_objects(frames):
    objects = tuple(
        one for frame in frames for one in score_rounds(frame, correct_frame(perfect(frame), frame, SETTINGS))
    )
    scores = MethodScores(objects=objects, strokes=(1.5, 0, 0))
    assert scores.means("J") == scores.means("F") == scores.shares_above(0.8) == (1, 1, 1)
    assert len(objects) == 6


def test_grabcut_finds_what_differs_in_colour_and_obeys_strokes(frames):
    frame = frames[0]
    rgb = np.full((*frame.truth.shape, 3), 60, np.uint8) + np.random.default_rng(0).integers(
        0, 9, (48, 64, 3), np.uint8
    )
    rgb[frame.truth == 1] += 150
    strokes = correct_frame(lambda rgb, ids, strokes, object_ids: ids, frame, SETTINGS)[0].strokes
    ids = grabcut(rgb, np.zeros_like(frame.truth), strokes, (1,))
    assert np.count_nonzero((ids == 1) != (frame.truth == 1)) < 15
    assert (grabcut(rgb, np.zeros_like(frame.truth), strokes, (1,)) == ids).all()
    assert (grabcut(rgb, ids, [], (1,)) == ids).all()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"num_rounds": 0}, "num_rounds is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"strokes": "some"}, "choose 'last' or 'all'"),
    ],
)
def test_settings_out_of_range_are_named(changes, words):
    with pytest.raises(ValueError, match=words):
        RoundsSettings(**changes)


def rounds_command(root, out, *more) -> int:
    small = ("--frames-per-sequence", "1", "--min-object-area", "50")
    return main(["rounds", "--root", str(root), "--out", str(out), *small, *map(str, more)])


def test_a_checkpoint_and_grabcut_leave_a_table_numbers_and_a_sheet(tree, tmp_path, capsys):
    pytest.importorskip("torch")
    from tiny_checkpoints import write_tiny_checkpoint

    path = write_tiny_checkpoint(tmp_path / "tiny.pt", "s2m")
    out = tmp_path / "out"
    assert rounds_command(tree, out, "--checkpoint", f"ours={path}", "--grabcut", "--rounds", 2, "--pictures", 1) == 0
    printed = capsys.readouterr().out
    assert "ours" in printed and "grabcut" in printed and "2 frames, 3 objects" in printed
    results = json.loads((out / "rounds.json").read_text())
    assert set(results["methods"]) == {"ours", "grabcut"} and results["dataset"]["num_frames"] == 2
    ours = results["methods"]["ours"]
    assert len(ours["J"]) == 2 and len(ours["objects"]) == 3 and ours["size"] == "tiny"
    assert ours["J"][0] == pytest.approx(np.mean([one["J"][0] for one in ours["objects"]]))
    methods = scribble_methods([f"ours={path}"], True, None, "cpu")
    (frame, *_) = frames_to_correct(open_sequences(tree).sequences, SETTINGS)
    for label, (method, about) in methods.items():
        # What is handed to other processes must survive the way.
        here, there = (
            RoundsJob(method=method, about=about, settings=SETTINGS, folder=tmp_path / place / label)
            for place in ("here", "there")
        )
        assert run_frame(*pickle.loads(pickle.dumps((there, frame)))) == run_frame(here, frame)
    with Image.open(out / "rounds.png") as sheet:
        assert sheet.size[0] > 4 * 320
    page = (out / "report.html").read_text()
    assert_whole(page, num_pictures=2)
    text = shown_text(page)
    assert "2 frames with 3 objects" in text and f"J after 2 rounds, ours {ours['J'][1]:.3f}" in text
    assert "J of each object after the last round" in text and "size tiny" in text


def test_finished_frames_are_taken_over_and_damaged_ones_corrected_again(frames, tmp_path):
    calls = []

    def counted(*given):
        calls.append(given)
        return keep_strokes(*given)

    job = RoundsJob(method=counted, about={"method": "strokes"}, settings=SETTINGS, folder=tmp_path)
    (frame, *_) = frames
    first = run_frame(job, frame)
    num_calls = len(calls)
    assert num_calls == 3 and run_frame(job, frame) == first and len(calls) == num_calls
    name = frame.sequence.frame_names[frame.number]
    folder = tmp_path / frame.sequence.name
    assert {path.name for path in folder.iterdir()} == {f"{name}.json", name}
    assert {path.name for path in (folder / name).iterdir()} == {"1.png", "2.png", "3.png"}
    for damage in (folder / f"{name}.json", folder / name / "2.png"):
        damage.write_bytes(damage.read_bytes()[:40])
        assert run_frame(job, frame) == first
    assert len(calls) == 3 * num_calls
    other = replace(job, settings=replace(SETTINGS, seed=5))
    with pytest.raises(
        EvaluationError, match=r"other settings or data \(seed was 0, is 5\); give another --out, or --over"
    ):
        run_frame(other, frame)
    changed = replace(frame, truth=np.where(frame.truth == 1, 2, frame.truth))
    with pytest.raises(EvaluationError, match="data_sha256 was"):
        run_frame(job, changed)
    run_frame(replace(other, overwrite=True), frame)
    assert len(calls) == 4 * num_calls and run_frame(other, frame) and len(calls) == 4 * num_calls
    run_frame(replace(job, settings=replace(SETTINGS, num_rounds=1), overwrite=True), frame)
    assert {path.name for path in (folder / name).iterdir()} == {"1.png"}


def test_a_killed_run_leaves_no_record_of_a_frame_half_written(frames, tmp_path, monkeypatch):
    job = RoundsJob(method=keep_strokes, about={"method": "strokes"}, settings=SETTINGS, folder=tmp_path)
    (frame, *_) = frames
    run_frame(job, frame)
    record = tmp_path / frame.sequence.name / f"{frame.sequence.frame_names[frame.number]}.json"

    def killed(path, content):
        raise KeyboardInterrupt

    other = replace(job, settings=replace(SETTINGS, seed=5), overwrite=True)
    with monkeypatch.context() as patch:
        patch.setattr(work, "atomic_write", killed)
        with pytest.raises(KeyboardInterrupt):
            run_frame(other, frame)
    assert not record.exists()


def test_mistakes_are_told_in_one_line(tree, tmp_path, capsys):
    assert rounds_command(tree, tmp_path / "out") == 2
    assert "give --checkpoint FILE, or --grabcut" in one_line(capsys)
    assert rounds_command(tree, tmp_path / "out", "--grabcut", "--rounds", 0) == 2
    assert "num_rounds is 0" in one_line(capsys)
    assert rounds_command(tree, tmp_path / "out", "--checkpoint", tmp_path / "none.pt") == 2
    assert "is missing" in one_line(capsys)
    assert rounds_command(tree, tree / "ImageSets/2017/val.txt", "--grabcut") == 2
    assert "is a file; give a folder" in one_line(capsys)


def test_a_checkpoint_of_another_network_is_refused(tree, tmp_path, capsys):
    pytest.importorskip("torch")
    from tiny_checkpoints import write_tiny_checkpoint

    path = write_tiny_checkpoint(tmp_path / "other.pt", "propagation")
    assert rounds_command(tree, tmp_path / "out", "--checkpoint", path) == 2
    error = one_line(capsys)
    assert "'propagation', expected 's2m'" in error


def one_line(capsys) -> str:
    error = capsys.readouterr().err
    assert error.startswith("vosforge-eval: ") and error.count("\n") == 1, error
    return error
