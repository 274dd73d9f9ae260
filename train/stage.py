"""What a training stage is: one literal of data, network, step function, optimiser, schedule and start point."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from torch import Tensor, nn

from .networks import NetworkKind
from .schedule import BootstrapSchedule, JumpCurriculum, LearningRateSchedule


@dataclass(frozen=True, kw_only=True)
class Scheduled:
    """The values of one step that depend on how far the run is; position is the share that is done, in [0, 1)."""

    learning_rate: float
    kept_fraction: float
    max_jump: int
    position: float = 0.0


@dataclass(frozen=True, kw_only=True)
class StepResult:
    """Loss to minimise (the mean over the batch's samples), scalars to log, and predicted ids for pictures.

    predicted: integer (B, T, H, W) of the last T frames of the samples; None where one of several is not shown.
    """

    loss: Tensor
    metrics: Mapping[str, Tensor]
    predicted: Tensor | None


class StepFunction(Protocol):
    """Forward pass of one step: pure given network, batch, rng and the scheduled values.

    A stage with a companion gets that frozen network as keyword `companion`. A generator gets an optimiser step after
    every result; how many it yields may depend on `scheduled` and the step's settings alone.
    """

    def __call__(
        self, network: nn.Module, batch: Mapping[str, Any], rng: np.random.Generator, scheduled: Scheduled, **_: Any
    ) -> StepResult | Iterator[StepResult]: ...


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A training stage.

    `data` is a kind of data, see `batches`; `sample_settings` are keyword arguments of its samples, `step_settings` of
    its step. `batch_size` is that of all processes together, a multiple of `micro_batch`: the samples over which batch
    statistics are taken, whatever the number of processes. `train_batch_norm_until` is the fraction of the steps for
    which batch-norm statistics are learnt: 0 is the published setting (frozen ImageNet statistics), 1 never freezes.
    `companion` is the kind of a frozen network that the step needs besides. `frozen` names sub-networks that stay as
    they are; with `needs_init` they must come trained, from a checkpoint of the same network. optimiser: with "sgd" the
    first of `betas` is the momentum. `sources` names the origin of each number, by field name.
    """

    name: str
    summary: str
    start_from: str
    network: NetworkKind
    size: str
    data: str
    step: StepFunction
    companion: str | None = None
    num_steps: int
    batch_size: int
    micro_batch: int
    crop_size: int
    learning_rate: LearningRateSchedule
    optimiser: Literal["adam", "sgd"] = "adam"
    weight_decay: float
    betas: tuple[float, float] = (0.9, 0.999)
    gradient_clip: float | None = None
    bootstrap: BootstrapSchedule
    curriculum: JumpCurriculum
    train_batch_norm_until: float
    frozen: tuple[str, ...] = ()
    needs_init: bool = False
    sample_settings: Mapping[str, Any] = field(default_factory=dict)
    step_settings: Mapping[str, Any] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # That the batch is a multiple of it is asked of the run, which may have another batch: `BatchDivision`.
        if self.micro_batch < 1:
            raise ValueError(f"micro_batch is {self.micro_batch}; give a positive number")
        if self.optimiser not in ("adam", "sgd"):
            raise ValueError(f"optimiser is {self.optimiser!r}; choose adam or sgd")
        if self.gradient_clip is not None and not 0 < self.gradient_clip < math.inf:
            raise ValueError(f"gradient_clip is {self.gradient_clip}; give a positive norm, or None for no clipping")
        if not 0 <= self.weight_decay < math.inf:
            raise ValueError(f"weight_decay is {self.weight_decay}; give 0 or more")
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"betas are {self.betas}; each must be at least 0 and below 1")
        if not 0 <= self.train_batch_norm_until <= 1:
            raise ValueError(f"train_batch_norm_until is {self.train_batch_norm_until}; give a fraction from 0 to 1")

    def at(self, step: int, num_steps: int) -> Scheduled:
        """The scheduled values of step `step` (0-based) of a run of `num_steps`."""
        return Scheduled(
            learning_rate=self.learning_rate.at(step, num_steps),
            kept_fraction=self.bootstrap.at(step, num_steps),
            max_jump=self.curriculum.at(step, num_steps),
            position=step / num_steps,
        )

    def trains_batch_norm(self, step: int, num_steps: int) -> bool:
        """Whether batch-norm statistics are learnt in step `step`."""
        return step < round(self.train_batch_norm_until * num_steps)
