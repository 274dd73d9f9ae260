"""The report of semi-supervised scores, on hand-made numbers of tiny sequences."""

import io
import math

import numpy as np
import pytest
from davis_tree import NUM_FRAMES, truth, write_tree
from html_page import assert_whole, shown_text
from PIL import Image
from rich.console import Console
from vosforge.train.evaluation.pictures import TINTS, evenly_spaced, strip, tinted
from vosforge.train.evaluation.score_report.numbers import print_tables
from vosforge.train.evaluation.score_report.page import write_score_report
from vosforge.train.evaluation.scores import SequenceScores, summarise
from vosforge.train.evaluation.sequences import open_sequences

GOOD, BAD = [1.0, 0.9, 0.9, 0.9, 0.9, 1.0], [1.0, 0.5, 0.4, 0.1, 0.3, 1.0]


@pytest.fixture
def chosen(tmp_path):
    return open_sequences(write_tree(tmp_path / "tree", {"easy": 1, "hard": 2}))


def of_one_object(values, **more):
    return {"J": list(values), "F": list(values), **more}


@pytest.fixture
def scores():
    """Label -> scores of "easy" and "hard"; the first method is worst in frame 3 of "hard"."""
    return {
        "ours": [
            SequenceScores(name="easy", objects={1: of_one_object(GOOD)}),
            SequenceScores(name="hard", objects={1: of_one_object(BAD), 2: of_one_object(GOOD)}),
        ],
        "other": [
            SequenceScores(name="easy", objects={1: of_one_object(BAD)}),
            SequenceScores(name="hard", objects={1: of_one_object(GOOD), 2: of_one_object(GOOD)}),
        ],
    }


@pytest.fixture
def written(chosen, scores, tmp_path):
    """Write the page of these methods; returns its HTML and which predictions were read."""

    def write(labels=("ours", "other"), **more):
        asked = []

        def read_prediction(label, sequence, t):
            asked.append((label, sequence.name, t))
            return sequence.read_truth(0)

        given = {label: scores[label] for label in labels}
        path = write_score_report(
            tmp_path / "page" / "report.html",
            title="a title",
            chosen=chosen,
            scores=given,
            summaries=more.pop("summaries", {label: summarise(found) for label, found in given.items()}),
            read_prediction=read_prediction,
            facts={"split": "val"},
            **more,
        )
        return path.read_text(), asked

    return write


def test_page_has_tables_curves_bars_and_strips_of_all_methods(written):
    html, _ = written(extra={"frames a second": {"ours": 12.5, "other": None}})
    assert_whole(html, num_pictures=2)
    text = shown_text(html)
    means = [0.9, (0.5 + 0.4 + 0.1 + 0.3) / 4, 0.9]
    for expected in (
        "2 sequences with 12 frames and 3 objects",
        f"J&F of ours {np.mean(means):.3f}",
        "frames a second ours 0.708",
        "Mean of all sequences",
        "easy 0.900 0.325",
        "split val",
    ):
        assert expected in text, expected
    # Sequences with one object have no row of their own among the objects.
    assert "hard 1 0.325 0.900 hard 2 0.900 0.900" in text and "easy 1 0.900 0.325" in text


def test_worst_sequence_of_the_first_method_stands_first(written):
    text = shown_text(written()[0])
    assert text.index("hard 2 0.613") < text.index("easy 1 0.900")
    text = shown_text(written(labels=("other", "ours"))[0])
    assert text.index("easy 1 0.325") < text.index("hard 2 0.900")


def test_a_strip_shows_the_worst_frame_and_reads_no_given_mask(written):
    _, asked = written()
    assert ("ours", "hard", 3) in asked and not [one for one in asked if one[2] == 0]


def test_a_single_method_has_columns_for_both_measures(written):
    text = shown_text(written(labels=("ours",))[0])
    assert "sequence objects J F J&F hard 2 0.613 0.613 0.613" in text and "J&F 0.708" in text


def test_seen_and_unseen_classes_are_told_apart_where_they_are_known(written, scores):
    summary = summarise(scores["ours"])
    row = summary["global"]
    summary |= {"seen": {**row, "objects": 2}, "unseen": {**row, "objects": 1}, "G": 0.625, "unscored": ["hard_7"]}
    text = shown_text(written(labels=("ours",), summaries={"ours": summary})[0])
    assert "ours seen 2 0.708" in text and "ours unseen 1 0.708" in text and "of both: ours 0.625" in text
    console = Console(file=io.StringIO(), width=120)
    print_tables({"ours": summary}, console, "title")
    printed = console.file.getvalue()
    assert "unseen" in printed and "0.625" in printed and "no frame to score: hard_7" in printed
    assert "no frame to score hard_7" in text
    assert "Classes" not in shown_text(written()[0])


def test_names_in_the_terminal_are_not_taken_for_markup(scores):
    named = [SequenceScores(name="[red]dog", objects=scores["ours"][0].objects)]
    console = Console(file=io.StringIO(), width=120)
    print_tables({"ours": summarise(named)}, console, "[blue]data")
    assert "[red]dog" in console.file.getvalue() and "[blue]data" in console.file.getvalue()


def test_frames_before_an_object_is_given_leave_no_point_and_no_number(chosen, scores, tmp_path, written):
    late = [math.nan, math.nan, 0.8, 0.7, 0.6, 0.5]
    given = {2: 2}
    scores["ours"][1] = SequenceScores(
        name="hard", objects={2: of_one_object(late)}, given=given, num_frames=NUM_FRAMES, last_is_scored=True
    )
    html, _ = written(labels=("ours",))
    assert "nan" not in shown_text(html).lower()


def test_a_broken_frame_costs_its_picture_and_nothing_else(written, tmp_path):
    broken = tmp_path / "tree/JPEGImages/480p/hard/00003.jpg"
    broken.write_bytes(broken.read_bytes()[:50])
    html, _ = written()
    assert "no picture: frame" in shown_text(html) and "00003.jpg cannot be read" in shown_text(html)
    assert_whole(html, num_pictures=2)


def test_a_scored_part_of_the_frames_is_drawn_at_its_places(chosen, scores):
    sequence = chosen.sequences[0]
    sparse = SequenceScores(name="easy", objects={1: of_one_object([0.5, 0.7])}, frames=(2, 4), num_frames=NUM_FRAMES)
    asked = []

    def read(label, sequence, t):
        asked.append(t)
        return sequence.read_truth(t)

    picture = strip(sequence, {"ours": sparse}, read, tile_width=100)
    assert isinstance(picture, Image.Image) and asked == [2, 4]


@pytest.mark.parametrize(
    ("frames", "count", "expected"),
    [(range(11), 5, [3, 5, 6, 8, 10]), ([0, 7], 5, [7]), ([0], 5, []), (range(3), 1, [2])],
)
def test_frames_are_spread_up_to_the_last(frames, count, expected):
    assert evenly_spaced(list(frames), count, without=0) == expected


def test_void_is_grey_and_neither_tinted_nor_outlined():
    labels = truth(0)
    labels[:, 40:] = 255
    predicted = np.ones_like(labels)
    tile = tinted(np.zeros((48, 64, 3), np.uint8), predicted, labels, 64, 48)
    assert (tile[:, 42:] == 64).all()
    assert (tile[40, :30] == np.rint(TINTS[1] / 2)).all()
    assert (tinted(np.zeros((48, 64, 3), np.uint8), predicted, truth(0), 64, 48)[40, 50] == np.rint(TINTS[1] / 2)).all()


@pytest.mark.parametrize(("include_ends", "last"), [(False, NUM_FRAMES - 2), (True, NUM_FRAMES - 1)])
def test_the_page_shows_the_frames_that_count(written, include_ends, last):
    _, asked = written(include_ends=include_ends)
    assert max(t for _, _, t in asked) == last


def test_values_that_do_not_count_are_left_out_of_the_frames():
    scores = SequenceScores(
        name="late",
        objects={1: of_one_object([1.0, 0.5, 0.25]), 2: of_one_object([math.nan, 1.0, 0.5])},
        frames=(0, 5, 10),
        num_frames=11,
        given={1: 0, 2: 5},
        last_is_scored=True,
    )
    assert scores.counted().frames == (5, 10)
    assert scores.counted().frame_means("J").tolist() == [0.5, 0.375]
    assert scores.counted(include_ends=True).frame_means("J").tolist() == [1.0, 0.75, 0.375]
    assert [summarise([scores.counted(ends)], ends) for ends in (False, True)] == [
        summarise([scores], ends) for ends in (False, True)
    ]
