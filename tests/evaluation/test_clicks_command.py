"""The command `vosforge-eval clicks` as a user meets it."""

import csv
import json
import shutil

import numpy as np
import pytest
from davis_tree import picture, truth, write_tree
from html_page import assert_whole, text_of
from PIL import Image
from vosforge.datagen.imaging.images import encode_jpeg, encode_palette_png
from vosforge.train.evaluation.cli import main
from vosforge.train.evaluation.clicks import work

NAMES = ("a", "b")


@pytest.fixture
def berkeley(tmp_path):
    """Two small pictures, each with a square."""
    root = tmp_path / "Berkeley"
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True)
    for t, name in enumerate(NAMES):
        (root / f"images/{name}.jpg").write_bytes(encode_jpeg(picture(t)))
        Image.fromarray((truth(t) > 0).astype(np.uint8) * 255).save(root / f"masks/{name}.png")
    return root


def clicks(root, out, *more) -> int:
    small = ("--max-clicks", "4", "--click-radius", "1.5")
    return main(["clicks", "--root", str(root), "--out", str(out), *small, *map(str, more)])


def results_of(out):
    return json.loads((out / "results.json").read_text())


def without_times(results):
    for method in results["methods"].values():
        for one in method["strategies"].values():
            del one["seconds_per_click"]
    return results


def one_line(capsys) -> str:
    error = capsys.readouterr().err
    assert error.startswith("vosforge-eval: ") and error.count("\n") == 1, error
    return error


def test_grabcut_leaves_a_table_numbers_rows_and_a_page(berkeley, tmp_path, capsys):
    out = tmp_path / "out"
    assert clicks(berkeley, out) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "2 pictures, 2 objects" in printed and "NoC@90" in printed and "random" in printed
    results = results_of(out)
    assert results["dataset"]["layout"] == "berkeley" and results["settings"]["targets"] == [0.85, 0.9]
    strategies = results["methods"]["grabcut"]["strategies"]
    assert list(strategies) == ["farthest-point", "random"]
    one = strategies["farthest-point"]
    assert 1 <= one["NoC@85"] <= one["NoC@90"] <= 4 and len(one["mIoU"]) == 4
    assert sum(one["histogram@90"]) + one["NoF@90"] == 2

    with (out / "clicks.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["strategy"], row["picture"]) for row in rows] == [
        (strategy, name) for strategy in strategies for name in NAMES
    ]
    means = np.mean([int(row["NoC@90"]) for row in rows if row["strategy"] == "farthest-point"])
    assert means == pytest.approx(one["NoC@90"])
    assert all(int(row["reached@90"]) == (float(last_iou(row)) >= 0.9) for row in rows)

    page = (out / "report.html").read_text()
    assert_whole(page, num_pictures=2)
    assert "Objects by number of clicks to 85 % IoU" in text_of(page)


def last_iou(row) -> str:
    return [row[f"IoU@{number}"] for number in range(1, 5) if row[f"IoU@{number}"]][-1]


def test_the_mask_files_have_the_iou_that_the_rows_tell(berkeley, tmp_path):
    out = tmp_path / "out"
    assert clicks(berkeley, out, "--strategies", "random") == 0
    with (out / "clicks.csv").open() as file:
        row = next(csv.DictReader(file))
    place = out / "runs/grabcut/random"
    number = len(json.loads((place / "a.json").read_text())["objects"][0]["clicks"])
    mask = work.read_mask(place / f"a/1-{number:02d}.png")
    square = truth(0) > 0
    assert (mask & square).sum() / (mask | square).sum() == pytest.approx(float(last_iou(row)), abs=1e-6)


def test_finished_pictures_are_not_clicked_again_unless_asked(berkeley, tmp_path, monkeypatch):
    out = tmp_path / "out"
    assert clicks(berkeley, out) == 0
    first = results_of(out)
    (out / "runs/grabcut/random/b.json").unlink()
    clicked = []
    real = work.click_until_good

    def counted(method, one, strategy, settings):
        clicked.append((one.picture, strategy))
        return real(method, one, strategy, settings)

    monkeypatch.setattr(work, "click_until_good", counted)
    assert clicks(berkeley, out) == 0
    assert clicked == [("b", "random")] and without_times(results_of(out)) == without_times(first)
    clicked.clear()
    (out / "runs/grabcut/random/a/1-01.png").unlink()
    assert clicks(berkeley, out) == 0
    assert clicked == [("a", "random")], "a mask was gone"
    clicked.clear()
    assert clicks(berkeley, out, "--seed", 1, "--strategies", "random") == 0
    assert clicked == [("a", "random"), ("b", "random")], "of another seed nothing is taken over"
    clicked.clear()
    assert clicks(berkeley, out, "--seed", 1, "--strategies", "random", "--overwrite") == 0
    assert len(clicked) == 2


def objects_clicked(out):
    first = results_of(out)["methods"]["grabcut"]["strategies"]["random"]
    return [(one["picture"], one["object"], one["ious"]) for one in first["objects"]]


@pytest.mark.parametrize("content", [b"[]", b"3", b"", b'{"digest": 1}'])
def test_damaged_results_are_clicked_again(berkeley, tmp_path, content):
    out = tmp_path / "out"
    assert clicks(berkeley, out, "--strategies", "random") == 0
    first, whole = objects_clicked(out), (out / "runs/grabcut/random/a.json").read_text()
    broken = whole.replace('"ious"', '"lost"').encode() if content == b"" else content
    (out / "runs/grabcut/random/a.json").write_bytes(broken)
    (out / "runs/grabcut/random/b/1-01.png").write_bytes(b"")
    assert clicks(berkeley, out, "--strategies", "random") == 0
    assert objects_clicked(out) == first
    assert work.read_mask(out / "runs/grabcut/random/b/1-01.png").shape == (48, 64)


def test_results_of_another_truth_are_not_taken_over(berkeley, tmp_path):
    out, only = tmp_path / "out", ("--strategies", "random")
    assert clicks(berkeley, out, *only) == 0
    Image.fromarray((truth(3, 2) > 0).astype(np.uint8) * 255).save(berkeley / "masks/a.png")
    assert clicks(berkeley, out, *only) == clicks(berkeley, tmp_path / "fresh", *only) == 0
    assert objects_clicked(out) == objects_clicked(tmp_path / "fresh")


def test_results_of_another_year_are_not_taken_over(tmp_path):
    tree = write_tree(tmp_path / "tree", {"two": 2})
    shutil.copytree(tree / "ImageSets/2017", tree / "ImageSets/2016")
    out, only = tmp_path / "out", ("--strategies", "random", "--frames-per-sequence", 1)
    assert clicks(tree, out, *only, "--year", 2017) == 0
    assert len(objects_clicked(out)) == 2
    assert clicks(tree, out, *only, "--year", 2016) == clicks(tree, tmp_path / "fresh", *only, "--year", 2016) == 0
    assert objects_clicked(out) == objects_clicked(tmp_path / "fresh")


def test_a_picture_and_a_folder_may_have_one_name(tmp_path):
    root = tmp_path / "pairs"
    for name in ("a", "a/b"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / f"{name}.jpg").write_bytes(encode_jpeg(picture(0)))
        (root / f"{name}.png").write_bytes(encode_palette_png(truth(0)))
    out, only = tmp_path / "out", ("--strategies", "random", "--layout", "pairs")
    assert clicks(root, out, *only) == clicks(root, out, *only, "--overwrite") == 0
    assert sorted(name for name, *_ in objects_clicked(out)) == ["a", "a/b"]
    place = out / "runs/grabcut/random"
    assert all((place / name).is_file() for name in ("a.json", "a/1-01.png", "a/b.json", "a/b/1-01.png"))


def test_two_workers_find_the_same_numbers(berkeley, tmp_path):
    assert clicks(berkeley, tmp_path / "one") == 0
    assert clicks(berkeley, tmp_path / "two", "--workers", 2, "--executor", "local") == 0
    assert without_times(results_of(tmp_path / "one")) == without_times(results_of(tmp_path / "two"))


def test_an_s2m_checkpoint_is_scored_beside_grabcut(berkeley, tmp_path, capsys):
    pytest.importorskip("torch")
    from tiny_checkpoints import write_tiny_checkpoint

    path = write_tiny_checkpoint(tmp_path / "tiny.pt", "s2m")
    out = tmp_path / "out"
    assert clicks(berkeley, out, "--checkpoint", f"ours={path}", "--target", 0.5, "--strategies", "random") == 0
    methods = results_of(out)["methods"]
    assert list(methods) == ["ours", "grabcut"] and "NoC@50" in methods["ours"]["strategies"]["random"]
    assert "ours" in capsys.readouterr().out
    assert clicks(berkeley, tmp_path / "alone", "--checkpoint", path, "--no-grabcut") == 0
    assert list(results_of(tmp_path / "alone")["methods"]) == ["tiny"]


def test_mistakes_of_clicks_are_told_in_one_line(berkeley, tmp_path, capsys):
    out = tmp_path / "out"
    assert clicks(berkeley, out, "--no-grabcut") == 2
    assert "give --checkpoint FILE" in one_line(capsys)
    assert clicks(berkeley, out, "--strategies", "nearest") == 2
    assert "no strategy 'nearest'; choose from farthest-point, random" in one_line(capsys)
    assert clicks(berkeley, out, "--target", 85) == 2
    assert "shares of 1" in one_line(capsys)
    assert clicks(berkeley, out, "--min-object-area", 5000) == 2
    assert "shows an object of 5000 pixels" in one_line(capsys)
    assert clicks(berkeley, berkeley / "masks/a.png") == 2
    assert "is a file; give a folder" in one_line(capsys)
    assert clicks(berkeley, berkeley / "results") == 2
    assert "is where the pictures lie" in one_line(capsys)
    assert clicks(berkeley, berkeley) == 2
    assert "no results of vosforge-eval clicks; give a new or empty folder" in one_line(capsys)
    assert clicks(berkeley, out, "--click-radius", 0) == 2
    assert "--click-radius is 0" in one_line(capsys)
    assert clicks(berkeley, out, "--click-radius", "inf") == 2
    assert "--click-radius is inf" in one_line(capsys)
    assert clicks(berkeley, out, "--seed", -1) == 2
    assert "seed is -1; give 0 or more" in one_line(capsys)
    assert clicks(berkeley, out, "--frames-per-sequence", 0) == 2
    assert "--frames-per-sequence is 0; give 1 or more" in one_line(capsys)
    assert clicks(tmp_path / "none", out) == 2
    assert "is missing; expected GrabCut" in one_line(capsys)
    assert not (out / "results.json").exists()
