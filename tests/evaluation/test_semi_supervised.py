"""One method over its sequences: what is written, what is resumed, what is averaged."""

import json

import numpy as np
import pytest
from davis_tree import HEIGHT, NUM_FRAMES, WIDTH, picture, truth, write_tree
from vosforge.datagen.imaging.images import decode_ids, encode_jpeg, encode_palette_png
from vosforge.train.evaluation.baselines import BASELINES
from vosforge.train.evaluation.errors import EvaluationError
from vosforge.train.evaluation.methods import Method, baseline_method
from vosforge.train.evaluation.scores import COLUMNS, SequenceScores, nothing_scored, summarise
from vosforge.train.evaluation.semi_supervised import evaluate
from vosforge.train.evaluation.sequences import open_sequences


class Oracle:
    """Yields the truth and counts how often it is asked; frames in `blank` come out empty."""

    def __init__(self, blank=()):
        self.calls, self.blank = [], blank

    def __call__(self, sequence, given):
        self.calls.append(sequence.name)
        for t in range(sequence.num_frames):
            ids = sequence.read_truth(t)
            yield np.zeros_like(ids) if t in self.blank else ids


def method(propagate, folder, **settings) -> Method:
    return Method(label="oracle", propagate=propagate, settings={"method": "oracle", **settings}, folder=folder)


@pytest.fixture
def sequences(tmp_path):
    return open_sequences(write_tree(tmp_path / "tree", {"one": 1, "two": 2})).sequences


def test_truth_as_prediction_scores_one_and_is_written_as_palette(sequences, tmp_path):
    scores = evaluate(method(Oracle(), tmp_path / "out"), sequences)
    overall = summarise(scores)["global"]
    assert overall["J-Mean"] == overall["F-Mean"] == overall["J&F-Mean"] == overall["J-Recall"] == 1
    assert overall["J-Decay"] == 0
    written = sorted((tmp_path / "out/masks/two").iterdir())
    assert [path.name for path in written] == [f"{t:05d}.png" for t in range(NUM_FRAMES)]
    np.testing.assert_array_equal(decode_ids(written[4].read_bytes()), truth(4, 2))


def test_first_and_last_frame_are_not_scored_unless_asked(sequences, tmp_path):
    scores = evaluate(method(Oracle(blank=(0, NUM_FRAMES - 1)), tmp_path / "out"), sequences)
    assert summarise(scores)["global"]["J-Mean"] == 1
    assert summarise(scores, include_ends=True)["global"]["J-Mean"] == pytest.approx((NUM_FRAMES - 2) / NUM_FRAMES)


def test_finished_sequences_are_not_computed_again(sequences, tmp_path):
    first, second = Oracle(), Oracle()
    before = evaluate(method(first, tmp_path / "out"), sequences[:1])
    after = evaluate(method(second, tmp_path / "out"), sequences)
    assert (first.calls, second.calls) == (["one"], ["two"])
    assert after[0] == before[0]


def test_sequence_killed_half_way_is_computed_again(sequences, tmp_path):
    def dies(sequence, given):
        yield given[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(method(dies, tmp_path / "out"), sequences)
    assert not (tmp_path / "out/masks/one").exists()
    assert not (tmp_path / "out/scores/one.json").exists()
    oracle = Oracle()
    evaluate(method(oracle, tmp_path / "out"), sequences)
    assert oracle.calls == ["one", "two"]
    assert sorted(path.name for path in (tmp_path / "out/masks").iterdir()) == ["one", "two"]


def test_a_task_that_is_given_again_does_not_mix_with_the_lost_worker_s(sequences, tmp_path):
    def overtaken(sequence, given):
        yield np.zeros_like(given[0])
        evaluate(method(Oracle(), tmp_path / "out"), [sequence])
        for _ in range(1, sequence.num_frames):
            yield np.zeros_like(given[0])

    evaluate(method(overtaken, tmp_path / "out"), sequences[:1])
    written = [decode_ids(path.read_bytes()) for path in sorted((tmp_path / "out/masks/one").iterdir())]
    assert len(written) == NUM_FRAMES and not np.any(written)
    assert [path.name for path in (tmp_path / "out/masks").iterdir()] == ["one"]


def test_lost_mask_is_computed_again(sequences, tmp_path):
    evaluate(method(Oracle(), tmp_path / "out"), sequences)
    (tmp_path / "out/masks/two/00003.png").unlink()
    oracle = Oracle()
    evaluate(method(oracle, tmp_path / "out"), sequences)
    assert oracle.calls == ["two"]
    assert (tmp_path / "out/masks/two/00003.png").is_file()


@pytest.mark.parametrize("content", ['{"settings": ', "[]", "3", '{"schema": 2}', '{"schema": 3, "settings": {}}'])
def test_damaged_score_file_is_computed_again(sequences, tmp_path, content):
    evaluate(method(Oracle(), tmp_path / "out"), sequences)
    (tmp_path / "out/scores/one.json").write_text(content)
    oracle = Oracle()
    evaluate(method(oracle, tmp_path / "out"), sequences)
    assert oracle.calls == ["one"]


@pytest.mark.parametrize("share", [0, 0.5])
def test_damaged_mask_is_computed_again(sequences, tmp_path, share):
    evaluate(method(Oracle(), tmp_path / "out"), sequences)
    mask = tmp_path / "out/masks/two/00003.png"
    content = mask.read_bytes()
    mask.write_bytes(content[: int(share * len(content))])
    oracle = Oracle()
    scores = evaluate(method(oracle, tmp_path / "out"), sequences)
    assert oracle.calls == ["two"] and mask.read_bytes() == content
    assert summarise(scores)["global"]["J-Mean"] == 1


def first_mask(sequence, given):
    return iter([given[0]] * sequence.num_frames)


def test_masks_that_are_finished_are_compared_with_the_truth_as_it_is_now(tmp_path):
    root = write_tree(tmp_path / "tree", {"one": 1})
    calls = []

    def copy(sequence, given):
        calls.append(sequence.name)
        return first_mask(sequence, given)

    def score(folder):
        return summarise(evaluate(method(copy, tmp_path / folder), open_sequences(root).sequences))["global"]

    before = score("out")
    (root / "Annotations/480p/one/00003.png").write_bytes(encode_palette_png(truth(5)))
    after = score("out")
    assert calls == ["one"], "the masks are taken over"
    assert after == score("fresh") != before
    record = json.loads((tmp_path / "out/scores/one.json").read_text())
    assert record["objects"] == json.loads((tmp_path / "fresh/scores/one.json").read_text())["objects"]


@pytest.mark.parametrize(
    ("changed", "named"),
    [("JPEGImages/480p/one/00003.jpg", "frames_sha256"), ("Annotations/480p/one/00000.png", "given_masks_sha256")],
)
def test_masks_of_other_frames_or_given_masks_are_refused(tmp_path, changed, named):
    root = write_tree(tmp_path / "tree", {"one": 1})
    evaluate(method(first_mask, tmp_path / "out"), open_sequences(root).sequences)
    other = encode_palette_png(truth(2)) if changed.endswith("png") else encode_jpeg(255 - picture(3))
    (root / changed).write_bytes(other)
    with pytest.raises(EvaluationError, match=f"{named} was .*--overwrite"):
        evaluate(method(first_mask, tmp_path / "out"), open_sequences(root).sequences)


def test_masks_of_a_sequence_that_grew_are_refused(tmp_path):
    evaluate(method(first_mask, tmp_path / "out"), open_sequences(write_tree(tmp_path / "short", {"one": 1})).sequences)
    longer = open_sequences(write_tree(tmp_path / "long", {"one": 1}, num_frames=NUM_FRAMES + 1)).sequences
    with pytest.raises(EvaluationError, match="num_frames was 6, is 7"):
        evaluate(method(first_mask, tmp_path / "out"), longer)


def test_masks_alone_leave_finished_scores_and_are_scored_without_being_computed_again(sequences, tmp_path):
    oracle = Oracle()
    evaluate(method(oracle, tmp_path / "out"), sequences[:1], masks_only=True)
    scored = evaluate(method(oracle, tmp_path / "out"), sequences[:1])
    assert oracle.calls == ["one"] and len(scored[0].objects[1]["J"]) == NUM_FRAMES
    written = (tmp_path / "out/scores/one.json").read_text()
    evaluate(method(oracle, tmp_path / "out"), sequences[:1], masks_only=True)
    assert oracle.calls == ["one"] and (tmp_path / "out/scores/one.json").read_text() == written


def test_results_of_other_settings_are_refused_by_the_setting_and_replaced_on_demand(sequences, tmp_path):
    evaluate(method(Oracle(), tmp_path / "out", top_k=50), sequences)
    other = method(Oracle(), tmp_path / "out", top_k=20)
    with pytest.raises(EvaluationError, match=r"top_k was 50, is 20.*--overwrite"):
        evaluate(other, sequences)
    evaluate(other, sequences, overwrite=True)
    assert json.loads((tmp_path / "out/scores/one.json").read_text())["settings"]["top_k"] == 20


def test_sequence_without_object_in_its_first_frame_is_named(sequences, tmp_path):
    from dataclasses import replace

    empty = replace(sequences[0], read_labels=lambda t: np.zeros((HEIGHT, WIDTH), np.uint8))
    with pytest.raises(EvaluationError, match="sequence one: its first annotation holds no object"):
        evaluate(method(Oracle(), tmp_path / "out"), [empty])


def test_frame_of_another_size_than_its_mask_is_named_whatever_the_method(sequences, tmp_path):
    from dataclasses import replace

    odd = replace(sequences[0], read_frame=lambda t: np.zeros((HEIGHT, WIDTH + 2, 3), np.uint8))
    for name in BASELINES:
        with pytest.raises(EvaluationError, match="sequence one, frame 00000 is 66x48, its annotation 64x48"):
            evaluate(baseline_method(name, tmp_path / "out"), [odd])


def test_annotation_of_another_size_is_named(sequences, tmp_path):
    from dataclasses import replace

    odd = replace(sequences[0], read_labels=lambda t: truth(0) if t < 3 else np.zeros((HEIGHT, WIDTH + 2), np.uint8))

    def copy(sequence, given):
        return iter([given[0]] * sequence.num_frames)

    with pytest.raises(EvaluationError, match=r"sequence one, frame 00003: the mask is 64x48, its annotation 66x48"):
        evaluate(method(copy, tmp_path / "out"), [odd])


def test_two_frames_leave_nothing_to_score(tmp_path):
    sequences = open_sequences(write_tree(tmp_path / "tree", {"short": 1}, num_frames=2)).sequences
    with pytest.raises(EvaluationError, match=r"sequence short has 2 frames.*--include-ends"):
        evaluate(method(Oracle(), tmp_path / "out"), sequences)
    assert "sequence short has 1 frame; given" in str(nothing_scored("short", 1))
    assert summarise(evaluate(method(Oracle(), tmp_path / "out"), sequences, include_ends=True), True)["global"]


def constant(name, values):
    return SequenceScores(
        name=name, objects={i: {"J": [value] * 4, "F": [value / 2] * 4} for i, value in enumerate(values, start=1)}
    )


def test_global_mean_weighs_every_object_the_same():
    found = summarise([constant("one", [0.2]), constant("three", [0.8, 0.8, 0.8])])
    assert found["global"]["J-Mean"] == pytest.approx(0.65)
    assert found["global"]["J&F-Mean"] == pytest.approx((0.65 + 0.325) / 2)
    assert found["sequences"]["three"]["F-Mean"] == pytest.approx(0.4)
    assert set(found["global"]) == set(COLUMNS) == set(found["sequences"]["three"]["objects"]["2"])
