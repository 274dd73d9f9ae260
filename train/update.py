"""The gradient of one global batch: the same for any number of processes, micro-batch by micro-batch."""

import contextlib
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .batch_statistics import BatchStatistics
from .convolution_gradients import backward_mode
from .distributed import ALONE, RankGroup
from .micro_batches import Batch, BatchDivision, rows_of
from .stage import Scheduled, Stage, StepResult

STEP_STREAM = 3


@dataclass(frozen=True, kw_only=True)
class UpdateResult:
    """One global batch: means over its samples, and the norm of the gradient before it was clipped.

    failed_ranks: the processes whose own loss or gradient is not finite; then the network has no usable gradient.
    predicted: of the first forward pass of this process, see `StepResult`.
    """

    loss: float
    gradient_norm: float
    metrics: dict[str, float]
    predicted: Tensor | None
    failed_ranks: tuple[int, ...]


class GlobalUpdate:
    """Computes gradients of global batches, of which each process of the group gets its share.

    The gradient is that of the mean loss over the global batch's samples. Batch statistics are over micro-batches, and
    the running statistics are merged in the order of the micro-batches on every process. What a step draws comes from
    a generator of (seed, step), made anew for every forward pass.
    companion: the frozen network that the stage's step needs besides.
    """

    def __init__(
        self,
        network: nn.Module,
        stage: Stage,
        division: BatchDivision,
        *,
        seed: int,
        device: torch.device,
        autocast: torch.dtype | None = None,
        companion: nn.Module | None = None,
        group: RankGroup = ALONE,
    ) -> None:
        self._network, self._stage, self._division, self._group = network, stage, division, group
        self._seed, self._device, self._autocast = seed, device, autocast
        self._keywords = {**({} if companion is None else {"companion": companion}), **stage.step_settings}
        self._parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
        self._statistics = BatchStatistics(network)

    def __call__(self, share: Batch, step: int, scheduled: Scheduled, learns_statistics: bool) -> UpdateResult:
        """Leave the clipped gradient of the global batch in the network, and its running statistics moved.

        share: this process's samples of the global batch of `step`, on the device. learns_statistics: whether the
        network's batch norm is in training mode.
        """
        assert len(share["rgb"]) == self._division.share, f"{len(share['rgb'])} samples of {self._division.share}"
        for parameter in self._parameters:
            parameter.grad = None
        sums: dict[str, Tensor] = {}
        predicted = None
        for rows in self._division.forward_passes(learns_statistics):
            weight = len(rows) / self._division.batch_size
            recording = self._statistics.micro_batch() if learns_statistics else contextlib.nullcontext()
            with recording:
                result = self._forward(rows_of(share, rows), step, scheduled)
            with backward_mode(self._device, self._autocast):
                (result.loss * weight).backward()
            predicted = result.predicted if predicted is None else predicted
            for name, value in {**result.metrics, "loss": result.loss.detach()}.items():
                sums[name] = sums.get(name, 0.0) + value.double() * weight
        losses, failed = self._exchange(sums)
        if failed:
            return UpdateResult(
                loss=losses["loss"],
                gradient_norm=math.nan,
                metrics=losses,
                predicted=predicted,
                failed_ranks=failed,
            )
        self._statistics.merge(self._group.gather)
        self._group.sum_gradients(self._parameters)
        norm = self._clip(self._stage.gradient_clip or math.inf).item()
        return UpdateResult(
            loss=losses["loss"],
            gradient_norm=norm,
            metrics=losses,
            predicted=predicted,
            failed_ranks=() if math.isfinite(norm) else (0,),
        )

    def _forward(self, micro_batch: dict[str, Any], step: int, scheduled: Scheduled) -> StepResult:
        rng = step_generator(self._seed, step)
        with torch.autocast(self._device.type, self._autocast, enabled=self._autocast is not None):
            return self._stage.step(self._network, micro_batch, rng, scheduled, **self._keywords)

    def _exchange(self, sums: dict[str, Tensor]) -> tuple[dict[str, float], tuple[int, ...]]:
        """Return the metrics of the global batch and the ranks whose loss or gradient is not finite, by one message."""
        names = sorted(sums)
        # Alone, the norm that is clipped by tells the same.
        norm = self._clip(math.inf) if self._group.num_ranks > 1 else torch.zeros(())
        own = torch.stack([sums[name] for name in names] + [norm.to(self._device).double()])
        rows = self._group.gather(own[None])
        finite = torch.isfinite(rows[:, [names.index("loss"), -1]]).all(dim=1)
        values = torch.cat([rows.sum(dim=0)[:-1], finite.double()]).tolist()
        metrics = dict(zip(names, values, strict=False))
        return metrics, tuple(rank for rank, good in enumerate(values[len(names) :]) if not good)

    def _clip(self, largest: float) -> Tensor:
        """Scale the gradient down to a largest norm, and return the norm before that."""
        return nn.utils.clip_grad_norm_(self._parameters, largest)


def step_generator(seed: int, step: int) -> np.random.Generator:
    """The step's own generator; torch's global one is seeded with it, so that a resume needs neither's state."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(STEP_STREAM, step)))
    torch.manual_seed(int(rng.integers(2**63)))
    return rng
