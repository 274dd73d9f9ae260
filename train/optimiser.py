"""The optimiser of a stage, over all parameters of its network, and its rate, which the loop sets at every step."""

import torch
from torch import nn

from .stage import Stage


def make_optimiser(network: nn.Module, stage: Stage) -> torch.optim.Optimizer:
    """Adam, or stochastic gradient descent whose momentum is the first of the betas."""
    if stage.optimiser == "adam":
        return torch.optim.Adam(
            network.parameters(),
            lr=stage.learning_rate.peak,
            betas=stage.betas,
            weight_decay=stage.weight_decay,
            fused=True,
        )
    return make_sgd(network, rate=stage.learning_rate.peak, momentum=stage.betas[0], weight_decay=stage.weight_decay)


def make_sgd(network: nn.Module, *, rate: float, momentum: float, weight_decay: float) -> torch.optim.SGD:
    """Stochastic gradient descent over all parameters.

    A network may give each parameter its shares of rate and weight decay (`optimiser_factors`); parameters of the same
    shares are a group, whose key "factor" is that of the rate.
    """
    factors = getattr(network, "optimiser_factors", lambda: ((one, 1.0, 1.0) for one in network.parameters()))
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for parameter, *shares in factors():
        groups.setdefault(tuple(shares), []).append(parameter)
    return torch.optim.SGD(
        [
            {"params": group, "factor": factor, "lr": rate * factor, "weight_decay": weight_decay * decay}
            for (factor, decay), group in groups.items()
        ],
        momentum=momentum,
    )


def set_learning_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Set the rate of the next update, of which each group takes its share."""
    for group in optimiser.param_groups:
        group["lr"] = rate * group.get("factor", 1.0)
