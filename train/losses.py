"""Losses and scores of a step. B batch, N objects, H W pixels."""

import math
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from ..datagen.corpus.records import IGNORE_ID
from ..models.precision import at_least_float32


def bootstrapped_cross_entropy(log_odds: Tensor, labels: Tensor, exists: Tensor, kept: float) -> Tensor:
    """Cross-entropy over each sample's hardest pixels, averaged over the samples.

    log_odds (B, N + 1, H, W), background first; labels int64 (B, H, W) in 0..N, or 255: not a pixel of the sample;
    exists (B, N), 0 for an object that a sample does not have: its class is left out of the softmax, as published; kept
    in (0, 1] is the fraction of a sample's pixels with a label, hardest first, that count. A sample without any has
    loss 0. Scalar, float32 or wider. Source: MiVOS, `losses.py`.
    """
    absent = torch.cat([torch.zeros_like(exists[:, :1]), 1 - exists], dim=1).bool()
    classes = at_least_float32(log_odds).masked_fill(absent[:, :, None, None], float("-inf"))
    pixels = F.cross_entropy(classes, labels, ignore_index=IGNORE_ID, reduction="none").flatten(1)
    num_kept = (labels != IGNORE_ID).flatten(1).sum(dim=1)
    if kept < 1:
        num_kept = (num_kept.double() * kept).long().clamp(min=1)
        # As many as a sample without ignored pixels keeps: one shape for all, known without asking the device.
        pixels = pixels.topk(max(1, int(pixels.shape[1] * kept)), dim=1).values
        counts = torch.arange(pixels.shape[1], device=pixels.device) < num_kept[:, None]
        pixels = pixels.where(counts, 0)
    # Ignored pixels have loss 0, and no loss is below it, so that they add nothing.
    return (pixels.sum(dim=1) / num_kept.clamp(min=1)).mean()


def class_balanced_cross_entropy(logits: Tensor, labels: Tensor, reduction: Literal["sum", "mean"] = "sum") -> Tensor:
    """Binary cross-entropy in which the object and the rest of a sample weigh alike, averaged over the samples.

    logits (B, H, W) or (B, 1, H, W) of the object; labels integer (B, H, W), 1 on it, 0 off it, 255 not counted. The
    object's pixels weigh by the share of the others among the counted, the others' by the object's share. Over each
    sample's pixels the `sum`, as published for OSVOS, or the `mean`, which a learning rate of another resolution
    outlives. A sample without any object, or with nothing else, has loss 0, as published. Scalar, float32 or wider.
    Sources: HED (Xie and Tu, ICCV 2015, Eq. 2); OSVOS, `osvos_layers.py`; ATNet trains by it as well.
    """
    if reduction not in ("sum", "mean"):
        raise ValueError(f"reduction is {reduction!r}; choose 'sum' or 'mean'")
    logits = at_least_float32(logits).reshape(labels.shape)
    inside, outside = (labels == 1).to(logits.dtype), (labels == 0).to(logits.dtype)
    num_inside, num_outside = inside.flatten(1).sum(dim=1), outside.flatten(1).sum(dim=1)
    num_counted = (num_inside + num_outside).clamp(min=1)
    pixels = F.binary_cross_entropy_with_logits(logits, inside, reduction="none")
    on_object, elsewhere = ((pixels * part).flatten(1).sum(dim=1) for part in (inside, outside))
    losses = (num_outside * on_object + num_inside * elsewhere) / num_counted
    return (losses if reduction == "sum" else losses / num_counted).mean()


def mean_iou(predicted: Tensor, labels: Tensor, exists: Tensor) -> Tensor:
    """Intersection over union, averaged over the objects of each sample, then over the samples.

    Objects count that exist and are visible or predicted; a sample without any counts 1: nothing was asked for and
    nothing was found. So the mean over a batch is that of its parts' means, however it is divided into equal parts.
    predicted, labels integer (B, H, W) in 0..N, labels of 255 are passed over; exists (B, N). Scalar, float32.
    """
    ids = torch.arange(1, exists.shape[1] + 1, device=labels.device).view(1, -1, 1, 1)
    ours, theirs = (predicted[:, None] == ids) & (labels[:, None] != IGNORE_ID), labels[:, None] == ids
    intersection = (ours & theirs).sum(dim=(2, 3)).float()
    union = (ours | theirs).sum(dim=(2, 3)).float()
    counted = exists.bool() & (union > 0)
    ratio = torch.where(counted, intersection / union.clamp(min=1), torch.zeros_like(union))
    num_counted = counted.sum(dim=1)
    samples = torch.where(num_counted > 0, ratio.sum(dim=1) / num_counted.clamp(min=1), torch.ones_like(ratio[:, 0]))
    return samples.mean()


def matching_loss(query_keys: Tensor, memory_keys: Tensor, matches: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy of the affinity of a memory read against the cells that truly match, and the share of hits.

    query_keys, memory_keys (B, Ck, h, w); matches int64 (B, h * w), the memory cell that each query cell shows, or -1
    for none. The affinity is that of `models.memory.read`: scaled dot products, softmax over the memory cells. Both are
    scalars: means over each sample's cells that match (0 without any), then over the samples.
    """
    queries, keys = (at_least_float32(x).flatten(2) for x in (query_keys, memory_keys))
    with torch.autocast(queries.device.type, enabled=False):
        affinity = torch.bmm(queries.transpose(1, 2), keys) / math.sqrt(queries.shape[1])
    known = matches >= 0
    per_cell = F.cross_entropy(affinity.transpose(1, 2), matches, ignore_index=-1, reduction="none")
    hits = known & (affinity.max(dim=2).indices == matches)
    num_known = known.sum(dim=1).clamp(min=1)
    return (per_cell.sum(dim=1) / num_known).mean(), (hits.sum(dim=1) / num_known).mean()
