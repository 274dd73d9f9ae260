"""The optimiser of a stage, over all parameters of its network, and its rate, which the loop sets at every step."""

import torch
from torch import nn

from .stage import Stage


def make_optimiser(network: nn.Module, stage: Stage) -> torch.optim.Optimizer:
    """Adam, or stochastic gradient descent whose momentum is the first of the betas.

    A network may give each parameter a share of the rate under the latter (`learning_rate_factors`); parameters of one
    share are a group, whose key "factor" it is, multiplied with the scheduled rate.
    """
    if stage.optimiser == "adam":
        return torch.optim.Adam(
            network.parameters(),
            lr=stage.learning_rate.peak,
            betas=stage.betas,
            weight_decay=stage.weight_decay,
            fused=True,
        )
    factors = getattr(network, "learning_rate_factors", lambda: ((one, 1.0) for one in network.parameters()))
    groups: dict[float, list[nn.Parameter]] = {}
    for parameter, factor in factors():
        groups.setdefault(factor, []).append(parameter)
    return torch.optim.SGD(
        [{"params": group, "factor": factor} for factor, group in groups.items()],
        lr=stage.learning_rate.peak,
        momentum=stage.betas[0],
        weight_decay=stage.weight_decay,
    )


def set_learning_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Set the rate of the next update, of which each group takes its share."""
    for group in optimiser.param_groups:
        group["lr"] = rate * group.get("factor", 1.0)
