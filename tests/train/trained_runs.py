"""What tests of whole runs share: a request for a tiny run, batches without end, and runs that are stopped."""

import os
import signal
from pathlib import Path

from vosforge.train.request import RunRequest


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
