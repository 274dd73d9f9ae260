"""Prepares a run: corpora, device, run folder, start point; then the loop. The same request again resumes it."""

import contextlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from ..models.propagation import count_parameters
from .checkpoint import initialise_from
from .device import autocast_dtype, choose_device
from .distributed import ALONE, RankGroup
from .frozen import freeze
from .log import MetricsLog
from .loop import LoopReport, LoopSettings, train
from .micro_batches import BatchDivision
from .optimiser import make_optimiser
from .request import RunRequest
from .run_checkpoints import RunMemory, StartPoint, resume
from .run_data import BatchSource, RunData, open_companion, open_data
from .run_folder import claim_folder, has_begun
from .step_settings import check_step_settings
from .stopping import stop_on_signals
from .validation.validator import Validator


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """How a run ended: finished steps, whether they are all, the last checkpoint, and what was started from."""

    steps: int
    finished: bool
    checkpoint: Path
    started_from: str


@dataclass(frozen=True, kw_only=True)
class _Prepared:
    settings: LoopSettings
    network: nn.Module
    data: RunData
    started_from: str


def run(
    request: RunRequest,
    *,
    report: Callable[[LoopReport], None],
    announce: Callable[[str], None],
    batches: BatchSource | None = None,
    validators: Sequence[Validator] = (),
    stop: Callable[[], bool] = lambda: False,
    group: RankGroup = ALONE,
) -> RunResult:
    """Run a stage, or go on with the run that stands in `request.out`.

    `report` hears of every step, `announce` of what a person should know, both in the first process of the group alone.
    `batches` and `validators` replace those of the corpora (tests). SIGINT, SIGTERM or `stop()` true end the run after
    a checkpoint of the current step. Every process of the group calls this with the same request; those but the first
    write no files. Raises ValueError on a user's mistake, before anything is written, and TrainingFailed when the loss
    is not finite.
    """
    begun = has_begun(request.out)
    prepared = group.together(lambda: _prepare(request, group, batches, validators, begun))
    settings, network, data = prepared.settings, prepared.network, prepared.data
    optimiser = make_optimiser(network, request.stage)
    last = request.out / "checkpoints" / "last.pt"
    with contextlib.ExitStack() as stack:
        start = StartPoint(origin=prepared.started_from)

        def claim_and_resume() -> StartPoint:
            stack.enter_context(claim_folder(request))
            if begun or has_begun(request.out):
                return resume(last, network, optimiser, settings.num_steps)
            return start

        start = group.together(claim_and_resume if group.is_first else lambda: start)
        start = _shared_start(start, network, optimiser, group)
        log = None
        if group.is_first:
            announce(_opening(request, settings, network, start.origin))
            log = stack.enter_context(contextlib.closing(MetricsLog(request.out, start.step)))
            for note in (*data.notes, log.note):
                if note:
                    announce(note)
        if request.compile:
            compile_parts(network)
        signalled = stack.enter_context(stop_on_signals())
        steps = train(
            network,
            optimiser,
            request.stage,
            settings,
            request.out,
            start_step=start.step,
            memory=RunMemory(start.window),
            batches=data.batches,
            validators=data.validators,
            log=log,
            report=report,
            announce=announce,
            stop=lambda: signalled() or stop(),
            companion=data.companion,
            group=group,
        )
    return RunResult(steps=steps, finished=steps == settings.num_steps, checkpoint=last, started_from=start.origin)


def compile_parts(network: nn.Module, backend: str = "inductor") -> None:
    """Compile the forward pass of each child of the network in place; the names of its parameters stay."""
    for child in network.children():
        child.compile(backend=backend)


def _prepare(
    request: RunRequest, group: RankGroup, batches: BatchSource | None, validators: Sequence[Validator], begun: bool
) -> _Prepared:
    """Open and build all that needs no run folder, so that a mistake leaves none behind; --init if it has not begun."""
    division = request.division(group.num_ranks)
    check_step_settings(request.stage, request.resolved("crop_size"))
    device = choose_device(request.device) if group.device is None else group.device
    if device.type == "cuda":
        # All steps have the same shapes, so that the choice of the fastest convolutions pays.
        torch.backends.cudnn.benchmark = True
    settings = _loop_settings(request, division, device)
    if batches is None:
        data = open_data(request, device, settings.autocast, group)
    else:
        companion = open_companion(request, device)
        data = RunData(batches=batches, validators=validators if group.is_first else (), companion=companion)
    torch.manual_seed(request.seed)
    network = request.stage.network.named(request.resolved("size")).to(device, memory_format=torch.channels_last)
    _check_micro_batch(request, division, network)
    freeze(network, request.stage.frozen)
    started_from = "scratch"
    if request.init is not None and group.is_first and not begun:
        started_from = initialise_from(network, request.init, whole=request.stage.needs_init)
    return _Prepared(settings=settings, network=network, data=data, started_from=started_from)


def _check_micro_batch(request: RunRequest, division: BatchDivision, network: nn.Module) -> None:
    """Refuse a micro-batch that the network can learn no batch statistics from."""
    least = getattr(network, "least_samples_for_statistics", 1)
    if division.micro_batch < least and request.stage.trains_batch_norm(0, request.resolved("num_steps")):
        name = request.stage.network.name
        raise ValueError(
            f"micro-batches of {division.micro_batch} sample have no batch statistics in the {name} network; give a "
            f"micro_batch and a batch_size of at least {least}, or --set train_batch_norm_until=0"
        )


def _shared_start(
    start: StartPoint, network: nn.Module, optimiser: torch.optim.Optimizer, group: RankGroup
) -> StartPoint:
    """Give all processes the start of the first one: weights, optimiser, step."""
    if group.num_ranks == 1:
        return start
    own = {**vars(start), "network": network.state_dict(), "optimiser": optimiser.state_dict()}
    shared = group.from_first(own if group.is_first else None)
    states = {name: shared.pop(name) for name in ("network", "optimiser")}
    if not group.is_first:
        network.load_state_dict(states["network"])
        optimiser.load_state_dict(states["optimiser"])
    return StartPoint(**shared)


def _opening(request: RunRequest, settings: LoopSettings, network: nn.Module, started_from: str) -> str:
    where = settings.device.type if settings.autocast is None else f"{settings.device.type}, bf16"
    ranks = settings.division.num_ranks
    processes = "" if ranks == 1 else f", {ranks} processes of {settings.division.share} samples each"
    frozen = f", {' and '.join(request.stage.frozen)} frozen" if request.stage.frozen else ""
    return (
        f"{request.stage.name}, size {request.resolved('size')}, {count_parameters(network):,} parameters{frozen}, "
        f"from {started_from}, on {where}{processes}"
    )


def _loop_settings(request: RunRequest, division: BatchDivision, device: torch.device) -> LoopSettings:
    num_steps = request.resolved("num_steps")
    often = max(1, num_steps // 20)
    return LoopSettings(
        num_steps=num_steps,
        seed=request.seed,
        division=division,
        device=device,
        autocast=autocast_dtype(request.precision, device),
        log_every=request.log_every,
        checkpoint_every=request.checkpoint_every or min(1000, often),
        keep_every=math.ceil(num_steps / 5),
        picture_every=min(5000, often) if request.picture_every is None else request.picture_every,
        validate_every=request.steps_between_validations,
    )
