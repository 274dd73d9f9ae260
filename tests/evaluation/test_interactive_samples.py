"""The sessions that are played: first scribbles from files and from the robot, records, and the names of systems."""

import csv
import json

import numpy as np
import pytest
from davis_tree import NUM_FRAMES, truth, write_tree
from vosforge.datagen.simulation.robot.scribble_file import frame_scribbles, write_scribbles
from vosforge.datagen.simulation.robot.strokes import Stroke, draw_strokes
from vosforge.train.evaluation.errors import EvaluationError
from vosforge.train.evaluation.interactive.protocol import ProtocolSettings
from vosforge.train.evaluation.interactive.records import (
    CSV_COLUMNS,
    InteractionScores,
    SampleRecord,
    record_from_dict,
    record_to_dict,
    write_csv,
)
from vosforge.train.evaluation.interactive.samples import samples_of
from vosforge.train.evaluation.interactive.systems import PAPER, parse_systems
from vosforge.train.evaluation.sequences import AnnotatedSequence, open_sequences

SETTINGS = ProtocolSettings()


@pytest.fixture
def tree(tmp_path):
    return write_tree(tmp_path / "davis", {"one": 1, "two": 2})


def sequences(tree, **given):
    return open_sequences(tree, "val", from_first=False, **given).sequences


def line(object_id, frame=2, y=12.0):
    """A stroke over the tree's first square in this frame."""
    path = np.array([[10 + frame, y], [18 + frame, y]]) / (63, 47)
    return Stroke(object_id=object_id, path=path)


def scribble_file(tree, sequence, number, strokes, frame=2, num_frames=NUM_FRAMES):
    folder = tree / "Scribbles" / sequence
    folder.mkdir(parents=True, exist_ok=True)
    write_scribbles(folder / f"{number:03d}.json", frame_scribbles(sequence, num_frames, frame, strokes))


def test_robot_draws_every_object_and_nothing_else(tree):
    samples = list(samples_of(sequences(tree)[1], SETTINGS))
    assert [sample.scribble_set for sample in samples] == [1, 2, 3]
    for sample in samples:
        assert sample.object_ids == (1, 2) and sample.source == "robot"
        drawn = draw_strokes(sample.strokes, 48, 64)
        ids = truth(sample.frame, 2)
        assert set(np.unique(drawn)) == {-1, 1, 2}
        assert (ids[drawn == 1] == 1).all() and (ids[drawn == 2] == 2).all()


def test_sets_of_the_robot_lie_on_different_frames_and_repeat(tree):
    one, two = sequences(tree)
    frames = [sample.frame for sample in samples_of(two, SETTINGS)]
    assert len(set(frames)) == 3
    of_all = samples_of(two, ProtocolSettings(num_scribble_sets=NUM_FRAMES))
    assert sorted(sample.frame for sample in of_all) == list(range(NUM_FRAMES))
    assert [sample.frame for sample in samples_of(two, SETTINGS)] == frames
    seeds = {tuple(sample.frame for sample in samples_of(one, ProtocolSettings(seed=seed))) for seed in range(5)}
    assert len(seeds) > 1


def test_robot_begins_where_most_objects_are_seen():
    def labels(t):
        return truth(t, 2 if t == 4 else 1)

    sequence = AnnotatedSequence(
        name="late", frame_names=tuple("abcdef"), read_frame=labels, read_luma=labels, read_labels=labels
    )
    first, second, _ = samples_of(sequence, SETTINGS)
    assert first.frame == 4 and first.object_ids == (1, 2)
    assert second.frame == 4, "a frame that shows every object comes before one that was not drawn on"


def test_files_are_taken_where_they_are_and_the_robot_draws_the_rest(tree):
    scribble_file(tree, "two", 2, [line(1), line(2, y=32.0)])
    samples = list(samples_of(sequences(tree)[1], SETTINGS, tree / "Scribbles"))
    assert [sample.source for sample in samples] == ["robot", "file", "robot"]
    assert samples[1].frame == 2 and samples[1].strokes == (line(1), line(2, y=32.0))


def test_in_davis_2016_all_strokes_are_of_one_object(tree):
    scribble_file(tree, "two", 1, [line(1), line(2, y=32.0)])
    sequence = sequences(tree, year=None)[1]
    merged = AnnotatedSequence(
        name="two",
        frame_names=sequence.frame_names,
        read_frame=sequence.read_frame,
        read_luma=sequence.read_luma,
        read_labels=lambda t: (sequence.read_labels(t) > 0).astype(np.uint8),
    )
    sample = next(samples_of(merged, SETTINGS, tree / "Scribbles", merge_objects=True))
    assert {stroke.object_id for stroke in sample.strokes} == {1}


@pytest.mark.parametrize(
    ("strokes", "num_frames", "complaint"),
    [
        ([line(3)], NUM_FRAMES, "stroke of object 3"),
        ([line(1)], NUM_FRAMES + 1, "has 7 frames"),
        ([], NUM_FRAMES, "one frame is asked for"),
    ],
)
def test_scribble_files_that_do_not_fit_are_named(tree, strokes, num_frames, complaint):
    scribble_file(tree, "one", 1, strokes, num_frames=num_frames)
    with pytest.raises(EvaluationError, match=complaint) as error:
        list(samples_of(sequences(tree)[0], SETTINGS, tree / "Scribbles"))
    assert "001.json" in str(error.value)


def test_a_sequence_without_an_object_is_named():
    def empty(t):
        return np.zeros((48, 64), np.uint8)

    sequence = AnnotatedSequence(
        name="nothing", frame_names=("a",), read_frame=empty, read_luma=empty, read_labels=empty
    )
    with pytest.raises(EvaluationError, match="nothing: no frame shows an object"):
        list(samples_of(sequence, SETTINGS))


def test_an_annotation_of_another_size_is_named():
    def labels(t):
        return truth(t)[: 48 - 4 * (t == 3)]

    sequence = AnnotatedSequence(
        name="cut", frame_names=tuple("abcdef"), read_frame=labels, read_luma=labels, read_labels=labels
    )
    with pytest.raises(EvaluationError, match="cut: the annotation of frame d is 64x44, the first 64x48"):
        list(samples_of(sequence, SETTINGS))


def two_rounds():
    rng = np.random.default_rng(0)
    rounds = tuple(
        InteractionScores(
            frame=k, num_strokes=2, seconds=0.25 + k, jaccard=rng.random((3, 2)), contour=rng.random((3, 2))
        )
        for k in range(2)
    )
    return SampleRecord(
        sequence="a",
        scribble_set=3,
        object_ids=(1, 5),
        frames=(0, 2, 4),
        interactions=rounds,
        module_seconds={"s2m": (1.5, 4)},
    )


def test_a_record_survives_json_with_every_bit():
    record = two_rounds()
    again = record_from_dict(json.loads(json.dumps(record_to_dict(record))))
    assert record_to_dict(again) == record_to_dict(record)
    assert np.array_equal(again.interactions[1].contour, record.interactions[1].contour)
    assert again.name == "a-003" and again.module_seconds == {"s2m": (1.5, 4)}


def test_csv_has_the_columns_of_the_benchmark_and_a_row_for_each_object_frame_and_interaction(tmp_path):
    record = two_rounds()
    with open(write_csv(tmp_path / "result.csv", [record], "system"), newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == CSV_COLUMNS
    assert len(rows) == 2 * 2 * 3
    row = next(r for r in rows if (r["interaction"], r["object_id"], r["frame"]) == ("2", "5", "4"))
    jaccard, contour = record.interactions[1].jaccard[2, 1], record.interactions[1].contour[2, 1]
    assert float(row["jaccard"]) == jaccard and float(row["contour"]) == contour
    assert float(row["j_and_f"]) == (jaccard + contour) / 2
    assert row["session_id"] == "system" and row["sequence"] == "a" and row["scribble_idx"] == "3"
    assert float(row["timing"]) == 1.25


def test_names_say_how_masks_are_fused_and_how_much_memory_is_read():
    kinds = ("s2m", "propagation", "fusion")
    found = parse_systems("difference-k20, linear-kall,none,oracle,oracle-copy", kinds, 50)
    assert [(system.label, system.fusion, system.top_k, system.true_masks) for system in found] == [
        ("difference-k20", "difference", 20, False),
        ("linear-kall", "linear", None, False),
        ("none", "none", 50, False),
        ("oracle", "difference", 50, True),
        ("oracle-copy", None, None, True),
    ]
    assert [system.label for system in parse_systems("paper", kinds, 50)] == list(PAPER)


def test_auto_is_what_the_checkpoints_allow():
    def labels(*kinds):
        return [system.label for system in parse_systems("auto", kinds, 50)]

    assert labels() == ["copy"]
    assert labels("propagation") == ["oracle", "copy"]
    assert labels("s2m", "propagation") == ["linear", "oracle", "copy"]
    assert labels("s2m", "propagation", "fusion") == ["difference", "learned", "linear", "oracle", "copy"]


@pytest.mark.parametrize(
    ("names", "kinds", "complaint"),
    [
        ("magic", (), "no system 'magic'"),
        ("copy-k20", (), "no system 'copy-k20'"),
        ("linear-k0", ("s2m", "propagation"), "reads no memory cell"),
        ("difference", ("s2m", "propagation"), "give --fusion"),
        ("linear", ("propagation",), "give --s2m"),
        (" , ", (), "name at least one"),
    ],
)
def test_systems_that_cannot_be_run_are_named(names, kinds, complaint):
    with pytest.raises(EvaluationError, match=complaint):
        parse_systems(names, kinds, 50)
