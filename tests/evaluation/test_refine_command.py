"""`vosforge-eval refine`: OSVOS from clicks and from the true mask, and clicks on its worst frame."""

import json

import numpy as np
import pytest
from davis_tree import picture, truth, write_tree
from html_page import assert_whole, shown_text
from tiny_checkpoints import write_tiny_checkpoint
from vosforge.datagen.imaging.images import encode_jpeg, encode_palette_png
from vosforge.datagen.simulation.clicks.clicks import Click
from vosforge.train.evaluation.cli import main
from vosforge.train.evaluation.clicks.refinement import clicked
from vosforge.train.evaluation.output_folder import hold_output_folder


@pytest.fixture
def networks(tmp_path):
    return {kind: write_tiny_checkpoint(tmp_path / f"{kind}.pt", kind) for kind in ("clicknet", "osvos")}


def test_clicks_go_on_from_the_mask_that_is_given():
    labels = np.zeros((40, 60), np.uint8)
    labels[10:20, 20:30], labels[30:] = 1, 255
    start = np.zeros(labels.shape, bool)
    start[10:20, 20:25] = True
    seen = []

    def method(rgb, present, clicks):
        seen.append((present.sum(), tuple(clicks)))
        return labels == 1

    found = clicked(method, np.zeros((40, 60, 3), np.uint8), labels, 1, start, (1, 4))
    assert set(found) == {1, 4} and all(np.array_equal(one.mask, labels == 1) for one in found.values())
    (area, clicks), *more = seen
    assert found[1].clicks == found[4].clicks == clicks
    assert not more, "nothing is left to click on"
    assert area == 50 and clicks[0].positive and isinstance(clicks[0], Click) and clicks[0].x > 25


def refine(root, out, networks, *more):
    few = ["--tuning-iterations", 2, "--first-clicks", 2, "--clicks", 1, "--clicks", 3, "--device", "cpu"]
    given = ["--root", root, "--out", out, "--clicknet", networks["clicknet"], "--osvos", networks["osvos"]]
    return main([str(one) for one in ["refine", *given, *few, *more]])


def test_every_object_has_a_row_and_the_table_its_means(networks, tmp_path, capsys):
    root = write_tree(tmp_path / "davis", {"one": 1, "two": 2}, num_frames=3)
    with hold_output_folder(tmp_path / "out", "refine"):
        assert refine(root, tmp_path / "out", networks) == 2
    assert "out is being written by another run" in capsys.readouterr().err
    assert refine(root, tmp_path / "out", networks) == 0
    results = json.loads((tmp_path / "out/results.json").read_text())
    assert [(row["sequence"], row["object_id"]) for row in results["objects"]] == [("one", 1), ("two", 1), ("two", 2)]
    for row in results["objects"]:
        by_frame = dict(zip(row["frames"], row["by_frame"]["from_clicks"], strict=True))
        assert set(by_frame) == {1, 2} and row["from_clicks"] == pytest.approx(np.mean(list(by_frame.values())))
        assert row["worst"] == by_frame[row["worst_frame"]] == min(by_frame.values())
        assert set(row["refined"]) == {"clicknet", "grabcut"} and set(row["refined"]["clicknet"]) == {"1", "3"}
    means = results["means"]
    assert means["from_truth"] == pytest.approx(np.mean([row["from_truth"] for row in results["objects"]]))
    printed = capsys.readouterr().out
    assert "worst frame after 3 clicks, clicknet" in printed and "OSVOS from the true mask" in printed
    page = (tmp_path / "out/report.html").read_text()
    assert_whole(page, num_pictures=3)
    text = shown_text(page)
    assert f"OSVOS from clicks {means['from_clicks']:.3f}" in text and "3 in 2 sequences" in text
    assert "The worst frame under clicks" in text and "J over the video" in text


def test_finished_sequences_are_kept_and_a_damaged_one_is_computed_again(networks, tmp_path, capsys):
    out = tmp_path / "out"
    root = write_tree(tmp_path / "davis", {"one": 1, "two": 1}, num_frames=3)
    assert refine(root, out, networks) == 0
    before = (out / "results.json").read_bytes()
    files = [out / "sequences/one.json", out / "sequences/two.json", out / "strips/one-1.jpg", out / "strips/two-1.jpg"]
    times = [path.stat().st_mtime_ns for path in files]
    files[1].write_text(files[1].read_text()[:-40])
    assert refine(root, out, networks) == 0
    after = [path.stat().st_mtime_ns for path in files]
    assert [new != old for new, old in zip(after, times, strict=True)] == [False, True, False, True]
    assert (out / "results.json").read_bytes() == before
    files[2].write_bytes(b"")
    assert refine(root, out, networks) == 0
    assert files[0].stat().st_mtime_ns != after[0] and files[1].stat().st_mtime_ns == after[1]
    assert (out / "results.json").read_bytes() == before


def test_results_of_other_settings_or_another_truth_are_refused(networks, tmp_path, capsys):
    out = tmp_path / "out"
    root = write_tree(tmp_path / "davis", {"one": 1}, num_frames=3)
    assert refine(root, out, networks) == 0
    for more, said in (
        (("--first-clicks", 3), "first_clicks was 2, is 3"),
        (("--clicks", 2), "clicks was [1, 3], is [1, 2, 3]"),
        (("--tuning-iterations", 1), "tuning.iterations was 2, is 1"),
        (("--short-side", 32), "methods was"),
        (("--no-grabcut",), "methods was"),
        (("--osvos", write_tiny_checkpoint(tmp_path / "other.pt", "osvos", seed=1)), "osvos_sha256 was"),
        (("--clicknet", write_tiny_checkpoint(tmp_path / "more.pt", "clicknet", seed=1)), "methods was"),
    ):
        assert refine(root, out, networks, *more) == 2
        error = capsys.readouterr().err
        assert said in error and "--overwrite" in error and error.count("\n") == 1
    (root / "Annotations/480p/one/00002.png").write_bytes(encode_palette_png(truth(1)))
    assert refine(root, out, networks) == 2
    assert "data_sha256 was" in capsys.readouterr().err
    assert refine(root, out, networks, "--overwrite") == 0


@pytest.mark.slow
def test_two_workers_of_refine_find_the_same(networks, tmp_path):
    root = write_tree(tmp_path / "davis", {"one": 1, "two": 1}, num_frames=3)
    assert refine(root, tmp_path / "one", networks) == 0
    assert refine(root, tmp_path / "two", networks, "--workers", 2, "--executor", "local") == 0
    found = [json.loads((tmp_path / out / "results.json").read_text()) for out in ("one", "two")]
    assert found[0] == found[1]


def test_a_frame_of_another_size_is_named(networks, tmp_path, capsys):
    root = write_tree(tmp_path / "davis", {"one": 1}, num_frames=3)
    (root / "JPEGImages/480p/one/00001.jpg").write_bytes(encode_jpeg(picture(1)[:40]))
    assert refine(root, tmp_path / "out", networks) == 2
    error = capsys.readouterr().err
    assert "frame 00001 is 64x40, its annotation 64x48" in error and error.count("\n") == 1


def test_mistakes_of_refine_are_told_in_one_line(networks, tmp_path, capsys):
    root = write_tree(tmp_path / "davis", {"one": 1}, num_frames=3)
    for more, said in (
        (("--osvos", tmp_path / "none.pt"), "--osvos"),
        (("--clicknet", networks["osvos"]), "kind 'osvos'"),
        (("--clicknet", write_tiny_checkpoint(tmp_path / "s2m.pt", "s2m")), "kind 's2m'; give one of clicknet"),
        (("--short-side", 3), "short_side is 3; give"),
        (("--pictures", -1), "--pictures is -1; give 0 or more"),
        (("--clicks", 0), "--clicks is 0; give 1 or more"),
        (("--tuning-iterations", -1), "--tuning-iterations is -1"),
    ):
        assert refine(root, tmp_path / "out", networks, *more) == 2
        error = capsys.readouterr().err
        assert said in error and error.count("\n") == 1
