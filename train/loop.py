"""The one training loop: any stage, any network, batches by step number.

Pure in (checkpoint, batches): N steps equal N/2, resume, N/2, bit for bit on CPU.
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..models.propagation import train_batch_norm
from .checkpoint import checkpoint_content, save_atomically
from .log import MetricsLog, MetricWindow, prediction_picture, write_picture
from .stage import Scheduled, Stage

Batch = Mapping[str, Any]
STEP_STREAM = 3


class TrainingFailed(RuntimeError):
    """Training cannot go on; the message says why and where the evidence lies."""


@dataclass(frozen=True, kw_only=True)
class LoopSettings:
    """What the loop needs besides the stage; none of the `*_every` (in steps, 0 is never) changes the weights."""

    num_steps: int
    seed: int
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


def make_optimiser(network: nn.Module, stage: Stage) -> torch.optim.Adam:
    """Adam over all parameters; the rate is set at every step."""
    return torch.optim.Adam(
        network.parameters(),
        lr=stage.learning_rate.peak,
        betas=stage.betas,
        weight_decay=stage.weight_decay,
        fused=True,
    )


def train(
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    stage: Stage,
    settings: LoopSettings,
    folder: Path,
    *,
    start_step: int,
    window: MetricWindow,
    batches: Callable[[int], Iterator[Batch]],
    validation: Callable[[], Iterable[Batch]] | None,
    log: MetricsLog,
    report: Callable[[LoopReport], None],
    stop: Callable[[], bool],
) -> int:
    """Run steps start_step .. num_steps - 1 and return the number of finished steps.

    `batches(step)` yields one batch a step from `step` on; `stop()` true ends the run early after a checkpoint. Writes
    folder/checkpoints, pictures and metrics. Raises TrainingFailed on a loss or gradient that is not finite, with the
    batch saved.
    """
    learns_statistics = None
    started, seen = time.perf_counter(), 0
    step, saved = start_step, start_step
    stream = batches(start_step)
    stopping = stop()
    while step < settings.num_steps and not stopping:
        batch = to_device(next(stream), settings.device)
        scheduled = stage.at(step, settings.num_steps)
        if learns_statistics != stage.trains_batch_norm(step, settings.num_steps):
            learns_statistics = stage.trains_batch_norm(step, settings.num_steps)
            train_batch_norm(network, learns_statistics)
        for group in optimiser.param_groups:
            group["lr"] = scheduled.learning_rate
        rng = step_generator(settings.seed, step)
        with torch.autocast(settings.device.type, settings.autocast, enabled=settings.autocast is not None):
            result = stage.step(network, batch, rng, scheduled)
        optimiser.zero_grad(set_to_none=True)
        result.loss.backward()
        norm = nn.utils.clip_grad_norm_(network.parameters(), stage.gradient_clip or math.inf)
        loss, norm = result.loss.item(), norm.item()
        if not (math.isfinite(loss) and math.isfinite(norm)):
            _fail(folder, step, batch, scheduled, loss, norm, saved)
        optimiser.step()
        step += 1
        seen += len(batch["rgb"])
        metrics = {
            "loss": loss,
            "gradient_norm": norm,
            **{name: float(value) for name, value in result.metrics.items()},
        }
        window.add(metrics)
        rate = seen / (time.perf_counter() - started)
        report(LoopReport(step=step, loss=loss, iou=metrics.get("iou", math.nan), samples_per_second=rate))
        if step % settings.log_every == 0 or step == settings.num_steps:
            log.write(step, {**window.means(), **_shown(scheduled), "samples_per_second": round(rate, 3)})
            window.clear()
        if _due(step, settings.picture_every, settings.num_steps):
            arrays = (_numpy(batch["rgb"]), _numpy(batch["labels"]), _numpy(result.predicted))
            write_picture(folder / "pictures" / f"step-{step:08d}.png", prediction_picture(*arrays))
        if validation is not None and _due(step, settings.validate_every, settings.num_steps):
            log.write(step, validate(network, stage, settings, validation(), scheduled), prefix="val")
            train_batch_norm(network, learns_statistics)
        # Asked once a step: a signal after this line ends the run after the next step's checkpoint.
        stopping = stop()
        keep = _due(step, settings.keep_every, settings.num_steps)
        if stopping or keep or _due(step, settings.checkpoint_every, settings.num_steps):
            content = checkpoint_content(
                network, stage=stage.name, step=step, optimiser=optimiser, window=window.state()
            )
            save_atomically(folder / "checkpoints" / "last.pt", content)
            if keep:
                save_atomically(folder / "checkpoints" / f"step-{step:08d}.pt", content)
            saved = step
    return step


def validate(
    network: nn.Module, stage: Stage, settings: LoopSettings, batches: Iterable[Batch], scheduled: Scheduled
) -> dict[str, float]:
    """Mean loss (over all pixels) and IoU on held-out batches, with the network in evaluation mode."""
    network.eval()
    window = MetricWindow()
    whole = Scheduled(learning_rate=scheduled.learning_rate, kept_fraction=1.0, max_jump=scheduled.max_jump)
    with torch.no_grad():
        for index, held_out in enumerate(batches):
            rng = step_generator(0, index)
            with torch.autocast(settings.device.type, settings.autocast, enabled=settings.autocast is not None):
                result = stage.step(network, to_device(held_out, settings.device), rng, whole)
            window.add({"val_loss": result.loss.item(), **{f"val_{k}": float(v) for k, v in result.metrics.items()}})
    return window.means()


def step_generator(seed: int, step: int) -> np.random.Generator:
    """The step's own generator; torch's global one is seeded with it, so that a resume needs neither's state."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(STEP_STREAM, step)))
    torch.manual_seed(int(rng.integers(2**63)))
    return rng


def to_device(batch: Batch, device: torch.device) -> dict[str, Any]:
    """The batch with its tensors on `device`."""
    return {
        name: value.to(device, non_blocking=True) if isinstance(value, Tensor) else value
        for name, value in batch.items()
    }


def _due(step: int, every: int, num_steps: int) -> bool:
    return every > 0 and (step % every == 0 or step == num_steps)


def _shown(scheduled: Scheduled) -> dict[str, float]:
    return {name: float(value) for name, value in vars(scheduled).items()}


def _numpy(tensor: Tensor) -> np.ndarray:
    return tensor.detach().float().cpu().numpy()


def _fail(folder: Path, step: int, batch: Batch, scheduled: Scheduled, loss: float, norm: float, saved: int) -> None:
    content = {"step": step, "loss": loss, "gradient_norm": norm, "scheduled": vars(scheduled)}
    path = save_atomically(folder / f"failed-batch-{step:08d}.pt", {**content, "batch": dict(batch)})
    raise TrainingFailed(
        f"step {step}: loss {loss}, gradient norm {norm}: not finite; the batch ({', '.join(batch.get('key', []))}) is "
        f"in {path}, the last checkpoint is of step {saved}; lower the learning rate or look at the batch"
    )
