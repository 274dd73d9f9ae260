"""Train a stage; the same command again resumes the run."""

import contextlib
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import Positional, UseAppendAction, arg

if TYPE_CHECKING:
    from ..request import RunRequest
    from ..run import RunResult

SECONDS_FOR_THE_FIRST = 2.0


@dataclass(frozen=True, kw_only=True)
class Run:
    """Train a stage; the same command again resumes the run.

    On several GPUs or machines: start it by torchrun (-m vosforge.train.cli run ...), or give --ray N. The batch is
    that of all processes together, and the result does not depend on their number.
    """

    stage: Positional[str]
    """Name of the stage, see `list`."""
    data: UseAppendAction[tuple[Annotated[str, arg(metavar="DIR[=weight]")], ...]]
    """A corpus, or for stages of stills a folder of pictures with masks, and how often it is drawn from, relative to
    the others; may be repeated."""
    out: Path
    """Folder of the run: checkpoints, metrics, pictures."""
    size: Annotated[str | None, arg(metavar="small|full")] = None
    """Network size."""
    init: Path | None = None
    """Weights to start from: a checkpoint of the same size, or a published file: a torchvision ResNet (OSVOS: VGG-16),
    DeepLabV3+, Scribble-to-Mask, propagation or fusion."""
    companion: Annotated[Path | None, arg(metavar="CKPT")] = None
    """A trained network beside the stage's own, which stays as it is: a propagation network for the fusion stages, the
    first click network for the second (clicknet-mask)."""
    set: UseAppendAction[tuple[Annotated[str, arg(metavar="NAME=VALUE")], ...]] = ()
    """Another value for a number of the stage as `show` names it, such as learning_rate.peak=1e-4; may be repeated."""
    steps: int | None = None
    """Optimiser steps; schedule, warm-up and curriculum scale with them."""
    batch_size: int | None = None
    """Samples a step, of all processes together."""
    crop_size: int | None = None
    """Pixels of the square training crop, a multiple of 16."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """auto takes CUDA where there is one."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Of the forward pass; auto is bf16 on CUDA, fp32 on the CPU. bf16 is faster on CPUs that have it."""
    compile: bool = False
    """Compile the parts of the network with torch.compile; the first steps then take minutes."""
    micro_batches_per_forward: int | None = None
    """Micro-batches that go through the network at once where batch norm is frozen; fewer take less memory."""
    seed: int = 0
    """Seed of initialisation, sampling and augmentation."""
    num_workers: int = 0
    """Loader processes of each training process; batches do not depend on it."""
    log_every: int = 10
    """Steps between lines of metrics.jsonl."""
    checkpoint_every: int | None = None
    """Steps between checkpoints; a twentieth of the run, at most 1000, when not given."""
    picture_every: int | None = None
    """Steps between pictures of predictions, 0 for none."""
    validate_every: int | None = None
    """Steps between validations, 0 for none. Not given: a twentieth of the run with --validate-on, none without."""
    validate_on: UseAppendAction[tuple[Annotated[str, arg(metavar="DIR[=split]")], ...]] = ()
    """A DAVIS tree or a corpus on whose videos J and F are measured; may be repeated, the first chooses best.pt."""
    validate_sequences: int = 8
    """Videos of each place, evenly spaced; 0 takes all."""
    validate_frames: int = 40
    """First frames of each video; 0 takes all."""
    validate_short_side: int | None = None
    """Pixels of the shorter side at which the videos are looked at; their own when not given."""
    ray: int | None = None
    """Train in so many processes, one GPU or one CPU each, through Ray Train; a lost one is replaced."""
    address: str | None = None
    """Ray cluster to train on, host:port; without it Ray starts on this machine alone."""
    ray_cpus: int = 1
    """CPUs of each of these processes, its loader processes among them."""
    ray_restarts: int = 3
    """How often the processes may be started again from the last checkpoint after one was lost."""


def run(command: Run) -> int:
    """Run the stage; 0 when it is finished, 130 when it was stopped."""
    from rich.console import Console

    request = as_request(command)
    console = Console(markup=False)
    started = time.perf_counter()
    result, is_first = _run(command, request, console)
    if not is_first:
        return 0 if result.finished else 130
    minutes = (time.perf_counter() - started) / 60
    if result.finished:
        console.print(
            f"{result.steps} steps done in {minutes:.1f} minutes: {result.checkpoint}", highlight=False, soft_wrap=True
        )
        return 0
    print(f"vosforge-train: stopped after step {result.steps}; the same command goes on from there", file=sys.stderr)
    return 130


def as_request(command: Run) -> "RunRequest":
    """Return the request of a parsed command; ValueError for a mistake in it."""
    from ..overrides import with_overrides
    from ..request import RunRequest
    from ..stages.table import stage_named
    from ..validation.choice import parse_place

    same = ("size", "init", "companion", "batch_size", "crop_size", "device", "precision", "compile", "seed")
    same += ("micro_batches_per_forward", "num_workers", "log_every", "checkpoint_every", "picture_every")
    same += ("validate_every", "validate_sequences", "validate_frames", "validate_short_side", "out")
    return RunRequest(
        stage=with_overrides(stage_named(command.stage), command.set, command.crop_size),
        data=tuple(parse_data(text) for text in command.data),
        num_steps=command.steps,
        validate_on=tuple(parse_place(text) for text in command.validate_on),
        command=tuple(sys.argv[1:]),
        **{name: getattr(command, name) for name in same},
    )


def _run(command: Run, request: "RunRequest", console) -> tuple["RunResult", bool]:
    """Return the result, and whether this process is the one that speaks."""
    from ..distributed import PreparationFailed
    from ..launch.torchrun import joined_ranks, started_by_torchrun
    from ..loop import TrainingFailed
    from ..progress import show_progress
    from ..run import run as run_stage

    def announce(text: str) -> None:
        console.print(text, highlight=False, soft_wrap=True)

    if command.ray is not None:
        if started_by_torchrun():
            raise ValueError("--ray starts processes of its own, so it cannot be started by torchrun; use one of them")
        from ..launch.ray_train import RaySettings, run_on_ray

        settings = RaySettings(
            num_ranks=command.ray,
            address=command.address,
            cpus_per_rank=command.ray_cpus,
            restarts=command.ray_restarts,
        )
        return run_on_ray(request, settings, announce), True
    if command.address is not None:
        raise ValueError("--address is the Ray cluster to train on; give the number of processes too: --ray N")
    with joined_ranks(request.device) as group:
        speaks = show_progress(console, request.resolved("num_steps")) if group.is_first else contextlib.nullcontext()
        try:
            with speaks as report:
                return run_stage(request, report=report, announce=announce, group=group), group.is_first
        except (PreparationFailed, TrainingFailed) as error:
            if group.is_first:
                raise
            # All processes raise it, and one of them tells it, before the launcher ends it for this one's exit.
            time.sleep(SECONDS_FOR_THE_FIRST)
            sys.exit(1 if isinstance(error, TrainingFailed) else 2)


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
