"""Soft aggregation: single-object probabilities to one distribution over background and objects (STM, Sec. 3.4)."""

import torch
from torch import Tensor

from .precision import at_least_float32

EPSILON = 1e-7


def aggregate_logits(probabilities: Tensor, dim: int = 0) -> Tensor:
    """Log-odds of background and objects: N objects along `dim` become N + 1 classes, background first.

    Background is the product of (1 - p); all are clamped to [1e-7, 1 - 1e-7]. Computed in at least float32: in
    bfloat16 the clamp rounds to 0 and 1.
    """
    probabilities = at_least_float32(probabilities)
    background = (1 - probabilities).prod(dim=dim, keepdim=True)
    classes = torch.cat([background, probabilities], dim=dim).clamp(EPSILON, 1 - EPSILON)
    return torch.log(classes) - torch.log1p(-classes)


def hard_labels(masks: Tensor, dim: int = 0) -> Tensor:
    """The class with the largest share: 0 for the background, n for the n-th of N objects along `dim`, which goes.

    masks: in [0, 1], N objects along `dim` that leave the rest to the background -> int64.
    """
    return most_likely(torch.cat([1 - masks.sum(dim=dim, keepdim=True), masks], dim=dim), dim)


def most_likely(classes: Tensor, dim: int = 0) -> Tensor:
    """The class with the largest value along `dim`, which goes, the first of equal ones: int64.

    On a CPU argmax takes twenty times as long where `dim` is not the last.
    """
    return classes.max(dim=dim).indices


def soft_aggregate(probabilities: Tensor, dim: int = 0) -> Tensor:
    """Probabilities of background and objects, summing to one along `dim`, at least float32.

    probabilities: N objects along `dim`, each in [0, 1] -> N + 1 classes along `dim`, background first.
    """
    return aggregate_logits(probabilities, dim).softmax(dim=dim)
