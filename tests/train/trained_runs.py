"""What tests of whole runs share: a request for a tiny run, runs that are stopped, and two runs compared."""

import os
import signal
from pathlib import Path

import torch
from vosforge.train.checkpoint import read_checkpoint
from vosforge.train.request import RunRequest
from vosforge.train.run import run


def silent(_):
    return None


def requests(stage, corpus: Path, folder: Path, **settings):
    """Return a function (name, **changes) -> RunRequest of a run in `folder`/name."""
    usual = {"log_every": 2, "checkpoint_every": 2, "device": "cpu"} | settings

    def make(name="run", **changes):
        return RunRequest(**{"stage": stage, "data": ((corpus, 1.0),), "out": folder / name} | usual | changes)

    return make


def endless(batches_of_step):
    """Return what a loader is, start step -> batches without end, of a function step -> batch."""

    def batches(step):
        while True:
            yield batches_of_step(step)
            step += 1

    return batches


def stopped_at(step):
    """What Ctrl-C in the middle of a step does."""
    return lambda report: os.kill(os.getpid(), signal.SIGINT) if report.step == step else None


def whole_and_halved(request_for):
    """Train once in one go and once in two halves, and return the contents of both last checkpoints."""
    whole = run(request_for("whole"), report=silent, announce=silent)
    assert run(request_for("halved"), report=stopped_at(3), announce=silent).steps == 3
    torch.manual_seed(99)
    resumed = run(request_for("halved"), report=silent, announce=silent)
    assert whole.finished and resumed.finished
    return read_checkpoint(whole.checkpoint), read_checkpoint(resumed.checkpoint)


def assert_same_training(one, two):
    """Weights, running statistics of batch norm and the optimiser's state, bit for bit."""
    assert all(torch.equal(value, two["network"][name]) for name, value in one["network"].items())
    states = [content["optimiser"]["state"] for content in (one, two)]
    assert all(torch.equal(states[0][i]["exp_avg_sq"], states[1][i]["exp_avg_sq"]) for i in states[0])
