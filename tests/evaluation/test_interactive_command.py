"""`vosforge-eval interactive` as a user runs it, without networks."""

import json
import shutil

import pytest
from davis_tree import truth, write_tree
from vosforge.datagen.imaging.images import encode_palette_png
from vosforge.train.evaluation.cli import main
from youtube_vos_tree import ANNOTATED, write_youtube_vos


@pytest.fixture
def tree(tmp_path):
    return write_tree(tmp_path / "davis", {"one": 1, "two": 2})


def run(tree, out, *flags):
    flags = flags or ("--systems", "copy,oracle-copy")
    return main(
        ["interactive", "--root", str(tree), "--out", str(out), "--clock", "fixed", "--interactions", "2", *flags]
    )


def results(out):
    return json.loads((out / "results.json").read_text())


def repeatable(out):
    """The results without what was measured on the machine."""
    return {
        label: {key: value for key, value in found.items() if key != "measured"}
        for label, found in results(out)["systems"].items()
    }


def test_every_result_is_written_and_true_masks_beat_strokes(tree, tmp_path, capsys):
    out = tmp_path / "out"
    assert run(tree, out) == 0
    found = results(out)
    assert found["dataset"]["num_sessions"] == 6
    assert list(found["systems"]) == ["copy", "oracle-copy"]
    assert found["systems"]["oracle-copy"]["auc"] > found["systems"]["copy"]["auc"]
    for label in found["systems"]:
        summary = json.loads((out / label / "summary.json").read_text())
        assert summary == {key: found["systems"][label][key] for key in ("auc", "metric_at_threshold", "curve")}
        # Sequences of 1 and 2 objects, 6 frames, 3 sets, 2 rounds.
        assert len((out / label / "result.csv").read_text().splitlines()) == 1 + 3 * 6 * 3 * 2
    page = (out / "report.html").read_text()
    assert "oracle-copy" in page and "<script" not in page
    assert "oracle-copy" in capsys.readouterr().out


def test_finished_sessions_are_kept_and_a_damaged_one_is_played_again(tree, tmp_path):
    out, flags = tmp_path / "out", ("--systems", "copy,oracle-copy", "--scribble-sets", "2")
    assert run(tree, out, *flags) == 0
    before = repeatable(out)
    sessions = sorted(out.glob("*/sessions/*.json"))
    assert len(sessions) == 8
    times = [path.stat().st_mtime_ns for path in sessions]
    sessions[0].write_text(sessions[0].read_text()[:-40])
    assert run(tree, out, *flags) == 0
    after = [path.stat().st_mtime_ns for path in sessions]
    assert after[0] != times[0] and after[1:] == times[1:]
    assert repeatable(out) == before


def test_more_scribble_sets_join_those_that_are_finished(tree, tmp_path):
    out = tmp_path / "out"
    assert run(tree, out, "--systems", "oracle-copy", "--scribble-sets", "1") == 0
    first = {path: path.stat().st_mtime_ns for path in out.glob("*/sessions/*.json")}
    assert run(tree, out, "--systems", "oracle-copy", "--scribble-sets", "2") == 0
    assert len(first) == 2 and len(list(out.glob("*/sessions/*.json"))) == 4
    assert all(path.stat().st_mtime_ns == time for path, time in first.items())


def test_results_of_other_settings_are_refused_and_overwritten_on_request(tree, tmp_path, capsys):
    out = tmp_path / "out"
    flags = ("--systems", "copy", "--scribble-sets", "1")
    assert run(tree, out, *flags) == 0
    capsys.readouterr()
    assert run(tree, out, *flags, "--seed", "3") == 2
    message = capsys.readouterr().err
    assert "--overwrite" in message and "seed was 0, is 3" in message and "num_interactions" not in message
    assert run(tree, out, "--systems", "oracle-copy,copy", "--scribble-sets", "1", "--seed", "3") == 2
    assert not (out / "oracle-copy").exists(), "refused before anything is played"
    assert run(tree, out, *flags, "--seed", "3", "--overwrite") == 0


def test_results_of_another_truth_are_refused(tree, tmp_path, capsys):
    out, flags = tmp_path / "out", ("--systems", "oracle-copy", "--scribble-sets", "1")
    assert run(tree, out, *flags) == 0
    (tree / "Annotations/480p/one/00004.png").write_bytes(encode_palette_png(truth(2)))
    capsys.readouterr()
    assert run(tree, out, *flags) == 2
    assert "data_sha256 was" in capsys.readouterr().err


def test_results_of_another_year_are_refused(tree, tmp_path, capsys):
    shutil.copytree(tree / "ImageSets/2017", tree / "ImageSets/2016")
    out, flags = tmp_path / "out", ("--systems", "oracle-copy", "--scribble-sets", "1", "--sequence", "two")
    assert run(tree, out, *flags, "--year", "2017") == 0
    assert run(tree, out, *flags, "--year", "2016") == 2
    assert "object_ids was [1, 2], is [1]" in capsys.readouterr().err


def test_a_session_whose_picture_is_damaged_is_played_again(tree, tmp_path):
    out, flags = tmp_path / "out", ("--systems", "oracle-copy", "--scribble-sets", "1")
    assert run(tree, out, *flags) == 0
    strip = out / "oracle-copy/strips/one-001.jpg"
    before = strip.read_bytes()
    strip.write_bytes(b"")
    assert run(tree, out, *flags) == 0
    assert strip.read_bytes() == before


def test_the_device_that_was_taken_is_told(tree, tmp_path):
    out = tmp_path / "out"
    assert run(tree, out, "--systems", "copy", "--scribble-sets", "1", "--clock", "wall") == 0
    settings = results(out)["settings"]
    assert (settings["device"], settings["machine"], settings["num_workers"]) == ("cpu", "cpu", 1)
    assert "networks on cpu, sessions at once: 1" in (out / "report.html").read_text()


def test_several_workers_find_the_same(tree, tmp_path):
    flags = ("--systems", "copy", "--scribble-sets", "1")
    assert run(tree, tmp_path / "one", *flags) == 0
    assert run(tree, tmp_path / "many", *flags, "--workers", "2", "--executor", "local") == 0
    assert repeatable(tmp_path / "one") == repeatable(tmp_path / "many")


def test_kept_masks_score_as_the_last_round_did(tree, tmp_path):
    out, flags = tmp_path / "out", ("--systems", "copy", "--scribble-sets", "1")
    assert run(tree, out, *flags) == 0
    assert not (out / "copy/masks").exists()
    assert run(tree, out, *flags, "--keep-masks") == 0
    given = ("--root", str(tree), "--results", str(out / "copy/masks/1"), "--json", str(tmp_path / "scores.json"))
    assert main(["masks", *given, "--include-ends"]) == 0
    scores = json.loads((tmp_path / "scores.json").read_text())
    last = results(out)["systems"]["copy"]["by_metric"]
    for metric, column in (("J", "J-Mean"), ("F", "F-Mean")):
        assert scores[column] == pytest.approx(last[metric]["curve"][metric][-1], abs=1e-12)


def test_a_corpus_is_played(tiny_corpus, tmp_path):
    out = tmp_path / "out"
    assert run(tiny_corpus, out, "--systems", "oracle-copy", "--scribble-sets", "1", "--schedule", "three-frames") == 0
    found = results(out)
    assert found["dataset"]["kind"] == "corpus" and found["dataset"]["num_sessions"] == 2
    # Two rounds of three: one frame, then the propagation.
    for path in out.glob("oracle-copy/sessions/*.json"):
        first, second = json.loads(path.read_text())["record"]["interactions"]
        assert first["frame"] == second["frame"]


def test_of_a_sparsely_annotated_video_the_annotated_frames_are_drawn_on_and_scored(tmp_path):
    tree, out = write_youtube_vos(tmp_path / "videos"), tmp_path / "out"
    assert run(tree, out, "--systems", "oracle-copy", "--scribble-sets", "1", "--split", "valid") == 0
    (path,) = out.glob("oracle-copy/sessions/*.json")
    record = json.loads(path.read_text())["record"]
    assert record["frames"] == list(ANNOTATED) and record["object_ids"] == [1, 2]
    # Object 2 is not in frame 0, so the first scribbles are on a frame that shows both.
    assert record["interactions"][0]["frame"] in (5, 10)


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        (("--systems", "difference"), "give --s2m"),
        (("--propagation", "nowhere.pt"), "nowhere.pt is missing"),
        (("--sequence", "three"), "three"),
        (("--interactions", "0"), "num_interactions is 0"),
        (("--seconds-per-object", "inf"), "seconds_per_object is inf"),
        (("--split", "test"), "test"),
        (("--pictures", "-1"), "--pictures is -1"),
    ],
)
def test_mistakes_are_told_in_one_line(tree, tmp_path, capsys, flags, complaint):
    assert run(tree, tmp_path / "out", *flags) == 2
    message = capsys.readouterr().err
    assert complaint in message and message.count("\n") == 1
