"""The gradient of one global batch: the same for any number of processes, micro-batch by micro-batch."""

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .batch_statistics import BatchStatistics
from .convolution_gradients import backward_mode
from .distributed import ALONE, RankGroup
from .micro_batches import Batch, BatchDivision, rows_of
from .stage import Scheduled, Stage, StepResult
from .step_results import mean_metrics

STEP_STREAM = 3


@dataclass(frozen=True, kw_only=True)
class UpdateResult:
    """One prediction of a global batch: means over its samples, and the norm of the gradient before it was clipped.

    failed_ranks: the processes whose own loss or gradient is not finite; then the network has no usable gradient.
    predicted: of the first forward pass of this process, see `StepResult`; None where the step shows nothing.
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
    A step that is a generator yields as many predictions for every share of a batch, as many as `Scheduled` and its
    settings tell. All micro-batches go in lockstep: each prediction is made of the whole batch, on every process, with
    the weights that the updates before have left.
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

    def __call__(
        self, share: Batch, step: int, scheduled: Scheduled, learns_statistics: bool
    ) -> Iterator[UpdateResult]:
        """Yield once for every prediction of the step, most steps have one, for the caller to move the weights.

        At every yield the clipped gradient of the global batch is in the network, and its running statistics moved.
        share: this process's samples of the global batch of `step`, on the device. learns_statistics: whether the
        network's batch norm is in training mode.
        """
        assert len(share["rgb"]) == self._division.share, f"{len(share['rgb'])} samples of {self._division.share}"
        running = [
            (len(rows), self._predictions(rows_of(share, rows), step, scheduled))
            for rows in self._division.forward_passes(learns_statistics)
        ]
        is_last = False
        while not is_last:
            result, is_last = self._update(running, learns_statistics)
            if result is not None:
                yield result

    def _update(
        self, running: list[tuple[int, Iterator[tuple[StepResult | None, bool]]]], learns_statistics: bool
    ) -> tuple[UpdateResult | None, bool]:
        """Take the next prediction of every forward pass, None when there are no more; and whether it is the last."""
        for parameter in self._parameters:
            parameter.grad = None
        sums: dict[str, Tensor] = {}
        predicted, ends = None, []
        for index, (num_rows, results) in enumerate(running):
            weight = num_rows / self._division.batch_size
            recording = self._statistics.micro_batch() if learns_statistics else contextlib.nullcontext()
            with recording, torch.autocast(self._device.type, self._autocast, enabled=self._autocast is not None):
                result, is_last = next(results)
            ends.append(is_last)
            if result is None:
                continue
            # A prediction of a frozen part alone, such as one of IPN's two networks, teaches nothing.
            if result.loss.requires_grad:
                with backward_mode(self._device, self._autocast):
                    (result.loss * weight).backward()
            predicted = result.predicted if index == 0 else predicted
            for name, value in {**result.metrics, "loss": result.loss.detach()}.items():
                sums[name] = sums.get(name, 0.0) + value.double() * weight
        assert len(set(ends)) == 1, "the parts of a batch have different numbers of predictions"
        if not sums:
            self._statistics.forget()
            return None, True
        metrics, failed = self._exchange(sums)
        norm = math.nan
        if not failed:
            self._statistics.merge(self._group.gather)
            self._group.sum_gradients(self._parameters)
            norm = self._clip(self._stage.gradient_clip or math.inf).item()
            # A process alone has looked at its loss only; of several, finite gradients may have a sum that is not.
            failed = () if math.isfinite(norm) else (0,)
        result = UpdateResult(
            loss=metrics["loss"], gradient_norm=norm, metrics=metrics, predicted=predicted, failed_ranks=failed
        )
        return result, ends[0] or bool(failed)

    def _predictions(
        self, micro_batch: dict[str, Any], step: int, scheduled: Scheduled
    ) -> Iterator[tuple[StepResult | None, bool]]:
        """Yield the step's results and whether no other follows; a generator's end is a None of its own."""
        # Nothing runs before the first result is asked for: then all of it is under the context of who asks.
        rng = step_generator(self._seed, step)
        answer = self._stage.step(self._network, micro_batch, rng, scheduled, **self._keywords)
        if isinstance(answer, StepResult):
            yield answer, True
            return
        for result in answer:
            yield result, False
        yield None, True

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


def mean_update(results: list[UpdateResult]) -> UpdateResult:
    """Return the means over the predictions of one batch, with the last picture that one of them has."""
    if len(results) == 1:
        return results[0]
    predicted = next((one.predicted for one in reversed(results) if one.predicted is not None), None)
    metrics = mean_metrics([{**one.metrics, "gradient_norm": one.gradient_norm} for one in results])
    norm = metrics.pop("gradient_norm")
    return replace(results[-1], loss=metrics["loss"], gradient_norm=norm, metrics=metrics, predicted=predicted)


def step_generator(seed: int, step: int) -> np.random.Generator:
    """The step's own generator; torch's global one is seeded with it, so that a resume needs neither's state."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(STEP_STREAM, step)))
    torch.manual_seed(int(rng.integers(2**63)))
    return rng
