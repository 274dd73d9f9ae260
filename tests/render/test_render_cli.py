"""A user's mistake is one line that says what to do, and exit code 2."""

import dataclasses
import json
import subprocess
import sys

import pytest
from vosforge.render.cli import COMMANDS, main
from vosforge.render.commands.options import parse_bytes, parse_passes, parse_probabilities
from vosforge.render.commands.run import Run, gpus_per_task, make_farm
from vosforge.render.recipes import BL30K


def vosforge_render(*arguments):
    command = [sys.executable, "-m", "vosforge.render.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def refused(capsys, *arguments):
    """The one line with which a command is refused."""
    with pytest.raises(SystemExit) as ending:
        main([str(entry) for entry in arguments])
    lines = capsys.readouterr().err.strip().splitlines()
    assert ending.value.code == 2 and len(lines) == 1
    return lines[0]


def test_help_needs_no_extra_and_none_of_what_renders():
    code = (
        "import sys\n"
        "class Refuse:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name in ('bpy', 'blenderproc', 'ray', 'torch', 'webdataset', 'cv2', 'scipy', 'fsspec'):\n"
        "            raise ImportError(name)\n"
        "sys.meta_path.insert(0, Refuse())\n"
        "from vosforge.render.cli import COMMANDS, main\n"
        "for command in (*COMMANDS, None):\n"
        "    try: main([command, '--help'] if command else ['--help'])\n"
        "    except SystemExit as ending: assert ending.code == 0, command\n"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    assert all(option in answer.stdout for option in ("--recipe", "--pilot-clips", "--watch", *COMMANDS))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--recipe", "nope"), "recipe 'nope' is unknown; choose one of: bl30k"),
        (("--size", "big"), "--size 'big': give WIDTHxHEIGHT"),
        (("--clips", "0"), "--clips 0: must be at least 1"),
        (("--models", "/does/not/exist"), "--models /does/not/exist: no such folder"),
        (("--hdris", "/does/not/exist"), "--hdris /does/not/exist: no such folder"),
        (("--passes", "ids,deepness"), "--passes: there is no pass 'deepness'; choose from ids, depth"),
        (("--probability", "luck=1"), "--probability luck=1: the recipe has no such probability; choose from"),
        (("--probability", "hdri=2"), "--probability hdri=2: a probability is from 0 to 1"),
        (("--probability", "hdri"), "--probability hdri: give NAME=P"),
        (("--memory-limit", "much"), "--memory-limit 'much': give a number with K, M, G or T"),
        (("--val-share", "1.5"), "--val-share 1.5: must be at least 0 and below 1"),
        (("--workers-per-gpu", "2", "--gpus-per-worker", "1"), "say the same thing; give one of them"),
        (("--poison", "/does/not/exist.json"), "--poison /does/not/exist.json: no such file"),
    ],
)
def test_mistakes_are_named_before_anything_is_written(tmp_path, capsys, arguments, message):
    assert message in refused(capsys, "run", "--executor", "local", "--out", tmp_path / "corpus", *arguments)
    assert not (tmp_path / "corpus").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("status", "{empty}"), "holds no corpus"),
        (("export", "davis", "{empty}", "{empty}/out"), "is not a corpus"),
        (("assets", "{empty}"), "no model, picture or environment map in it"),
        (("assets", "{empty}/gone"), "no such folder"),
        (("plan", "--pilot-clips", "1"), "--pilot-clips 1: must be at least 2"),
    ],
)
def test_every_command_refuses_in_one_line(tmp_path, capsys, arguments, message):
    assert message in refused(capsys, *(entry.replace("{empty}", str(tmp_path)) for entry in arguments))


def test_a_folder_with_other_files_is_not_written_to(tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    answer = vosforge_render("run", "--recipe", "tiny", "--executor", "local", "--out", tmp_path)
    assert answer.returncode == 2 and "holds no corpus" in answer.stderr and "Traceback" not in answer.stderr
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.tex"]


def test_options_reach_the_settings():
    run = Run(
        out="s3://bucket/corpus",
        recipe="bl30k-plus",
        size="384x256",
        samples=8,
        frames=48,
        engine="eevee",
        passes="flow,depth",
        probability=["hdri=0.25", "motion-blur_probability=1"],
    )
    settings = run.settings()
    assert (settings.render.width, settings.render.height, settings.num_frames) == (384, 256, 48)
    assert settings.render.passes == ("ids", "depth", "flow") and settings.render.engine == "eevee"
    assert (settings.hdri_probability, settings.motion_blur_probability) == (0.25, 1.0)


def test_all_passes_have_one_name():
    assert parse_passes("all") == parse_passes(",".join(parse_passes("all")))
    assert parse_passes("") == ("ids",)


def test_every_probability_of_the_recipe_can_be_set():
    names = [entry.name for entry in dataclasses.fields(BL30K) if entry.name.endswith("_probability")]
    assert parse_probabilities([f"{name}=0.5" for name in names], BL30K) == dict.fromkeys(names, 0.5)


def test_sizes_in_bytes():
    assert parse_bytes("--memory-limit", "6G") == 6 * 2**30
    assert parse_bytes("--memory-limit", "1.5 GiB") == 3 * 2**29


def test_workers_share_gpus_either_way():
    assert gpus_per_task(Run(out="x", workers_per_gpu=4)) == gpus_per_task(Run(out="x", gpus_per_worker=0.25)) == 0.25
    farm = make_farm(Run(out="x", workers=3, threads=2, workers_per_gpu=2, memory_limit="2G"), 2**31)
    assert (farm.num_workers, farm.cpus_per_task, farm.gpus_per_task) == (3, 2, 0.5)
    assert farm.memory_bytes_per_task == 2**31


def test_models_are_held_out_in_proportion_to_the_validation_clips():
    assert Run(out="x", val_every=5).share_for_val() == 0.2
    assert Run(out="x", val_every=0).share_for_val() == 0.0
    assert Run(out="x", val_share=0.3).share_for_val() == 0.3


def test_status_is_an_exit_code_and_a_json_file(tiny_corpus, tmp_path):
    answer = vosforge_render("status", tiny_corpus, "--json", tmp_path / "status.json")
    assert answer.returncode == 0 and "6 of 6" in answer.stdout and "finished" in answer.stdout
    assert json.loads((tmp_path / "status.json").read_text())["clips_done"] == 6


def test_a_scan_of_a_folder_says_what_can_be_used(tmp_path, monkeypatch, capsys):
    from PIL import Image

    monkeypatch.setenv("VOSFORGE_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "broken.jpg").write_bytes(b"no picture")
    with pytest.raises(SystemExit) as ending:
        main(["assets", str(folder)])
    assert ending.value.code == 1, "nothing can be used"
    Image.new("RGB", (32, 32)).save(folder / "field.png")
    with pytest.raises(SystemExit) as ending:
        main(["assets", str(folder), "--json", str(tmp_path / "scan.json")])
    assert ending.value.code == 0
    assert "image cannot be decoded" in capsys.readouterr().out
    found = json.loads((tmp_path / "scan.json").read_text())
    assert found["counts"]["background"] == {
        "usable": 1,
        "train": 0,
        "val": 0,
        "quarantined": 1,
        "licences": {"unknown": 1},
    }
    assert {asset["name"]: bool(asset["reason"]) for asset in found["assets"]} == {
        "pictures/broken.jpg": True,
        "pictures/field.png": False,
    }
