"""Stages of MiVOS (Cheng, Tai, Tang, CVPR 2021): the propagation network on rendered clips.

B batch, T frames (3), N objects (2), H W pixels.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...models.aggregate import aggregate_logits
from ...models.propagation import PropagationNetwork, size_named
from ..losses import bootstrapped_cross_entropy, mean_iou
from ..schedule import BootstrapSchedule, JumpCurriculum, LearningRateSchedule
from ..stage import Scheduled, Stage, StepResult


def build_propagation(size: str) -> PropagationNetwork:
    """A freshly initialised propagation network of a named size."""
    return PropagationNetwork(size_named(size))


def propagation_step(
    network: PropagationNetwork, batch: Mapping[str, Any], rng: np.random.Generator, scheduled: Scheduled
) -> StepResult:
    """Segment frames 1 and 2 of each triplet from frame 0's true masks.

    batch: rgb (B, 3, 3, H, W), masks (B, 3, 2, H, W), labels (B, 3, H, W), selector (B, 2), see the loader. Frame 1 is
    memorised with its predicted soft masks, gradients included. Objects lie in the batch dimension. Nothing is drawn.
    """
    rgb, masks, labels, selector = batch["rgb"], batch["masks"], batch["labels"], batch["selector"]
    num_samples, _, num_objects = masks.shape[:3]
    frames = rgb.transpose(0, 1)
    queries = network.encode_query(frames[1:3].flatten(0, 1))

    def memorize(frame: Tensor, objects: Tensor) -> tuple[Tensor, Tensor]:
        others = objects.sum(dim=1, keepdim=True) - objects
        repeated = frame.repeat_interleave(num_objects, dim=0)
        return network.memorize(repeated, objects.flatten(0, 1)[:, None], others.flatten(0, 1)[:, None])

    def segment(index: int, keys: list[Tensor], values: list[Tensor]) -> Tensor:
        query = queries.rows((index - 1) * num_samples, index * num_samples).for_objects(num_objects)
        logits = network.segment(query, torch.stack(keys, dim=2), torch.stack(values, dim=2))
        probabilities = logits.sigmoid().view(num_samples, num_objects, *logits.shape[-2:])
        return aggregate_logits(probabilities * selector[:, :, None, None], dim=1)

    key0, value0 = memorize(frames[0], masks[:, 0])
    log_odds1 = segment(1, [key0], [value0])
    # The published network memorises the aggregated (jointly normalised) masks of the predicted frame.
    soft1 = log_odds1.softmax(dim=1)[:, 1:] * selector[:, :, None, None]
    key1, value1 = memorize(frames[1], soft1)
    log_odds2 = segment(2, [key0, key1], [value0, value1])

    losses = [
        bootstrapped_cross_entropy(log_odds, labels[:, index], selector, scheduled.kept_fraction)
        for index, log_odds in ((1, log_odds1), (2, log_odds2))
    ]
    with torch.no_grad():
        predicted = torch.stack([log_odds1.argmax(dim=1), log_odds2.argmax(dim=1)], dim=1)
        first, second = (mean_iou(predicted[:, i], labels[:, i + 1], selector) for i in range(2))
    metrics = {"loss_1": losses[0].detach(), "loss_2": losses[1].detach(), "iou_1": first, "iou_2": second}
    metrics["iou"] = (first + second) / 2
    return StepResult(loss=losses[0] + losses[1], metrics=metrics, predicted=predicted)


PROPAGATION_RENDERED = Stage(
    name="propagation-rendered",
    summary="Propagation network on rendered clips (stage 1 of MiVOS, on BL30K), the paper's numbers.",
    size="full",
    start_from="ImageNet ResNet-50 or the static-image stage (--init)",
    build=build_propagation,
    step=propagation_step,
    num_steps=500_000,
    batch_size=8,
    crop_size=384,
    learning_rate=LearningRateSchedule(peak=1e-5, decay="step", decay_at=(0.9,), factor=0.1),
    weight_decay=1e-7,
    bootstrap=BootstrapSchedule(start=20_000 / 500_000, end=70_000 / 500_000, kept=0.15),
    curriculum=JumpCurriculum(jumps=(5, 10, 15, 20, 25, 5), switch_at=(0.1, 0.2, 0.3, 0.4, 0.8)),
    train_batch_norm_until=0.0,
    sample_settings={"area_scale": (0.25, 1.0)},
    sources={
        "num_steps": "Mask-Propagation util/hyper_para.py, stage 1",
        "batch_size": "4 a GPU on 2 GPUs; global here",
        "crop_size": "vos_dataset.py",
        "learning_rate": "Adam 1e-5, x0.1 at 450,000 of 500,000 steps",
        "weight_decay": "hyper_para.py",
        "betas": "Adam's defaults",
        "gradient_clip": "none published",
        "bootstrap": "losses.py: all pixels until step 20,000, 15 % from step 70,000",
        "curriculum": "train.py: 5, then 10, 15, 20, 25, 5 (BL30K switch points)",
        "train_batch_norm_until": "model.py: batch norm always in evaluation mode",
        "sample_settings": "vos_dataset.py: area scale for BL30K",
    },
)

PROPAGATION_RENDERED_MINI = Stage(
    name="propagation-rendered-mini",
    summary="Small propagation network from scratch on rendered clips; about an hour on 2 CPU cores.",
    size="small",
    start_from="scratch",
    build=build_propagation,
    step=propagation_step,
    num_steps=5_000,
    batch_size=8,
    crop_size=160,
    learning_rate=LearningRateSchedule(peak=3e-4, warmup=0.03, decay="cosine", factor=0.01),
    weight_decay=1e-7,
    gradient_clip=1.0,
    bootstrap=BootstrapSchedule(start=0.2, end=0.5, kept=0.3),
    curriculum=JumpCurriculum(jumps=(3, 5, 8, 12, 5), switch_at=(0.1, 0.25, 0.45, 0.85)),
    train_batch_norm_until=0.8,
    sample_settings={"area_scale": (0.25, 1.0)},
    sources={
        "num_steps": "ours: about what 2 cores do in an hour or two",
        "batch_size": "as the paper, global",
        "crop_size": "ours: five times the samples an hour of the paper's 384",
        "learning_rate": "ours: from scratch; on rendered clips 1e-3 learnt far slower, 1.2e-4 a little",
        "weight_decay": "as the paper",
        "betas": "Adam's defaults",
        "gradient_clip": "ours: norms are 10 to 30; 50 learnt slower than 1",
        "bootstrap": "ours: the paper's shape, later and softer",
        "curriculum": "ours: the paper's shape for 32-frame clips",
        "train_batch_norm_until": "ours: learnt, then frozen for the last fifth, as inference sees them",
        "sample_settings": "as the paper",
    },
)

STAGES: dict[str, Stage] = {stage.name: stage for stage in (PROPAGATION_RENDERED, PROPAGATION_RENDERED_MINI)}


def stage_named(name: str) -> Stage:
    """The stage called `name`; ValueError lists the stages there are."""
    if name not in STAGES:
        raise ValueError(f"no stage '{name}'; choose one of {', '.join(STAGES)}")
    return STAGES[name]
