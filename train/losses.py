"""Losses of the propagation network. B batch, N objects, H W pixels."""

import torch
from torch import Tensor
from torch.nn import functional as F

from ..datagen.corpus.records import IGNORE_ID
from ..models.precision import at_least_float32


def bootstrapped_cross_entropy(log_odds: Tensor, labels: Tensor, exists: Tensor, kept: float) -> Tensor:
    """Cross-entropy over each sample's hardest pixels, averaged over the batch.

    log_odds (B, N + 1, H, W), background first; labels int64 (B, H, W) in 0..N, or 255: no loss there; exists (B, N),
    0 for an object that a sample does not have: its class is left out of the softmax, as published; kept in (0, 1] is
    the fraction of pixels, hardest first and per sample, that count. Scalar, float32 or
    wider. Source: MiVOS, `losses.py`.
    """
    absent = torch.cat([torch.zeros_like(exists[:, :1]), 1 - exists], dim=1).bool()
    classes = at_least_float32(log_odds).masked_fill(absent[:, :, None, None], float("-inf"))
    pixels = F.cross_entropy(classes, labels, ignore_index=IGNORE_ID, reduction="none").flatten(1)
    if kept < 1:
        pixels = pixels.topk(max(1, int(pixels.shape[1] * kept)), dim=1, sorted=False).values
    return pixels.mean()


def mean_iou(predicted: Tensor, labels: Tensor, exists: Tensor) -> Tensor:
    """Mean intersection over union of the objects that exist and are visible or predicted; 1 when there are none.

    predicted, labels integer (B, H, W) in 0..N, labels of 255 are passed over; exists (B, N). Scalar, float32.
    """
    ids = torch.arange(1, exists.shape[1] + 1, device=labels.device).view(1, -1, 1, 1)
    ours, theirs = (predicted[:, None] == ids) & (labels[:, None] != IGNORE_ID), labels[:, None] == ids
    intersection = (ours & theirs).sum(dim=(2, 3)).float()
    union = (ours | theirs).sum(dim=(2, 3)).float()
    counted = exists.bool() & (union > 0)
    ratio = torch.where(counted, intersection / union.clamp(min=1), torch.zeros_like(union))
    return torch.where(counted.any(), ratio.sum() / counted.sum().clamp(min=1), torch.ones_like(ratio.sum()))
