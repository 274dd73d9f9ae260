import subprocess
import sys
from pathlib import Path

import pytest
from vosforge.train.cli import List, Run, Show, execute
from vosforge.train.commands.run import parse_data
from vosforge.train.show import stage_table
from vosforge.train.stages.table import STAGES


def test_help_answers_within_a_second_without_torch():
    program = """
import sys
from vosforge.train.cli import main
try:
    main()
finally:
    print("imported:", *sorted({"torch", "cv2", "ray", "bpy"} & set(sys.modules)))
"""
    result = subprocess.run([sys.executable, "-c", program, "--help"], capture_output=True, text=True, check=True)
    assert "run" in result.stdout and result.stdout.endswith("imported:\n")


def test_list_and_show_print_the_numbers_with_their_sources(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    assert execute(List()) == 0
    assert "propagation-rendered-mini" in capsys.readouterr().out
    assert execute(Show(stage="propagation-rendered")) == 0
    shown = capsys.readouterr().out
    for text in ("53,685,953 parameters", "500,000", "1e-05", "decay_at 0.9", "5, 10, 15, 20, 25, 5", "hyper_para.py"):
        assert text in shown


@pytest.mark.parametrize(
    ("stage", "rows"),
    [
        ("propagation-static", {"still_scale": "0.8, 1.5", "spline_points": "12", "still_jitter.hue": "0.05"}),
        (
            "propagation-rendered",
            {"large_object_area": "900", "rotation_degrees": "15", "frame_jitter.contrast": "0.01"},
        ),
        ("s2m", {"errors.iou_target": "0.4, 0.95", "mixture.region.kind_probabilities": "0.33, 0.33, 0.34"}),
        ("fusion-rendered", {"min_differing_area": "100", "max_trials": "20", "jitter.hue": "0.01"}),
    ],
)
def test_show_prints_the_numbers_of_the_samples_that_the_stage_leaves_at_their_defaults(stage, rows):
    names, values, sources = ([*column.cells] for column in stage_table(STAGES[stage]).columns)
    shown = {name: (value, source) for name, value, source in zip(names, values, sources, strict=True)}
    for name, value in rows.items():
        assert shown[f"  {name}"] == (value, "default")
    own = [name for name in STAGES[stage].sample_settings if shown[f"  {name}"][1] != "set by the stage"]
    assert own == [] and "  crop_size" not in shown and "  size" not in shown


def test_run_trains_and_the_same_command_finds_it_done(tiny_corpus, tmp_path, capsys):
    command = Run(
        stage="propagation-rendered-mini", data=(f"{tiny_corpus}=2",), out=tmp_path / "run", size="tiny", steps=4,
        batch_size=2, crop_size=32,
    )  # fmt: skip
    assert execute(command) == 0
    assert "4 steps done" in capsys.readouterr().out
    assert (tmp_path / "run" / "checkpoints" / "last.pt").exists()
    assert execute(command) == 0
    assert "from step 4" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stage": "nope"}, "no stage 'nope'; choose one of"),
        ({"size": "huge"}, "no network size 'huge'"),
        ({"data": ()}, "no data"),
        ({"data": ("/nonexistent/corpus",)}, "/nonexistent/corpus"),
        ({"data": "all held out"}, 'no clip of 3 frames or more in its split "train"'),
        ({"steps": 0}, "num_steps is 0"),
        ({"init": Path("/nonexistent.pt")}, "no checkpoint at /nonexistent.pt"),
        ({"stage": "clicknet-mask-mini"}, "needs a trained clicknet network beside its own; give --companion CKPT"),
        ({"stage": "fusion-video"}, "needs a trained propagation network beside its own; give --companion CKPT"),
        ({"companion": Path("any.pt")}, "needs no network beside its own; leave --companion any.pt out"),
    ],
)
def test_mistakes_of_the_user_end_with_code_2_and_one_line(changes, message, tiny_corpus, tiny_world, tmp_path, capsys):
    settings = {"stage": "propagation-rendered-mini", "data": (str(tiny_corpus),), "out": tmp_path / "run"} | changes
    if settings["data"] == "all held out":
        settings["data"] = (str(tiny_world.write(tmp_path / "corpus", num_clips=2, val_every=1)),)
    assert execute(Run(**settings)) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_weight_of_a_corpus_follows_its_folder(tmp_path):
    (tmp_path / "odd=3").mkdir()
    assert parse_data("corpus=0.5")[1] == 0.5 and str(parse_data("corpus=0.5")[0]) == "corpus"
    assert parse_data("corpus")[1] == 1.0
    assert parse_data(str(tmp_path / "odd=3")) == (tmp_path / "odd=3", 1.0)
    for bad in ("corpus=much", "corpus=-1", "corpus=inf", "corpus=nan"):
        with pytest.raises(ValueError, match="is no weight"):
            parse_data(bad)
