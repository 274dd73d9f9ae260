"""Fusion against linear blending between two interactions, on hand-made sequences."""

import json
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from fusion_world import IDS, frame_of, write_clips
from html_page import assert_whole, shown_text
from rich.console import Console
from tiny_checkpoints import write_tiny_checkpoint
from vosforge.datagen.storage.files import sha256_of_file
from vosforge.models.propagation import SIZES, PropagationNetwork
from vosforge.train.checkpoint import checkpoint_content, save_atomically
from vosforge.train.evaluation.errors import EvaluationError
from vosforge.train.evaluation.fusion import gain
from vosforge.train.evaluation.fusion.command import Fusion, evaluate_fusion
from vosforge.train.evaluation.fusion.gain import (
    LINEAR,
    NEW,
    PREVIOUS,
    FusionGainSettings,
    PairScores,
    interacted_pairs,
    summarise_pairs,
)
from vosforge.train.evaluation.fusion.work import FusionJob, run_pairs
from vosforge.train.evaluation.output_folder import hold_output_folder
from vosforge.train.evaluation.sequences import AnnotatedSequence, open_sequences
from vosforge.train.inference.propagation import PropagationSettings
from vosforge.train.networks import FUSION

SETTINGS = FusionGainSettings(propagation=PropagationSettings(), firsts=(0.0,), min_area=10)


@pytest.fixture
def networks():
    torch.manual_seed(1)
    return PropagationNetwork(SIZES["tiny"]).eval(), FUSION.named("tiny").eval()


@pytest.fixture
def sequence():
    return AnnotatedSequence(
        name="squares",
        frame_names=tuple(f"{t:05d}" for t in range(7)),
        read_frame=lambda t: frame_of(0, t)[0],
        read_luma=lambda t: frame_of(0, t)[0][..., 0],
        read_labels=lambda t: frame_of(0, t)[1].astype(np.uint8),
    )


@pytest.fixture
def propagated(monkeypatch, sequence):
    """Replaces propagation: from frame 0 the masks stay where they were, from any other frame they are right."""
    calls = []

    def propagate(network, frames, first_ids, settings, *, ids, certain=()):
        frames = list(frames)
        times = [next(t for t in range(7) if np.array_equal(frame, sequence.read_frame(t))) for frame in frames]
        calls.append((times, [sorted(set(np.unique(known)) - {0}) for _, known in certain]))
        for t in times:
            known = sequence.read_truth(0 if times[0] == 0 else t)
            masks = torch.stack([torch.from_numpy(known == i) for i in ids]).float()
            yield torch.cat([1 - masks.sum(0, keepdim=True), masks])

    monkeypatch.setattr(gain, "propagate_soft", propagate)
    return calls


def test_the_second_interaction_goes_where_the_first_one_s_masks_are_worst(networks, sequence, propagated):
    [(scores, frames)] = interacted_pairs(networks[0], {}, sequence, SETTINGS)
    assert (scores.first, scores.second) == (0, 6)
    assert [frame.t for frame in frames] == [1, 2, 3, 4, 5]
    assert propagated[-1] == ([6, 5, 4, 3, 2, 1], [[3, 17]]), "backwards, the first frame in memory"


def test_of_frames_that_are_equally_bad_the_farthest_is_chosen(networks, sequence, monkeypatch):
    def lose(network, frames, first_ids, settings, *, ids, certain=()):
        for _ in frames:
            yield torch.cat([torch.ones(1, *first_ids.shape), torch.zeros(len(ids), *first_ids.shape)])

    monkeypatch.setattr(gain, "propagate_soft", lose)
    [(scores, _)] = interacted_pairs(networks[0], {}, sequence, SETTINGS)
    assert scores.second == 6


def test_each_method_takes_the_masks_that_it_says(networks, sequence, propagated):
    [(scores, frames)] = interacted_pairs(networks[0], {}, sequence, SETTINGS)
    for frame in frames:
        truth, old = (np.where(ids == 200, 0, ids) for ids in (sequence.read_truth(frame.t), sequence.read_truth(0)))
        assert np.array_equal(frame.ids[PREVIOUS], old) and np.array_equal(frame.ids[NEW], truth)
        # Nearer to the first frame the old masks outweigh the new ones; half-way a tie goes to the background.
        assert np.array_equal(
            frame.ids[LINEAR], old if frame.t < 3 else truth if frame.t > 3 else truth * (truth == old)
        )
    assert all(value == (1, 1) for value in scores.scores[NEW].values())
    means = {method: np.mean([value[0] for value in found.values()]) for method, found in scores.scores.items()}
    assert means[PREVIOUS] < means[LINEAR] < means[NEW] and set(scores.scores[NEW]) == {3, 17}


def test_void_is_not_scored(networks, sequence, propagated):
    around_objects = replace(sequence, read_labels=lambda t: np.where(frame_of(0, t)[1] == 0, 255, frame_of(0, t)[1]))
    [(scores, _)] = interacted_pairs(networks[0], {}, around_objects, SETTINGS)
    # The old mask of a square, 13 pixels wide, covers two columns less with each frame; beside the square is void.
    by_frame = {t: (13 - 2 * t) / 13 for t in range(1, 6)}
    assert scores.by_frame[PREVIOUS] == pytest.approx(by_frame)
    assert scores.scores[PREVIOUS][3][0] == pytest.approx(np.mean(list(by_frame.values())))


def test_a_fusion_network_is_given_both_masks_and_the_changes(networks, sequence, propagated):
    propagation, fusion = networks
    given = []

    def fuse(**inputs):
        given.append(inputs)
        return (inputs["new_mask"] - 0.5) * 20

    fusion.forward = fuse
    [(scores, frames)] = interacted_pairs(propagation, {"fused": fusion}, sequence, SETTINGS)
    assert list(scores.scores) == [PREVIOUS, NEW, LINEAR, "fused"]
    assert all(np.array_equal(frame.ids["fused"], frame.ids[NEW]) for frame in frames)
    # Frame 5 is fused first: five sixths of the way from the first frame, one sixth from the second.
    assert given[0]["previous_distance"].tolist() == pytest.approx([5 / 6] * 2)
    assert given[0]["new_distance"].tolist() == pytest.approx([1 / 6] * 2)
    assert given[0]["a_plus"].max() > 0 and given[0]["a_minus"].max() > 0
    # Sides of 48 are multiples of 16 and need no padding.
    assert np.array_equal(given[0]["new_mask"][0, 0].numpy() > 0.5, sequence.read_truth(5) == 3)


def test_pairs_without_an_object_or_without_frames_between_are_passed_over(networks, sequence, propagated):
    short = replace(sequence, frame_names=("00000", "00001"))
    assert list(interacted_pairs(networks[0], {}, short, SETTINGS)) == []
    assert list(interacted_pairs(networks[0], {}, sequence, replace(SETTINGS, min_area=10_000))) == []
    with pytest.raises(EvaluationError, match="no sequence has two interactions"):
        summarise_pairs([])


def test_farthest_takes_the_end_that_is_farther_away(networks, sequence):
    settings = replace(SETTINGS, firsts=(0.0, 0.5, 1.0), second="farthest")
    pairs = [scores for scores, _ in interacted_pairs(networks[0], {}, sequence, settings)]
    assert [(pair.first, pair.second) for pair in pairs] == [(0, 6), (3, 0), (6, 0)]


def test_the_summary_counts_objects_and_compares_with_linear_blending():
    scores = {PREVIOUS: {3: (0.2, 0.1)}, NEW: {3: (0.6, 0.5)}, LINEAR: {3: (0.5, 0.5)}, "fused": {3: (0.9, 0.8)}}
    worse = {method: {17: (0.1, 0.0)} for method in (PREVIOUS, NEW, "fused")} | {LINEAR: {17: (0.3, 0.0)}}
    pairs = [PairScores(sequence="a", first=0, second=5, scores=one) for one in (scores, worse)]
    fused = summarise_pairs(pairs)["fused"]
    assert fused == {
        "J": pytest.approx(0.5),
        "F": pytest.approx(0.4),
        "better_than_linear": 0.5,
        "worse_than_linear": 0.5,
        "objects": 2,
    }


def test_a_finished_sequence_is_taken_over_and_a_damaged_one_computed_again(sequence, propagated, tmp_path):
    path = str(write_tiny_checkpoint(tmp_path / "propagation.pt", "propagation"))
    hashes = {path: sha256_of_file(Path(path))}
    job = FusionJob(propagation=path, hashes=hashes, settings=SETTINGS, folder=tmp_path / "pairs")
    first = run_pairs(job, sequence)
    num_calls = len(propagated)
    (again,) = run_pairs(job, sequence)
    assert len(propagated) == num_calls and again.scores == first[0].scores and again.worst == first[0].worst
    assert again.middle_picture == first[0].middle_picture and again.worst_picture == first[0].worst_picture
    for damage in (tmp_path / "pairs" / "squares.json", tmp_path / "pairs" / "squares" / "0-6-worst.jpg"):
        damage.write_bytes(damage.read_bytes()[:40])
        assert run_pairs(job, sequence)[0].scores == first[0].scores
    assert len(propagated) == 3 * num_calls
    with pytest.raises(EvaluationError, match="min_area was 10, is 20"):
        run_pairs(replace(job, settings=replace(SETTINGS, min_area=20)), sequence)
    other = replace(job, settings=replace(SETTINGS, firsts=(0.5,), second="farthest"), overwrite=True)
    run_pairs(other, sequence)
    assert {path.name for path in (tmp_path / "pairs" / "squares").iterdir()} == {"3-0-middle.jpg", "3-0-worst.jpg"}


def test_the_command_writes_numbers_and_a_sheet(networks, tmp_path):
    files = {}
    for name, network in zip(("propagation", "fusion"), networks, strict=True):
        optimiser = torch.optim.SGD(network.parameters(), 1)
        content = checkpoint_content(network, stage=name, step=1, optimiser=optimiser, window={}, step_settings={})
        files[name] = save_atomically(tmp_path / f"{name}.pt", content)
    root = write_clips(tmp_path / "clips")
    command = Fusion(
        root=str(root), out=tmp_path / "out", propagation=files["propagation"], checkpoint=(f"ours={files['fusion']}",)
    )
    with (
        hold_output_folder(command.out, "fusion"),
        pytest.raises(EvaluationError, match="being written by another run"),
    ):
        evaluate_fusion(command, Console(quiet=True))
    summary = evaluate_fusion(command, Console(quiet=True))
    assert list(summary) == [PREVIOUS, NEW, LINEAR, "ours"] and all(0 <= row["J"] <= 1 for row in summary.values())
    results = json.loads((tmp_path / "out" / "fusion.json").read_text())
    assert results["dataset"]["sequences"] == 1 and len(results["pairs"]) == 3
    assert set(results["pairs"][0]["scores"]["ours"]) <= {str(i) for i in IDS}
    assert (tmp_path / "out" / "fusion.png").stat().st_size > 1000
    page = (tmp_path / "out" / "report.html").read_text()
    assert_whole(page, num_pictures=3)
    text = shown_text(page)
    assert f"J, ours {summary['ours']['J']:.3f} J, linear blending {summary[LINEAR]['J']:.3f}" in text
    assert "3 pairs of interactions" in text and "J between the two interactions" in text
    assert results["propagation_sha256"] == sha256_of_file(files["propagation"])
    # What is handed to other processes must survive the way.
    path = str(files["propagation"])
    hashes = {path: results["propagation_sha256"]}
    job = FusionJob(propagation=path, hashes=hashes, settings=SETTINGS, folder=tmp_path / "here")
    (sequence,) = open_sequences(root, from_first=False).sequences
    far = replace(job, folder=tmp_path / "there")
    (there,), (here,) = (run_pairs(*pickle.loads(pickle.dumps((far, sequence)))), run_pairs(job, sequence))
    assert there.scores == here.scores and np.array_equal(there.picture("worst"), here.picture("worst"))
    # A fusion checkpoint may have any label, that of a file "propagation.pt" too.
    other = replace(command, checkpoint=(f"propagation={files['fusion']}",))
    with pytest.raises(EvaluationError, match=r"holds results of other settings or data \(fusions_sha256\.ours was"):
        evaluate_fusion(other, Console(quiet=True))
    evaluate_fusion(replace(other, overwrite=True), Console(quiet=True))
    results = json.loads((tmp_path / "out" / "fusion.json").read_text())
    assert results["propagation_sha256"] == sha256_of_file(files["propagation"])
    assert results["checkpoints_sha256"] == {"propagation": sha256_of_file(files["fusion"])}
    for changes, said in (
        ({"propagation": files["fusion"]}, "of kind 'fusion', expected 'propagation'"),
        ({"checkpoint": (str(files["propagation"]),)}, "of kind 'propagation', expected 'fusion'"),
        ({"first": (1.5,)}, "give fractions from 0 to 1"),
        ({"min_area": 0}, "give 1 pixel or more"),
        ({"attention_top_k": -1}, "give 1 or more, or 0 for all"),
        ({"pictures": -1}, "--pictures is -1; give .*0"),
        ({"sequence": ("other",)}, "no sequence 'other'"),
    ):
        with pytest.raises(EvaluationError, match=said):
            evaluate_fusion(replace(command, **changes), Console(quiet=True))
