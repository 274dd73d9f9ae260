"""What tests of all steps ask: whether a step learns, and whether its samples are apart."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from vosforge.train.stage import StepResult

Batch = dict[str, Any]


def rows(batch: Batch, chosen: list[int]) -> Batch:
    """These samples of a batch, in this order, without what is no tensor."""
    return {name: value[chosen] for name, value in batch.items() if isinstance(value, torch.Tensor)}


def without_gradient(network: nn.Module, least: float = 0.0) -> list[str]:
    """The names of the parameters whose gradient is nowhere larger than `least`, or not there."""
    return [name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().max() > least]


def learn(
    optimiser: torch.optim.Optimizer, num_steps: int, take_step: Callable[[int], StepResult], rate: float
) -> tuple[list[float], StepResult]:
    """Take steps at one rate; return the loss of each, and the last result. take_step: step number -> result."""
    losses = []
    for group in optimiser.param_groups:
        group["lr"] = rate
    for step in range(num_steps):
        result = take_step(step)
        optimiser.zero_grad()
        result.loss.backward()
        optimiser.step()
        losses.append(result.loss.item())
    return losses, result


def assert_samples_are_apart(take_step: Callable[[Batch], StepResult], batch: Batch, rel: float) -> None:
    """Of a batch of four: the loss is the mean of that of its halves and does not depend on the order; nor do the ids.

    rel: relative tolerance of the losses.
    """
    whole = take_step(batch)
    halves = [take_step(rows(batch, chosen)) for chosen in ([0, 1], [2, 3])]
    assert whole.loss.item() == pytest.approx(sum(half.loss.item() for half in halves) / 2, rel=rel)
    turned = take_step(rows(batch, [3, 2, 1, 0]))
    assert turned.loss.item() == pytest.approx(whole.loss.item(), rel=rel)
    assert torch.equal(turned.predicted.flip(0), whole.predicted)
