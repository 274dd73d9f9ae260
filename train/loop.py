"""The one training loop: any stage, any network, batches by step number, on one process or on several.

Pure in (checkpoint, batches): N steps equal N/2, resume, N/2, bit for bit on CPU.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from ..models.propagation import train_batch_norm
from .checkpoint import save_atomically
from .clock import RunClock
from .distributed import ALONE, RankGroup
from .log import MetricsLog
from .micro_batches import Batch, BatchDivision, to_device
from .optimiser import set_learning_rate
from .pictures import batch_picture
from .run_checkpoints import RunCheckpoints, RunMemory
from .stage import Scheduled, Stage
from .update import GlobalUpdate, UpdateResult, mean_update
from .validation.validator import Validator, validate


class TrainingFailed(RuntimeError):
    """Training cannot go on; the message says why and where the evidence lies."""


@dataclass(frozen=True, kw_only=True)
class LoopSettings:
    """What the loop needs besides the stage; none of the `*_every` (in steps, 0 is never) changes the weights."""

    num_steps: int
    seed: int
    division: BatchDivision
    device: torch.device
    autocast: torch.dtype | None
    log_every: int
    checkpoint_every: int
    keep_every: int
    picture_every: int
    validate_every: int


@dataclass(frozen=True, kw_only=True)
class LoopReport:
    """One finished step, for a progress display."""

    step: int
    loss: float
    iou: float
    samples_per_second: float


def train(
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    stage: Stage,
    settings: LoopSettings,
    folder: Path,
    *,
    start_step: int,
    memory: RunMemory,
    batches: Callable[[int], Iterator[Batch]],
    validators: Sequence[Validator],
    log: MetricsLog | None,
    report: Callable[[LoopReport], None],
    announce: Callable[[str], None],
    stop: Callable[[], bool],
    companion: nn.Module | None = None,
    group: RankGroup = ALONE,
) -> int:
    """Run steps start_step .. num_steps - 1 and return the number of finished steps.

    `batches(step)` yields one batch a step from `step` on, of which a process of the group gets its share; `stop()`
    true in any process ends the run early after a checkpoint. The first process alone has a log, validates, and writes
    folder/checkpoints, pictures and metrics. Raises TrainingFailed on a loss or gradient that is not finite, with the
    batch saved by the process that saw it.
    """
    saving = RunCheckpoints(folder, network, optimiser, stage, memory, start_step, writes=group.is_first)
    update = GlobalUpdate(
        network,
        stage,
        settings.division,
        seed=settings.seed,
        device=settings.device,
        autocast=settings.autocast,
        companion=companion,
        group=group,
    )
    learns_statistics = None
    clock = RunClock(settings.division.batch_size, memory.seconds)
    step = start_step
    stream = batches(start_step)
    stopping = group.any(stop())
    while step < settings.num_steps and not stopping:
        with clock.waiting():
            batch = to_device(next(stream), settings.device)
        scheduled = stage.at(step, settings.num_steps)
        if learns_statistics != stage.trains_batch_norm(step, settings.num_steps):
            learns_statistics = stage.trains_batch_norm(step, settings.num_steps)
            train_batch_norm(network, learns_statistics)
            for name in stage.frozen:
                network.get_submodule(name).eval()
        set_learning_rate(optimiser, scheduled.learning_rate)
        results = []
        for result in update(batch, step, scheduled, learns_statistics):
            if result.failed_ranks:
                _fail(folder, step, batch, scheduled, result, saving.step, group)
            optimiser.step()
            results.append(result)
        result = mean_update(results)
        step += 1
        clock.steps += 1
        last = step == settings.num_steps
        if group.is_first:
            metrics = {"loss": result.loss, "gradient_norm": result.gradient_norm, **result.metrics}
            memory.window.add(metrics)
            iou, rate = metrics.get("iou", math.nan), clock.samples_per_second()
            report(LoopReport(step=step, loss=result.loss, iou=iou, samples_per_second=rate))
            if step % settings.log_every == 0 or last:
                log.write(step, {**memory.window.means(), **_shown(scheduled), **clock.metrics()})
                memory.window.clear()
            if _due(step, settings.picture_every, last) and result.predicted is not None:
                log.write_training_picture(step, batch_picture(batch, result.predicted))
            if validators and _due(step, settings.validate_every, last):
                with clock.stopped():
                    note = _validate(network, validators, step, log, memory, saving)
                if note:
                    announce(note)
        # Asked once a step: a signal after this line ends the run after the next step's checkpoint.
        stopping = group.any(stop())
        keep = _due(step, settings.keep_every, last)
        memory.seconds = clock.seconds()
        if stopping or keep or _due(step, settings.checkpoint_every, last):
            saving.save(step, keep)
    return step


def _validate(
    network: nn.Module,
    validators: Sequence[Validator],
    step: int,
    log: MetricsLog,
    memory: RunMemory,
    checkpoints: RunCheckpoints,
) -> str | None:
    found = validate(network, validators, step)
    log.write(step, found.metrics, prefix="val")
    log.write_pictures(step, found.pictures)
    if not memory.is_better(found.score, found.measured):
        return None
    return checkpoints.save_best(step, found.score, found.measured)


def _due(step: int, every: int, last: bool) -> bool:
    return every > 0 and (step % every == 0 or last)


def _shown(scheduled: Scheduled) -> dict[str, float]:
    return {name: float(value) for name, value in vars(scheduled).items()}


def _fail(
    folder: Path, step: int, batch: Batch, scheduled: Scheduled, result: UpdateResult, saved: int, group: RankGroup
) -> None:
    def file_of(rank: int) -> Path:
        return folder / f"failed-batch-{step:08d}{'' if group.num_ranks == 1 else f'-rank-{rank}'}.pt"

    if group.rank in result.failed_ranks:
        content = {"step": step, "loss": result.loss, "gradient_norm": result.gradient_norm}
        save_atomically(file_of(group.rank), {**content, "scheduled": vars(scheduled), "batch": dict(batch)})
    first = result.failed_ranks[0]
    where = ""
    if group.num_ranks > 1:
        where = f" in process {' and '.join(map(str, result.failed_ranks))} of {group.num_ranks}"
    keys = f" ({', '.join(batch.get('key', []))})" if group.rank == first else ""
    raise TrainingFailed(
        f"step {step}: loss {result.loss}, gradient norm {result.gradient_norm}: not finite{where}; the batch{keys} is "
        f"in {file_of(first)}, the last checkpoint is of step {saved}; lower the learning rate or look at the batch"
    )
