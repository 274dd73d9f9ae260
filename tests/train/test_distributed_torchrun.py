"""Runs started by torchrun: the same run as that of one process, and the same folder."""

import json
import os
import subprocess
import sys

import pytest
from vosforge.train.cli import execute
from vosforge.train.commands.run import Run
from vosforge.train.launch.torchrun import joined_ranks, rank_device
from vosforge.train.log import read_metrics

STAGE = ("propagation-rendered-mini", "--size", "tiny", "--batch-size", "8", "--crop-size", "32", "--steps", "6")


def started(num_ranks, corpus, out, *more):
    """Run the command line in `num_ranks` processes of torchrun; returns the finished process."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(num_ranks)]
    command = ["-m", "vosforge.train.cli", "run", *STAGE, "--data", str(corpus), "--out", str(out), "--device", "cpu"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    given = [*launcher, *command, "--log-every", "1", "--picture-every", "0", *more]
    return subprocess.run(given, capture_output=True, text=True, env=environment, timeout=280)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_run_of_two_processes_is_that_of_one_and_goes_on_with_another_number(tiny_corpus, tmp_path):
    done = started(2, tiny_corpus, tmp_path / "two", "--num-workers", "1")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("2 processes of 4 samples each") == 1, "one process speaks"
    assert "6 steps done" in done.stdout

    one = Run(stage=STAGE[0], data=(str(tiny_corpus),), out=tmp_path / "one", size="tiny", batch_size=8, crop_size=32,
              steps=6, device="cpu", log_every=1, picture_every=0)  # fmt: skip
    assert execute(one) == 0
    losses = {
        name: [record["loss"] for record in read_metrics(tmp_path / name / "metrics.jsonl")] for name in ("one", "two")
    }
    assert len(losses["two"]) == 6 and losses["two"] == pytest.approx(losses["one"], rel=1e-3)
    identities = [json.loads((tmp_path / name / "config.json").read_text())["identity"] for name in ("one", "two")]
    assert identities[0] == identities[1], "the number of processes is no part of what a run is"

    again = started(1, tiny_corpus, tmp_path / "two")
    assert again.returncode == 0 and "from step 6 of" in again.stdout


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_mistakes_are_told_once_and_leave_no_folder(tiny_corpus, tmp_path):
    done = started(3, tiny_corpus, tmp_path / "run")
    assert done.returncode != 0 and not (tmp_path / "run").exists()
    assert done.stderr.count("2 micro-batches of 4 samples, which 3 processes cannot share equally") == 1


def test_process_without_a_gpu_of_its_own_is_refused(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    with pytest.raises(ValueError, match=r"process 2 of this machine has no GPU of its own, torch sees 2; start"):
        rank_device("cuda", 2)
    monkeypatch.undo()
    assert rank_device("cpu", 5).type == "cpu"


def test_without_a_launcher_a_process_is_alone(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with joined_ranks("cpu") as group:
        assert (group.rank, group.num_ranks, group.is_first) == (0, 1, True)


def test_ray_and_torchrun_together_are_refused(monkeypatch, tiny_corpus, tmp_path, capsys):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    assert execute(Run(stage=STAGE[0], data=(str(tiny_corpus),), out=tmp_path / "run", ray=2)) == 2
    assert "--ray starts processes of its own" in capsys.readouterr().err


def test_address_without_ray_is_refused(tiny_corpus, tmp_path, capsys):
    assert execute(Run(stage=STAGE[0], data=(str(tiny_corpus),), out=tmp_path / "run", address="here:1")) == 2
    assert "give the number of processes too: --ray N" in capsys.readouterr().err
