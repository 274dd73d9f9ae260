"""Train a stage; the same command again resumes the run."""

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, UseAppendAction, arg


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


def run(command: Run) -> int:
    """Run the stage; 0 when it is finished, 130 when it was stopped."""
    from rich.console import Console

    from ..progress import show_progress
    from ..request import RunRequest
    from ..run import run as run_stage
    from ..stages.table import stage_named

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

    def announce(text: str) -> None:
        console.print(text, highlight=False, soft_wrap=True)

    with show_progress(console, request.resolved("num_steps")) as report:
        result = run_stage(request, report=report, announce=announce)
    minutes = (time.perf_counter() - started) / 60
    if result.finished:
        console.print(
            f"{result.steps} steps done in {minutes:.1f} minutes: {result.checkpoint}", highlight=False, soft_wrap=True
        )
        return 0
    print(f"vosforge-train: stopped after step {result.steps}; the same command goes on from there", file=sys.stderr)
    return 130


def parse_data(text: str) -> tuple[Path | str, float]:
    """Read `DIR` or `DIR=weight`, DIR a folder or a URL; an existing folder whose own name holds an = stays whole."""
    from ...datagen.storage.store import corpus_location

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
