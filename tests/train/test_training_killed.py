import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from vosforge.train.checkpoint import read_checkpoint
from vosforge.train.log import read_metrics


def command(corpus, out):
    arguments = ["run", "propagation-rendered-mini", "--data", str(corpus), "--out", str(out), "--size", "tiny"]
    arguments += ["--steps", "60", "--batch-size", "2", "--crop-size", "32", "--checkpoint-every", "1"]
    program = "from vosforge.train.cli import main; main()"
    return [sys.executable, "-c", program, *arguments, "--log-every", "1", "--picture-every", "0", "--device", "cpu"]


def test_signal_to_the_whole_group_ends_a_run_with_loader_processes_after_a_checkpoint(tiny_corpus, tmp_path):
    arguments = command(tiny_corpus, tmp_path / "run")
    arguments[arguments.index("60")] = "4000"
    process = subprocess.Popen(
        [*arguments, "--num-workers", "2"],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    last = tmp_path / "run" / "checkpoints" / "last.pt"
    deadline = time.monotonic() + 60
    while not last.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGTERM)
    error = process.communicate(timeout=30)[1].decode()
    assert process.returncode == 130, error
    assert f"stopped after step {read_checkpoint(last)['step']}; the same command goes on" in error


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_run_killed_again_and_again_ends_as_one_that_was_never_killed(tiny_corpus, tmp_path):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run(command(tiny_corpus, tmp_path / "whole"), check=True, env=environment, capture_output=True)
    last = tmp_path / "killed" / "checkpoints" / "last.pt"
    seen = 0
    for kill in range(4):
        process = subprocess.Popen(
            command(tiny_corpus, tmp_path / "killed"),
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        deadline = time.monotonic() + 60
        while (not last.exists() or read_checkpoint(last)["step"] < seen + 5) and time.monotonic() < deadline:
            time.sleep(0.01)
        # At different moments of a step and of the writing of a checkpoint.
        time.sleep(0.013 * kill)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, process.stderr.read().decode()
        seen = read_checkpoint(last)["step"]
        assert 5 <= seen < 60
    subprocess.run(command(tiny_corpus, tmp_path / "killed"), check=True, env=environment, capture_output=True)
    whole, killed = (read_checkpoint(tmp_path / name / "checkpoints" / "last.pt") for name in ("whole", "killed"))
    assert all(torch.equal(value, killed["network"][name]) for name, value in whole["network"].items())
    assert [record["step"] for record in read_metrics(tmp_path / "killed" / "metrics.jsonl")] == list(range(1, 61))
