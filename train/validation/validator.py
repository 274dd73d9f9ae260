"""What a validation is: measures, pictures and a score of a network, taken between two steps of its training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn


@dataclass(frozen=True, kw_only=True)
class Validation:
    """What a validator found.

    metrics: name -> value, names unique among the validators of a run. pictures: name -> uint8 (H, W, 3), RGB.
    score: the higher the better; it chooses the best checkpoint. measured: what the score measures, as plain data with
    its "metric" by name; scores are compared only where it is the same. Empty where that is not told.
    """

    metrics: Mapping[str, float]
    pictures: Mapping[str, np.ndarray] = field(default_factory=dict)
    score: float | None = None
    measured: Mapping[str, Any] = field(default_factory=dict)


class Validator(Protocol):
    """Measures a network after `step` finished steps; the same weights give the same numbers at every step.

    The caller puts the network into evaluation mode, and back.
    """

    name: str

    def __call__(self, network: nn.Module, step: int) -> Validation: ...


def validate(network: nn.Module, validators: Sequence[Validator], step: int) -> Validation:
    """Ask all validators; the score is that of the first one that gives one.

    They see the network in evaluation mode, without gradients. Afterwards the modes of all its modules and torch's
    random generators are what they were before, so that validating changes no later step.
    """
    training = {module: module.training for module in network.modules()}
    devices = sorted({parameter.device.index or 0 for parameter in network.parameters() if parameter.is_cuda})
    network.eval()
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=devices):
            found = [validator(network, step) for validator in validators]
    finally:
        for module, mode in training.items():
            module.training = mode
    metrics = {name: float(value) for one in found for name, value in one.metrics.items()}
    pictures = {name: picture for one in found for name, picture in one.pictures.items()}
    scoring = next((one for one in found if one.score is not None), Validation(metrics={}))
    return Validation(metrics=metrics, pictures=pictures, score=scoring.score, measured=scoring.measured)
