"""The command as a user meets it: files, tables, exit codes, one-line errors."""

import csv
import json
import subprocess
import sys

import numpy as np
import pytest
from davis_tree import NUM_FRAMES, truth, write_tree
from PIL import Image
from vosforge.datagen.imaging.images import encode_palette_png
from vosforge.train.evaluation.cli import main
from vosforge.train.evaluation.output_folder import hold_output_folder, remove_partial_folders, whole_folder


@pytest.fixture
def tree(tmp_path):
    return write_tree(tmp_path / "tree", {"one": 1, "two": 2})


def davis(root, out, *more) -> int:
    return main(["davis", "--root", str(root), "--out", str(out), *map(str, more)])


def one_line_error(capsys) -> str:
    error = capsys.readouterr().err
    assert error.startswith("vosforge-eval: ")
    assert error.count("\n") == 1, error
    return error


def test_baselines_alone_need_no_checkpoint_and_leave_scores_masks_csvs_and_pictures(tree, tmp_path, capsys):
    out = tmp_path / "out"
    assert davis(tree, out, "--baselines", "copy-first-mask,dis-flow") == 0
    printed = capsys.readouterr().out
    assert "copy-first-mask" in printed
    assert "object 2" in printed
    results = json.loads((out / "results.json").read_text())
    assert set(results["methods"]) == {"copy-first-mask", "dis-flow"}
    assert results["dataset"]["num_objects"] == 3
    copied = results["methods"]["copy-first-mask"]
    overlaps = [(12 - t) / (12 + t) for t in range(1, NUM_FRAMES - 1)]
    assert copied["global"]["J-Mean"] == pytest.approx(np.mean(overlaps), abs=1e-12)
    assert copied["sequences"]["two"]["objects"]["2"]["J-Mean"] == pytest.approx(np.mean(overlaps), abs=1e-12)

    folder = out / "methods/copy-first-mask"
    assert len(list((folder / "masks/two").glob("*.png"))) == NUM_FRAMES
    header, row = csv.reader((folder / "global_results-val.csv").open())
    assert header == ["J&F-Mean", "J-Mean", "J-Recall", "J-Decay", "F-Mean", "F-Recall", "F-Decay"]
    assert row[1] == f"{np.mean(overlaps):.3f}"
    rows = list(csv.reader((folder / "per-sequence_results-val.csv").open()))
    assert [row[0] for row in rows] == ["Sequence", "one_1", "two_1", "two_2"]
    for name in ("one", "one-J", "two", "two-J"):
        with Image.open(out / f"pictures/{name}.png") as image:
            assert min(image.size) > 100


def test_checkpoint_its_untrained_twin_and_the_baseline_stand_in_one_table(tree, tmp_path, capsys):
    pytest.importorskip("torch")
    from tiny_checkpoints import write_tiny_checkpoint

    checkpoint = write_tiny_checkpoint(tmp_path / "last.pt", "propagation", seed=1)
    out = tmp_path / "out"
    assert davis(tree, out, "--checkpoint", f"trained={checkpoint}", "--untrained", "--device", "cpu") == 0
    printed = capsys.readouterr().out
    assert all(label in printed for label in ("trained", "untrained", "copy-first-mask"))
    results = json.loads((out / "results.json").read_text())
    assert list(results["methods"]) == ["trained", "untrained", "copy-first-mask"]
    assert len(results["methods"]["trained"]["checkpoint_sha256"]) == 64
    assert results["methods"]["trained"]["top_k"] == 50
    assert len(list((out / "masks/two").glob("*.png"))) == NUM_FRAMES
    assert (out / "global_results-val.csv").is_file()
    assert davis(tree, out, "--checkpoint", f"trained={checkpoint}", "--memory-every", 3, "--device", "cpu") == 2
    assert "memory_every was 5, is 3" in one_line_error(capsys)


def test_corpus_is_scored_on_its_held_out_clips(tiny_corpus, tmp_path):
    assert davis(tiny_corpus, tmp_path / "out") == 0
    results = json.loads((tmp_path / "out/results.json").read_text())
    assert set(results["methods"]["copy-first-mask"]["sequences"]) == {"tiny-000002", "tiny-000005"}


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--baselines", "none"], "nothing to score"),
        (["--baselines", "magic"], "no baseline 'magic'; choose from copy-first-mask, dis-flow"),
        (["--checkpoint", "nowhere.pt"], "checkpoint nowhere.pt is missing"),
        (["--untrained"], "--untrained needs --checkpoint"),
        (["--sequence", "three"], "no sequence 'three'"),
        (["--split", "test"], "choose --split from: val"),
        (["--pictures", "-1"], "--pictures -1: give 0 or more"),
        (["--protocol", "youtube-vos"], "is a DAVIS tree"),
        (["--train-meta", "none.json"], "none.json is missing"),
        (["--workers", "0"], "--workers 0"),
        (["--gpus-per-task", "1"], "--gpus-per-task 1 without a GPU"),
    ],
)
def test_mistakes_end_with_code_2_and_one_line(tree, tmp_path, capsys, flags, message):
    assert davis(tree, tmp_path / "out", *flags) == 2
    assert message in one_line_error(capsys)


def test_file_that_is_no_checkpoint_is_named(tree, tmp_path, capsys):
    pytest.importorskip("torch")
    (tmp_path / "notes.pt").write_bytes(b"not a network")
    assert davis(tree, tmp_path / "out", "--checkpoint", tmp_path / "notes.pt") == 2
    assert "notes.pt" in one_line_error(capsys)


def test_results_do_not_go_into_a_tree_or_corpus(tree, tmp_path, capsys):
    assert davis(tree, tree) == 2
    assert "holds data (JPEGImages)" in one_line_error(capsys)
    before = sorted(tree.rglob("*"))
    (tmp_path / "link").symlink_to(tree / "Annotations/480p")
    for place in (tree / "JPEGImages", tree / "Annotations/480p", tree / "deep/results", tmp_path / "link"):
        assert davis(tree, place) == 2
        assert f"lies among the data in {tree} (JPEGImages)" in one_line_error(capsys)
    assert sorted(tree.rglob("*")) == before


def test_help_is_quick_and_needs_no_torch(tmp_path):
    code = (
        "import sys\n"
        "from vosforge.train.evaluation.cli import main\n"
        "try:\n    main(['davis', '--help'])\n"
        "finally:\n    sys.stderr.write(str({'torch', 'cv2', 'numpy'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert found.returncode == 0
    assert "--checkpoint" in found.stdout
    assert found.stderr == "set()"


def test_fault_of_the_program_ends_with_code_1_its_traceback_and_what_is_kept(tree, tmp_path, capsys, monkeypatch):
    from vosforge.train.evaluation import baselines

    def broken(sequence, given):
        yield given[0]
        raise ZeroDivisionError("by accident")

    monkeypatch.setitem(baselines.BASELINES, "copy-first-mask", broken)
    assert davis(tree, tmp_path / "out") == 1
    error = capsys.readouterr().err
    assert "in broken" in error
    assert error.splitlines()[-1].startswith("vosforge-eval: 2 of 2 failed, first copy-first-mask, one: ZeroDivision")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("davis", "--out", "out"), "the same command goes on after what is finished"),
        (("masks", "--results", "masks"), "nothing is kept, the same command begins anew"),
    ],
)
def test_a_command_that_is_stopped_tells_what_is_kept(tree, capsys, monkeypatch, arguments, words):
    def stopped(*given):
        raise KeyboardInterrupt

    for place in ("davis.evaluate_davis", "masks.evaluate_masks"):
        monkeypatch.setattr(f"vosforge.train.evaluation.{place}", stopped)
    assert main([arguments[0], "--root", str(tree), *arguments[1:]]) == 130
    assert one_line_error(capsys) == f"vosforge-eval: stopped; {words}\n"


HOLD = """
import sys
from pathlib import Path
from vosforge.train.evaluation.output_folder import hold_output_folder, whole_folder
with hold_output_folder(Path(sys.argv[1]), sys.argv[3]), whole_folder(Path(sys.argv[1], sys.argv[2], "one")) as partial:
    (partial / "00000.png").write_bytes(b"half")
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize(
    ("command", "masks"),
    [
        (("davis",), "methods/copy-first-mask/masks"),
        (("davis", "--masks-only"), "methods/copy-first-mask/masks"),
        (("interactive", "--systems", "copy", "--interactions", "1", "--keep-masks"), "copy/masks/1"),
    ],
)
def test_one_run_at_a_time_writes_to_a_folder_and_a_killed_one_leaves_nothing_in_the_way(
    tree, tmp_path, capsys, command, masks
):
    name, *flags = command
    arguments = [name, "--root", str(tree), "--out", str(tmp_path / "out"), *flags]
    code = [sys.executable, "-c", HOLD, str(tmp_path / "out"), masks, name]
    with subprocess.Popen(code, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"held\n"
        assert main(arguments) == 2
        assert "out is being written by another run; wait for it, or give another --out" in one_line_error(capsys)
        other.kill()
    folder = tmp_path / "out" / masks
    assert [path.name[:12] for path in folder.iterdir()] == [".one.partial"]
    assert main(arguments) == main(arguments) == 0
    assert sorted(path.name for path in folder.iterdir()) == ["one", "two"]
    assert len(list((folder / "one").iterdir())) == NUM_FRAMES


@pytest.mark.parametrize("command", ["masks", "clicks", "rounds"])
def test_commands_of_short_runs_hold_their_folder_too(tree, tmp_path, capsys, command):
    flags = {"masks": ("--results", tree / "Annotations/480p"), "rounds": ("--grabcut",)}.get(command, ())
    arguments = [command, "--root", str(tree), "--out", str(tmp_path / "out"), *map(str, flags)]
    with hold_output_folder(tmp_path / "out", command):
        assert main(arguments) == 2
    assert "out is being written by another run" in one_line_error(capsys)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {".lock", "evaluation.json"}


@pytest.mark.parametrize("command", ["davis", "masks", "interactive", "clicks", "rounds"])
def test_a_folder_of_anything_else_is_left_as_it_is(tree, tmp_path, capsys, command):
    flags = {"masks": ("--results", tree / "Annotations/480p"), "rounds": ("--grabcut",)}.get(command, ())
    arguments = [command, "--root", str(tree), "--out", str(tmp_path / "out"), *map(str, flags)]
    (tmp_path / "out").mkdir()
    notes = tmp_path / "out" / "notes.txt"
    notes.write_text("a year of work")
    assert main(arguments) == 2
    assert f"out holds notes.txt, no results of vosforge-eval {command}; give a new" in one_line_error(capsys)
    assert list((tmp_path / "out").iterdir()) == [notes]
    notes.unlink()
    with hold_output_folder(tmp_path / "out", "fusion"):
        pass
    assert main(arguments) == 2
    assert f"holds results of vosforge-eval fusion, not of {command}; give another folder" in one_line_error(capsys)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {".lock", "evaluation.json"}


def test_a_folder_that_is_whole_takes_the_place_of_what_another_process_put_there(tmp_path):
    target = tmp_path / "masks/one"
    with whole_folder(target) as late:
        with whole_folder(target) as early:
            assert early != late
            (early / "early.png").touch()
        assert [path.name for path in target.iterdir()] == ["early.png"]
        (late / "late.png").touch()
    assert [path.name for path in target.iterdir()] == ["late.png"]
    with pytest.raises(KeyboardInterrupt), whole_folder(target) as never:
        (never / "never.png").touch()
        raise KeyboardInterrupt
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.png")] == ["masks/one/late.png"]
    assert [path.name for path in target.parent.iterdir()] == ["one"]
    remove_partial_folders(tmp_path / "not/there")


def test_list_that_is_no_text_is_named(tree, tmp_path, capsys):
    (tree / "ImageSets/2017/val.txt").write_bytes(b"\xff\xfe\x00one")
    assert davis(tree, tmp_path / "out") == 2
    assert "val.txt is not a list of sequences" in one_line_error(capsys)


class TestMasks:
    """`vosforge-eval masks`: PNGs by anyone."""

    @pytest.fixture
    def results(self, tmp_path):
        for name, num_objects in (("one", 1), ("two", 2)):
            folder = tmp_path / "results" / name
            folder.mkdir(parents=True)
            for t in range(1, NUM_FRAMES - 1):
                (folder / f"{t:05d}.png").write_bytes(encode_palette_png(truth(t, num_objects)))
        return tmp_path / "results"

    def run(self, tree, results, *more) -> int:
        return main(["masks", "--root", str(tree), "--results", str(results), *map(str, more)])

    def test_truth_scores_one_without_the_unscored_ends(self, tree, results, tmp_path):
        assert self.run(tree, results, "--json", tmp_path / "scores.json") == 0
        scores = json.loads((tmp_path / "scores.json").read_text())
        assert scores["global"]["J&F-Mean"] == 1
        assert set(scores["sequences"]["two"]["objects"]) == {"1", "2"}

    def test_own_masks_score_as_the_command_that_wrote_them(self, tree, tmp_path):
        assert davis(tree, tmp_path / "out") == 0
        masks = tmp_path / "out/methods/copy-first-mask/masks"
        assert self.run(tree, masks, "--json", tmp_path / "scores.json") == 0
        known = json.loads((tmp_path / "out/results.json").read_text())["methods"]["copy-first-mask"]["global"]
        assert json.loads((tmp_path / "scores.json").read_text())["global"] == known

    def test_numbers_stand_at_the_top_of_the_file_at_full_precision(self, tree, results, tmp_path):
        (results / "one/00002.png").write_bytes(encode_palette_png(truth(3)))
        assert self.run(tree, results, "--json", tmp_path / "deep/scores.json") == 0
        scores = json.loads((tmp_path / "deep/scores.json").read_text())
        assert scores["J-Mean"] == pytest.approx((1 - (1 - 11 / 13) / 4 + 2) / 3, abs=1e-15)
        assert set(scores) >= {"J&F-Mean", "J-Mean", "J-Recall", "J-Decay", "F-Mean", "F-Recall", "F-Decay"}
        assert set(scores["sequences"]["two"]) >= {"J&F-Mean", "J-Decay", "objects"}

    def test_report_and_the_official_tables_lie_beside_the_masks_or_where_asked(self, tree, results, tmp_path):
        written = {"report.html", "results.json", "global_results-val.csv", "per-sequence_results-val.csv"}
        assert self.run(tree, results) == 0
        assert written <= {path.name for path in results.iterdir()}
        assert self.run(tree, results, "--out", tmp_path / "elsewhere") == 0
        assert written == {path.name for path in (tmp_path / "elsewhere").iterdir()} - {".lock", "evaluation.json"}
        assert self.run(tree, results, "--out", results) == 0

    def test_nothing_is_written_into_the_tree(self, tree, tmp_path, capsys):
        truth_as_results = tree / "Annotations/480p"
        assert self.run(tree, truth_as_results, "--json", tmp_path / "scores.json") == 0
        assert json.loads((tmp_path / "scores.json").read_text())["J-Mean"] == 1
        assert "no report" in capsys.readouterr().out
        assert {path.name for path in truth_as_results.iterdir()} == {"one", "two"}
        assert self.run(tree, truth_as_results, "--out", tree) == 2
        assert "holds data (JPEGImages)" in one_line_error(capsys)

    @pytest.mark.parametrize(
        ("flag", "place", "message"),
        [("--json", "", "is a folder"), ("--json", "file/scores.json", "is a file"), ("--out", "file", "is a file")],
    )
    def test_place_that_cannot_be_written_is_told_before_anything_is_scored(
        self, tree, results, tmp_path, capsys, flag, place, message
    ):
        (tmp_path / "file").write_text("")
        assert self.run(tree, results, flag, tmp_path / place) == 2
        assert message in one_line_error(capsys)
        assert not (results / "results.json").exists()

    def test_void_of_the_truth_is_scored_neither_for_nor_against(self, tree, results, tmp_path):
        ids = truth(2)
        ids[30:, :] = 255
        (tree / "Annotations/480p/one/00002.png").write_bytes(encode_palette_png(ids))
        predicted = truth(2)
        predicted[30:, 10:] = 1
        (results / "one/00002.png").write_bytes(encode_palette_png(predicted))
        assert self.run(tree, results, "--json", tmp_path / "scores.json") == 0
        assert json.loads((tmp_path / "scores.json").read_text())["J&F-Mean"] == 1

    @pytest.mark.slow
    def test_two_processes_score_as_one(self, tree, results, tmp_path):
        for name, more in (("one", []), ("two", ["--workers", 2, "--executor", "local"])):
            assert self.run(tree, results, "--out", tmp_path / name, *more) == 0
        first, second = (json.loads((tmp_path / name / "results.json").read_text()) for name in ("one", "two"))
        assert first == second

    @pytest.mark.parametrize("end", ["00000.png", "00005.png"])
    def test_ends_are_needed_when_they_are_scored(self, tree, results, capsys, end):
        other = {"00000.png": "00005.png", "00005.png": "00000.png"}[end]
        for name, num_objects in (("one", 1), ("two", 2)):
            (results / name / other).write_bytes(encode_palette_png(truth(int(other[:5]), num_objects)))
        assert self.run(tree, results, "--include-ends") == 2
        assert f"first {end}" in one_line_error(capsys)

    def test_missing_frame_is_named(self, tree, results, capsys):
        (results / "two/00003.png").unlink()
        assert self.run(tree, results) == 2
        assert "two lacks 1 of 4 scored frames, first 00003.png" in one_line_error(capsys)

    def test_missing_sequence_is_named(self, tree, results, capsys):
        (results / "two").rename(results / "too")
        assert self.run(tree, results) == 2
        assert "no folder for sequence two" in one_line_error(capsys)

    @pytest.mark.parametrize("extra", [2, 255])
    def test_extra_id_is_named(self, tree, results, capsys, extra):
        ids = truth(2)
        ids[40, 40] = extra
        (results / "one/00002.png").write_bytes(encode_palette_png(ids))
        assert self.run(tree, results) == 2
        assert f"one/00002.png holds id {extra}" in one_line_error(capsys)

    def test_wrong_size_is_named(self, tree, results, capsys):
        (results / "one/00002.png").write_bytes(encode_palette_png(truth(2)[:, :-4].copy()))
        assert self.run(tree, results) == 2
        assert "one/00002.png is 60x48, its annotation 64x48" in one_line_error(capsys)

    def test_grey_prediction_is_named(self, tree, results, capsys):
        Image.fromarray(truth(2) * 255).save(results / "one/00002.png")
        assert self.run(tree, results) == 2
        assert "one/00002.png is no palette PNG, its mode is L" in one_line_error(capsys)


def test_copying_the_first_mask_scores_as_known_on_real_video(shared_data, tmp_path):
    assert davis(shared_data / "davis", tmp_path / "out", "--pictures", 0) == 0
    found = json.loads((tmp_path / "out/results.json").read_text())["methods"]["copy-first-mask"]["global"]
    assert found["J-Mean"] == pytest.approx(0.355, abs=1e-3)


@pytest.mark.slow
def test_carrying_the_mask_with_optical_flow_scores_as_known_on_real_video(shared_data, tmp_path):
    assert davis(shared_data / "davis", tmp_path / "out", "--baselines", "dis-flow", "--pictures", 0) == 0
    found = json.loads((tmp_path / "out/results.json").read_text())["methods"]["dis-flow"]["global"]
    assert found["J-Mean"] == pytest.approx(0.510, abs=2e-3)
