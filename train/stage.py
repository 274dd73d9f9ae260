"""What a training stage is: one literal of data, network, step function, optimiser, schedule and start point."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from torch import Tensor, nn

from .schedule import BootstrapSchedule, JumpCurriculum, LearningRateSchedule


@dataclass(frozen=True, kw_only=True)
class Scheduled:
    """The values of one step that depend on how far the run is."""

    learning_rate: float
    kept_fraction: float
    max_jump: int


@dataclass(frozen=True, kw_only=True)
class StepResult:
    """Loss to minimise, scalars to log, and predicted ids (B, T, H, W) of the frames after the first, for pictures."""

    loss: Tensor
    metrics: Mapping[str, Tensor]
    predicted: Tensor


class StepFunction(Protocol):
    """Forward pass of one step: pure given network, batch, rng and the scheduled values."""

    def __call__(
        self, network: nn.Module, batch: Mapping[str, Any], rng: np.random.Generator, scheduled: Scheduled
    ) -> StepResult: ...


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A training stage.

    `sources` names the origin of each number, by field name. `train_batch_norm_until` is the fraction of the steps for
    which batch-norm statistics are learnt: 0 is the published setting (frozen ImageNet statistics), 1 never freezes.
    `sample_settings` are keyword arguments of `vosforge.datagen.samples.TripletSettings`.
    """

    name: str
    summary: str
    size: str
    start_from: str
    build: Callable[[str], nn.Module]
    step: StepFunction
    num_steps: int
    batch_size: int
    crop_size: int
    learning_rate: LearningRateSchedule
    weight_decay: float
    betas: tuple[float, float] = (0.9, 0.999)
    gradient_clip: float | None = None
    bootstrap: BootstrapSchedule
    curriculum: JumpCurriculum
    train_batch_norm_until: float
    sample_settings: Mapping[str, Any] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)

    def at(self, step: int, num_steps: int) -> Scheduled:
        """The scheduled values of step `step` (0-based) of a run of `num_steps`."""
        return Scheduled(
            learning_rate=self.learning_rate.at(step, num_steps),
            kept_fraction=self.bootstrap.at(step, num_steps),
            max_jump=self.curriculum.at(step, num_steps),
        )

    def trains_batch_norm(self, step: int, num_steps: int) -> bool:
        """Whether batch-norm statistics are learnt in step `step`."""
        return step < round(self.train_batch_norm_until * num_steps)
