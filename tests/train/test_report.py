import json
import re
import shutil
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from html_page import assert_whole, text_of
from vosforge.datagen.compositing.still_folder import StillFolder
from vosforge.train.commands.report import Report, run
from vosforge.train.log import picture_name, write_picture
from vosforge.train.report.curves import charts_of
from vosforge.train.report.data_rows import data_rows
from vosforge.train.report.line_chart import Line, line_chart, number
from vosforge.train.report.page import page, write_report
from vosforge.train.report.run_record import read_run
from vosforge.train.report.setting_rows import setting_rows
from vosforge.train.sample_settings import whole_sample_settings
from vosforge.train.stages.table import stage_named


@pytest.fixture
def run_folder(tmp_path):
    """A run of 40 steps, stopped after 30, with validations, pictures and checkpoints."""
    folder = tmp_path / "run-1"
    (folder / "checkpoints").mkdir(parents=True)
    config = {
        "schema": 1,
        "stage": "propagation-rendered-mini",
        "identity": {
            "name": "propagation-rendered-mini",
            "num_steps": 40,
            "batch_size": 4,
            "size": "tiny",
            "seed": 3,
            "crop_size": 160,
            "betas": [0.9, 0.99],
            "data": [{"index_sha256": "ab" * 32, "weight": 2.0}],
        },
        "data": [{"path": "/data/<clips>", "weight": 2.0}],
        "run": {"device": "cpu"},
        "code_version": "0.1.0+0123456789ab",
        "command": ["run", "propagation-rendered-mini", "--steps", "40"],
    }
    (folder / "config.json").write_text(json.dumps(config))
    records = []
    for step in range(2, 31, 2):
        records.append({"step": step, "loss": 100.0 / step**2, "iou": step / 60, "samples_per_second": 2.0})
        if step % 10 == 0:
            held_out = {"val_loss": 2.0 / step, "clips/J&F": [0.2, 0.6, 0.4][step // 10 - 1], "clips/J": 0.1}
            records.append({"step": step, **held_out})
            write_picture(folder / "validation" / "clips" / picture_name(step), np.full((40, 1200, 3), step, np.uint8))
            write_picture(folder / "pictures" / picture_name(step), np.full((40, 80, 3), step, np.uint8))
    (folder / "metrics.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    torch.save({"step": 30}, folder / "checkpoints" / "last.pt")
    torch.save({"step": 20, "window": {"best": {"score": 0.6, "step": 20}}}, folder / "checkpoints" / "best.pt")
    (folder / "checkpoints" / "step-00000024.pt").write_bytes(b"cut off")
    return folder


def test_page_is_whole_and_needs_nothing_from_elsewhere(run_folder):
    assert_whole(page(read_run(run_folder)), num_pictures=6)


def test_page_tells_steps_settings_sources_data_and_version(run_folder):
    text = text_of(page(read_run(run_folder)))
    for expected in (
        "30 of 40",
        "code 0.1.0+0123456789ab",
        "vosforge-train run propagation-rendered-mini --steps 40",
        "ab" * 32,
        "/data/&lt;clips&gt;",
        "80,417 parameters",
        "best.pt score 0.6",
        "0.4 best 0.6 at step 20",
    ):
        assert expected in text, expected
    # The source of a number, from the stage.
    assert "Adam&#x27;s defaults" in text or "Adam's defaults" in text


def test_settings_that_are_not_the_stages_own_are_marked(run_folder):
    html = page(read_run(run_folder))
    assert "<mark>40</mark> <small>the stage: 1,000</small>" in html
    assert "<mark>4</mark> <small>the stage: 8</small>" in html
    assert "<mark>0.9, 0.99</mark> <small>the stage: 0.9, 0.999</small>" in html
    # Not marked: what is as the stage has it.
    assert "<mark>160</mark>" not in html and html.count("<mark>") == 4


def test_every_number_of_the_samples_has_a_row_that_tells_who_set_it(run_folder):
    path = run_folder / "config.json"
    config = json.loads(path.read_text())
    whole = json.loads(json.dumps(whole_sample_settings(stage_named("propagation-rendered-mini"))))
    whole["clip_jitter"]["brightness"] = 0.25
    config["identity"]["sample_settings"] = whole
    path.write_text(json.dumps(config))
    rows = {row.name.strip(): row for row in setting_rows(read_run(run_folder))}
    assert rows["clip_jitter.brightness"][1:] == ("0.25", "0.3", "of this run")
    assert rows["area_scale"][1:] == ("0.25, 1", "", "set by the stage")
    assert rows["rotation_degrees"][1:] == ("15", "", "default")
    assert "vos_dataset.py" in rows["sample_settings."].source


def test_a_folder_of_stills_has_a_fingerprint_and_is_told_when_it_changed(run_folder, tmp_path):
    stills = tmp_path / "stills"
    stills.mkdir()
    cv2.imwrite(str(stills / "a.jpg"), np.zeros((8, 8, 3), np.uint8))
    cv2.imwrite(str(stills / "a.png"), np.full((8, 8), 255, np.uint8))
    config = json.loads((run_folder / "config.json").read_text())
    config["data"] = [{"path": str(stills), "weight": 1.0}]
    fingerprint = StillFolder(stills).fingerprint()
    config["identity"]["data"] = [{"index_sha256": None, "stills_fingerprint": fingerprint, "weight": 1.0}]
    (run_folder / "config.json").write_text(json.dumps(config))
    (row,) = data_rows(read_run(run_folder))
    assert row.sha256 == f"a folder of stills, fingerprint {fingerprint}" and row.note == ""
    shutil.copy(stills / "a.jpg", stills / "b.jpg")
    assert data_rows(read_run(run_folder))[0].note == "other pictures or masks lie there now"


def test_pictures_show_the_latest_and_some_before(run_folder):
    text = text_of(page(read_run(run_folder)))
    assert re.search(r"clips .*? after step 30 .*? Earlier: steps 20, 10 ", text)
    assert "training batches" in text


def test_damaged_files_are_told_and_stop_nothing(run_folder):
    (run_folder / "pictures" / picture_name(30)).write_bytes(b"not a picture")
    (run_folder / "checkpoints" / "last.pt").write_bytes(b"torn")
    (run_folder / "failed-batch-00000030.pt").write_bytes(b"")
    with (run_folder / "metrics.jsonl").open("a") as file:
        file.write('{"step": 31, "loss": NaN}\n{"step": 32, "lo')
    text = text_of(page(read_run(run_folder)))
    assert "step-00000030.png cannot be read as a picture" in text
    assert "last.pt cannot be read" in text
    assert "loss that is not finite; the batch is in failed-batch-00000030.pt" in text


def test_damaged_lines_of_metrics_are_left_out_with_a_note(run_folder):
    with (run_folder / "metrics.jsonl").open("ab") as file:
        file.write(b'{"foo": 1}\n[1]\n{"step": 32, "lo\n{"step": 33, "loss": "low"}\n\xff\n{"step": 34, "loss": 1.0}\n')
    text = text_of(page(read_run(run_folder)))
    assert "34 of 40" in text
    assert "metrics.jsonl is damaged: 5 lines are left out, the first is line 19 (no record of a step)" in text


def test_config_that_holds_no_settings_is_named(tmp_path):
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(ValueError, match=r"config\.json holds \[\], not the settings of a run"):
        read_run(tmp_path)


@pytest.mark.parametrize("content", ['{"shards": [{"cl', "[1]", "\xff"])
def test_corpus_with_a_broken_index_is_a_note_in_its_row(run_folder, tiny_corpus, content):
    config = json.loads((run_folder / "config.json").read_text())
    config["data"][0]["path"] = str(tiny_corpus)
    (run_folder / "config.json").write_text(json.dumps(config))
    (tiny_corpus / "index.json").write_bytes(content.encode("latin-1"))
    assert "its index.json cannot be read: it is damaged" in text_of(page(read_run(run_folder)))


def test_best_checkpoint_tells_what_its_score_measures(run_folder):
    measured = {"metric": "J&F", "place": "/six", "split": "val", "digest": "3" * 64, "max_frames": None}
    best = {"step": 20, "window": {"best": {"score": 0.6, "step": 20, "measured": measured}}}
    torch.save(best, run_folder / "checkpoints" / "best.pt")
    assert "best.pt score 0.6, J&amp;F on /six=val (33333333)" in text_of(page(read_run(run_folder)))


def test_run_that_only_began_and_of_an_unknown_stage_has_a_page(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"stage": "of another version", "identity": {"num_steps": 9}}))
    text = text_of(page(read_run(tmp_path)))
    assert "of another version" in text and "0 of 9" in text


def test_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"holds no run.*config\.json"):
        read_run(tmp_path)


def test_command_writes_the_page_into_the_run_folder_or_elsewhere(run_folder, tmp_path, capsys):
    assert run(Report(folder=run_folder)) == 0
    assert "30 of 40 steps" in capsys.readouterr().out
    assert run(Report(folder=run_folder, out=tmp_path / "pages" / "one.html")) == 0
    assert (run_folder / "report.html").read_bytes() == (tmp_path / "pages" / "one.html").read_bytes()


def test_changed_corpus_is_noticed(run_folder, tiny_corpus):
    config = json.loads((run_folder / "config.json").read_text())
    config["data"][0]["path"] = str(tiny_corpus)
    (run_folder / "config.json").write_text(json.dumps(config))
    assert "another corpus lies there now" in write_report(read_run(run_folder), run_folder / "p.html").read_text()


def test_hours_are_the_logged_ones_else_estimated_from_the_speed(run_folder):
    assert read_run(run_folder).seconds() == pytest.approx(30 * 4 / 2.0)
    with (run_folder / "metrics.jsonl").open("a") as file:
        file.write('{"step": 32, "seconds": 7200}\n')
    assert "2.0 h" in page(read_run(run_folder))


def test_twins_share_a_chart_and_videos_have_one_of_their_own():
    names = ["loss", "loss_1", "iou", "learning_rate", "seconds", "val_loss", "val_loss_1", "six/J&F", "six/J"]
    charts = charts_of([*names, "samples_per_second"])
    assert [chart.names for chart in charts["quality"]] == [
        ("six/J&F", "six/J"),
        ("loss", "val_loss"),
        ("iou",),
        ("loss_1", "val_loss_1"),
    ]
    assert charts["quality"][1].labels == ("training", "held out")
    assert charts_of(["iou_before"])["quality"][0].title == "IoU before"
    assert [chart.names for chart in charts["schedule"] + charts["speed"]] == [
        ("learning_rate",),
        ("samples_per_second",),
    ]


def heights(svg):
    (corners,) = re.findall(r'class="line" points="([^"]*)"', svg)
    return [float(corner.split(",")[1]) for corner in corners.split()]


def test_axis_is_logarithmic_where_values_span_decades():
    decades = [(step, 10.0**-step) for step in range(4)]
    drawn = np.diff(heights(line_chart("loss", [Line(label="a", points=decades, colour=0)], 3)))
    assert (drawn > 0).all() and np.ptp(drawn) < 0.3
    ramp = [(step, 1.0 + step) for step in range(4)]
    drawn = np.diff(heights(line_chart("loss", [Line(label="a", points=ramp, colour=0)], 3)))
    assert (drawn < 0).all() and np.ptp(drawn) < 0.3


@pytest.mark.parametrize("values", [[0.0, 0.0], [5.0, 5.0], [-3.0, -3.0], [1e-9, 2e-9], [-1.0, 1e6], [0.3]])
def test_every_curve_lies_inside_its_chart(values):
    points = [(step, value) for step, value in enumerate(values)]
    assert all(0 <= height <= 220 for height in heights(line_chart("x", [Line(label="a", points=points, colour=0)], 1)))


def test_long_noisy_curves_are_thinned_and_smoothed():
    rng = np.random.default_rng(0)
    points = [(step, 1 + rng.random()) for step in range(20_000)]
    svg = line_chart("loss", [Line(label="a", points=points, colour=0)], 20_000)
    assert len(svg) < 20_000 and 'class="raw"' in svg
    assert np.abs(np.diff(heights(svg))).mean() < 2


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.1, "0.1"), (3.05e-6, "3.05e-6"), (1e-5, "1e-5"), (950, "950"), (300_000, "300k"), (1.5e6, "1.5M")],
)
def test_numbers_are_short(value, text):
    assert number(value) == text


def test_chart_without_points_is_refused():
    with pytest.raises(ValueError, match="no point"):
        line_chart("loss", [], SimpleNamespace())


def tick_labels(first: float, last: float) -> list[str]:
    line = Line(label="a", points=[(first, 0.0), (last, 1.0)], colour=0)
    svg = line_chart("x", [line], last, (0, 1), first_step=first)
    return re.findall(r'y="214"[^>]*>([^<]*)</text>', svg)


def test_whole_steps_have_whole_numbers_on_their_axis():
    assert tick_labels(1, 2) == ["1", "2"] and tick_labels(1, 8) == ["2", "4", "6", "8"]
    assert tick_labels(0, 10) == ["0", "5", "10"] and tick_labels(0, 1) == ["0", "1"]
    assert tick_labels(0.5, 1.5) == ["0.5", "0.75", "1", "1.25", "1.5"]
