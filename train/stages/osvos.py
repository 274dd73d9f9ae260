"""The parent network of OSVOS (Caelles et al., CVPR 2017), which Benard and Gygli tune to every video. B batch."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import torch

from ...models.osvos import OSVOSNetwork
from ..losses import class_balanced_cross_entropy, mean_iou
from ..networks import OSVOS
from ..schedule import BootstrapSchedule, JumpCurriculum, LearningRateSchedule
from ..stage import Scheduled, Stage, StepResult


def parent_step(
    network: OSVOSNetwork,
    batch: Mapping[str, Any],
    rng: np.random.Generator,
    scheduled: Scheduled,
    *,
    reduction: Literal["sum", "mean"] = "sum",
) -> StepResult:
    """Tell the foreground from the background of single pictures.

    batch: rgb (B, 3, H, W) in [0, 1], labels (B, H, W) in {0, 1, 255}. The loss is class-balanced, over the pixels of a
    picture the sum or the mean; those of the sides (deep supervision) weigh less the further the run is, by 1 to 0.
    predicted is (B, 1, H, W).
    """
    labels = batch["labels"]
    *sides, answer = network(batch["rgb"])
    loss = class_balanced_cross_entropy(answer, labels, reduction)
    # As published, the fused loss counts in full throughout.
    weight = 1 - scheduled.position
    deep = sum(class_balanced_cross_entropy(side, labels, reduction) for side in sides)
    with torch.no_grad():
        predicted = (answer[:, 0] > 0).long()
        exists = torch.ones(len(labels), 1, device=labels.device)
        metrics = {"fused_loss": loss.detach(), "iou": mean_iou(predicted, labels, exists)}
    return StepResult(loss=loss + weight * deep, metrics=metrics, predicted=predicted[:, None])


OSVOS_PARENT = Stage(
    name="osvos-parent",
    summary="Parent network of OSVOS: foreground against background in single pictures; the published numbers.",
    start_from="ImageNet VGG-16 (--init)",
    network=OSVOS,
    size="full",
    data="foregrounds",
    step=parent_step,
    num_steps=49_920,
    batch_size=10,
    micro_batch=1,
    crop_size=480,
    optimiser="sgd",
    learning_rate=LearningRateSchedule(peak=1e-8),
    weight_decay=2e-4,
    betas=(0.9, 0.999),
    bootstrap=BootstrapSchedule(start=0.0, end=1.0, kept=1.0),
    curriculum=JumpCurriculum(jumps=(1,), switch_at=()),
    train_batch_norm_until=0.0,
    sample_settings={
        "objects": "union",
        "scale": (0.75, 1.25),
        "several_scale": (0.75, 1.25),
        "rotation_degrees": 30.0,
        "flip_probability": 0.5,
    },
    step_settings={"reduction": "sum"},
    sources={
        "data": "DAVIS 2016 train, 2,079 pictures",
        "num_steps": "train_parent.py: 240 epochs of 2,079 pictures, an update for every ten",
        "batch_size": "train_parent.py: gradients of ten pictures are averaged",
        "micro_batch": "ours: published pictures come one by one; there are no batch statistics",
        "crop_size": "ours: published are whole pictures of 854x480; here squares of their shorter side",
        "optimiser": "train_parent.py: SGD, momentum 0.9",
        "learning_rate": "train_parent.py: 1e-8 of the summed loss; sides' scores a tenth, fusion a hundredth, biases "
        "twice",
        "weight_decay": "train_parent.py: of weights, not of biases",
        "betas": "the first is the momentum",
        "gradient_clip": "none published",
        "bootstrap": "all pixels",
        "curriculum": "a still has no jumps",
        "train_batch_norm_until": "there is no batch norm",
        "sample_settings": "train_parent.py: flip, rotation of 30 degrees, scale; DAVIS 2016 has one foreground",
        "step_settings": "osvos_layers.py: the sum over the pixels",
    },
)

OSVOS_PARENT_MINI = replace(
    OSVOS_PARENT,
    name="osvos-parent-mini",
    summary="Small parent network of OSVOS from scratch; 20 minutes on 2 CPU cores.",
    start_from="scratch",
    size="small",
    num_steps=2_400,
    batch_size=8,
    micro_batch=4,
    crop_size=192,
    optimiser="adam",
    learning_rate=LearningRateSchedule(peak=1e-3, warmup=0.03, decay="cosine", factor=0.01),
    weight_decay=1e-7,
    gradient_clip=1.0,
    sample_settings=OSVOS_PARENT.sample_settings | {"short_side": 256},
    step_settings={"reduction": "mean"},
    sources=OSVOS_PARENT.sources
    | {
        "num_steps": "ours: what 2 cores do in 20 minutes; give --steps for more",
        "batch_size": "ours: as s2m-mini",
        "micro_batch": "ours: as s2m-mini",
        "crop_size": "ours: as s2m-mini",
        "optimiser": "ours: from scratch Adam needs no rate for every layer",
        "learning_rate": "ours: from scratch",
        "weight_decay": "ours: as s2m",
        "betas": "Adam's defaults",
        "gradient_clip": "ours: as s2m-mini",
        "step_settings": "ours: the mean, so that the rate holds for any crop",
        "sample_settings": OSVOS_PARENT.sources["sample_settings"]
        + "; ours: short_side, so that rendered frames of 256 lines keep their scale",
    },
)

OSVOS_STAGES = (OSVOS_PARENT, OSVOS_PARENT_MINI)
