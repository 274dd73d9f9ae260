"""`vosforge-eval refine`: OSVOS from clicks and from the true mask, and clicks on its worst frame."""

import json
from dataclasses import asdict

import numpy as np
import pytest
import torch
from davis_tree import write_tree
from vosforge.datagen.simulation.clicks.clicks import Click
from vosforge.train.evaluation.cli import main
from vosforge.train.evaluation.clicks.refinement import clicked
from vosforge.train.networks import KINDS


@pytest.fixture
def networks(tmp_path):
    found = {}
    for kind in ("clicknet", "osvos"):
        torch.manual_seed(0)
        network = KINDS[kind].named("tiny")
        found[kind] = tmp_path / f"{kind}.pt"
        content = {"schema": 1, "stage": kind, "kind": kind, "size": asdict(network.size), "step": 0}
        torch.save(content | {"network": network.state_dict()}, found[kind])
    return found


def test_clicks_go_on_from_the_mask_that_is_given():
    labels = np.zeros((40, 60), np.uint8)
    labels[10:20, 20:30], labels[30:] = 1, 255
    start = np.zeros(labels.shape, bool)
    start[10:20, 20:25] = True
    seen = []

    def method(rgb, present, clicks):
        seen.append((present.sum(), tuple(clicks)))
        return labels == 1

    masks = clicked(method, np.zeros((40, 60, 3), np.uint8), labels, 1, start, (1, 4))
    assert set(masks) == {1, 4} and all(np.array_equal(mask, labels == 1) for mask in masks.values())
    (area, clicks), *more = seen
    assert not more, "nothing is left to click on"
    assert area == 50 and clicks[0].positive and isinstance(clicks[0], Click) and clicks[0].x > 25


def refine(root, out, networks, *more):
    few = ["--tuning-iterations", 2, "--first-clicks", 2, "--clicks", 1, "--clicks", 3, "--device", "cpu"]
    given = ["--root", root, "--out", out, "--clicknet", networks["clicknet"], "--osvos", networks["osvos"]]
    return main([str(one) for one in ["refine", *given, *few, *more]])


def test_every_object_has_a_row_and_the_table_its_means(networks, tmp_path, capsys):
    root = write_tree(tmp_path / "davis", {"one": 1, "two": 2}, num_frames=3)
    assert refine(root, tmp_path / "out", networks) == 0
    results = json.loads((tmp_path / "out/results.json").read_text())
    assert [(row["sequence"], row["object_id"]) for row in results["objects"]] == [("one", 1), ("two", 1), ("two", 2)]
    for row in results["objects"]:
        assert row["worst_frame"] in (1, 2) and row["worst"] <= row["from_clicks"] + 1e-9
        assert set(row["refined"]) == {"clicknet", "grabcut"} and set(row["refined"]["clicknet"]) == {"1", "3"}
    means = results["means"]
    assert means["from_truth"] == pytest.approx(np.mean([row["from_truth"] for row in results["objects"]]))
    printed = capsys.readouterr().out
    assert "worst frame after 3 clicks, click network" in printed and "OSVOS from the true mask" in printed


def test_mistakes_of_refine_are_told_in_one_line(networks, tmp_path, capsys):
    root = write_tree(tmp_path / "davis", {"one": 1}, num_frames=3)
    for more, said in (
        (("--osvos", tmp_path / "none.pt"), "--osvos"),
        (("--clicknet", networks["osvos"]), "kind"),
        (("--tuning-iterations", -1), "--tuning-iterations is -1"),
    ):
        assert refine(root, tmp_path / "out", networks, *more) == 2
        error = capsys.readouterr().err
        assert said in error and error.count("\n") == 1
