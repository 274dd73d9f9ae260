"""vosforge-train: list the stages, show one with every number and its source, run one."""

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro
from tyro.conf import Positional, UseAppendAction, arg


@dataclass(frozen=True, kw_only=True)
class List:
    """List the training stages."""


@dataclass(frozen=True, kw_only=True)
class Show:
    """Print every number of a stage with its source."""

    stage: Positional[str]
    """Name of the stage, see `list`."""
    size: Annotated[str | None, arg(metavar="small|full")] = None
    """Network size; the stage's own when not given."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """Train a stage; the same command again resumes the run."""

    stage: Positional[str]
    """Name of the stage, see `list`."""
    data: UseAppendAction[tuple[Annotated[str, arg(metavar="DIR[=weight]")], ...]]
    """A corpus folder and how often it is drawn from, relative to the others; may be repeated."""
    out: Path
    """Folder of the run: checkpoints, metrics, pictures."""
    size: Annotated[str | None, arg(metavar="small|full")] = None
    """Network size."""
    init: Path | None = None
    """Weights to start from: a checkpoint of the same size, or a torchvision ResNet state dict."""
    steps: int | None = None
    """Optimiser steps; schedule, warm-up and curriculum scale with them."""
    batch_size: int | None = None
    """Samples a step."""
    crop_size: int | None = None
    """Pixels of the square training crop, a multiple of 16."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """auto takes CUDA where there is one."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Of the forward pass; auto is bf16 on CUDA, fp32 on the CPU. bf16 nearly halves the time on CPUs that have it."""
    seed: int = 0
    """Seed of initialisation, sampling and augmentation."""
    num_workers: int = 0
    """Loader processes; batches do not depend on it."""
    log_every: int = 10
    """Steps between lines of metrics.jsonl."""
    checkpoint_every: int | None = None
    """Steps between checkpoints; a twentieth of the run, at most 1000, when not given."""
    picture_every: int | None = None
    """Steps between pictures of predictions, 0 for none."""
    validate_every: int = 0
    """Steps between validations on the corpora's val split, 0 for none."""


def main() -> None:
    """Entry point of vosforge-train."""
    # Spinning OpenMP threads slow training tenfold on a machine with other work; sleeping ones cost next to nothing.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    command = tyro.extras.subcommand_cli_from_dict({"list": List, "show": Show, "run": Run}, prog="vosforge-train")
    sys.exit(execute(command))


def execute(command: List | Show | Run) -> int:
    """Run a parsed command and return the exit code: 2 for a user's mistake, with one line on stderr."""
    from .loop import TrainingFailed

    try:
        if isinstance(command, Run):
            return _run(command)
        return _show(command) if isinstance(command, Show) else _list()
    except (ValueError, OSError, TrainingFailed) as error:
        print(f"vosforge-train: {' '.join(str(error).split())}", file=sys.stderr)
        return 1 if isinstance(error, TrainingFailed) else 2


def parse_data(text: str) -> tuple[Path | str, float]:
    """Read `DIR` or `DIR=weight`, DIR a folder or a URL; an existing folder whose own name holds an = stays whole."""
    from ..datagen.storage.store import corpus_location

    if Path(text).exists() or "=" not in text:
        return corpus_location(text), 1.0
    folder, _, weight = text.rpartition("=")
    try:
        value = float(weight)
    except ValueError:
        value = -1.0
    if not 0 < value < float("inf"):
        raise ValueError(f"--data {text}: '{weight}' is no weight; write DIR or DIR=weight with a positive number")
    return corpus_location(folder), value


def _list() -> int:
    from rich.console import Console
    from rich.table import Table

    from .stages.mivos import STAGES

    table = Table("stage", "network", "steps", "starts from", "what")
    for stage in STAGES.values():
        table.add_row(stage.name, stage.size, f"{stage.num_steps:,}", stage.start_from, stage.summary)
    Console().print(table)
    return 0


def _show(command: Show) -> int:
    from rich.console import Console

    from .show import stage_table
    from .stages.mivos import stage_named

    Console().print(stage_table(stage_named(command.stage), command.size))
    return 0


def _run(command: Run) -> int:
    from rich.console import Console

    from .progress import show_progress
    from .request import RunRequest
    from .run import run
    from .stages.mivos import stage_named

    request = RunRequest(
        stage=stage_named(command.stage),
        data=tuple(parse_data(text) for text in command.data),
        out=command.out,
        size=command.size,
        init=command.init,
        num_steps=command.steps,
        batch_size=command.batch_size,
        crop_size=command.crop_size,
        device=command.device,
        precision=command.precision,
        seed=command.seed,
        num_workers=command.num_workers,
        log_every=command.log_every,
        checkpoint_every=command.checkpoint_every,
        picture_every=command.picture_every,
        validate_every=command.validate_every,
    )
    console = Console()
    started = time.perf_counter()
    with show_progress(console, request.resolved("num_steps")) as report:
        result = run(request, report=report, announce=lambda text: console.print(text, highlight=False, soft_wrap=True))
    minutes = (time.perf_counter() - started) / 60
    if result.finished:
        console.print(
            f"{result.steps} steps done in {minutes:.1f} minutes: {result.checkpoint}", highlight=False, soft_wrap=True
        )
        return 0
    print(f"vosforge-train: stopped after step {result.steps}; the same command goes on from there", file=sys.stderr)
    return 130


if __name__ == "__main__":
    main()
