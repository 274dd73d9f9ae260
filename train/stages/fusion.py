"""Difference-aware fusion of MiVOS (Cheng, Tai, Tang, CVPR 2021, Sec. 3.3). B batch, N objects (2), H W pixels."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from ...datagen.corpus.records import IGNORE_ID
from ...models.aggregate import aggregate_logits, hard_labels, most_likely
from ...models.fusion import FusionNetwork
from ...models.propagation import PropagationNetwork
from ..inference.fusion import blend_linearly, fused_logits, memorize_interaction
from ..losses import bootstrapped_cross_entropy, mean_iou
from ..networks import FUSION, PROPAGATION
from ..schedule import BootstrapSchedule, JumpCurriculum, LearningRateSchedule
from ..stage import Scheduled, Stage, StepResult


def fusion_step(
    network: FusionNetwork,
    batch: Mapping[str, Any],
    rng: np.random.Generator,
    scheduled: Scheduled,
    *,
    companion: PropagationNetwork,
    top_k: int | None = None,
) -> StepResult:
    """Fuse the two masks of a frame that come from two interactions.

    batch: rgb, rgb_interaction (B, 3, H, W), labels, labels_interaction (B, H, W) in {0, 1, 2, 255}, previous, new,
    previous_there (B, 2, H, W), distances, selector (B, 2), see `FusionSample`. companion: the frozen propagation
    network, whose affinity carries the difference of the interaction to the frame; top_k: memory cells that it reads,
    None for all as in the published code, 50 as the paper's text has it. Nothing is drawn. predicted is (B, 1, H, W).
    """
    rgb, labels, selector = batch["rgb"], batch["labels"], batch["selector"]
    previous, new, distances = batch["previous"], batch["new"], batch["distances"]
    ids = torch.arange(1, selector.shape[1] + 1, device=labels.device).view(1, -1, 1, 1)
    there, before = batch["labels_interaction"][:, None], batch["previous_there"]
    # Where nobody knows the truth, the interaction changed nothing.
    after = torch.where(there == IGNORE_ID, before, (there == ids).to(before.dtype))
    interaction = memorize_interaction(companion, batch["rgb_interaction"], before, after)
    with torch.no_grad():
        query_key = companion.query_key(rgb)
    logits = fused_logits(network, interaction, query_key, rgb, previous, new, distances, top_k)

    log_odds = aggregate_logits(logits.sigmoid() * selector[:, :, None, None], dim=1)
    loss = bootstrapped_cross_entropy(log_odds, labels, selector, scheduled.kept_fraction)
    with torch.no_grad():
        predicted = most_likely(log_odds, dim=1)
        metrics = {"iou": mean_iou(predicted, labels, selector)}
        given = {"previous": previous, "new": new, "linear": blend_linearly(previous, new, distances)}
        for name, masks in given.items():
            metrics[f"iou_{name}"] = mean_iou(hard_labels(masks, dim=1), labels, selector)
    return StepResult(loss=loss, metrics=metrics, predicted=predicted[:, None])


def check_fusion(stage: Stage, samples: Any, settings: Mapping[str, Any]) -> None:
    """Raise ValueError for settings that `fusion_step` cannot have."""
    if settings["top_k"] is not None and settings["top_k"] < 1:
        raise ValueError(f"top_k is {settings['top_k']}; give a positive number, or None for all cells")


FUSION_RENDERED = Stage(
    name="fusion-rendered",
    summary="Fusion network on data of rendered clips (MiVOS: stage 0 of fusion, BL30K), the paper's numbers.",
    start_from="scratch, beside a trained propagation network (--companion)",
    network=FUSION,
    size="full",
    data="fusion",
    step=fusion_step,
    companion=PROPAGATION.name,
    num_steps=30_000,
    batch_size=24,
    micro_batch=3,
    crop_size=384,
    learning_rate=LearningRateSchedule(peak=1e-4, decay="step", decay_at=(20_000 / 30_000,), factor=0.1),
    weight_decay=1e-7,
    bootstrap=BootstrapSchedule(start=0.2, end=0.5, kept=0.15),
    curriculum=JumpCurriculum(jumps=(1,), switch_at=()),
    train_batch_norm_until=0.0,
    sample_settings={"between": False},
    step_settings={"top_k": None},
    sources={
        "data": "written by `vosforge-train fusion-data --preset bl30k`: separation 30, memory every 20, reach 90, of "
        "clips 0-4999 and 5000-9999 (MiVOS, issue 4)",
        "companion": "fusion_model.py: the propagation network is frozen, and gives the affinity alone",
        "num_steps": "MiVOS util/hyper_para.py, stage 0",
        "batch_size": "12 a GPU on 2 GPUs; global here",
        "micro_batch": "ours: the network has no batch statistics, so any will do; up to 8 processes share a batch",
        "crop_size": "fusion_dataset.py",
        "learning_rate": "Adam 1e-4, x0.1 at 20,000 of 30,000 steps",
        "weight_decay": "hyper_para.py",
        "optimiser": "fusion_model.py",
        "betas": "Adam's defaults",
        "gradient_clip": "none published",
        "bootstrap": "losses.py: all pixels until 20 % of the steps, 15 % from 50 %",
        "curriculum": "fusion data has no jumps",
        "train_batch_norm_until": "the network has no batch norm",
        "sample_settings": "fusion_dataset.py: any frame, ours: but those of the two interactions; between=True takes "
        "only those between them, as inference does; all else: the defaults of FusionSampleSettings",
        "step_settings": "cells that the attention reads: all are the code's (attn_network.py), top_k=50 the paper's "
        "(Sec. 3.3, by its Eq. 2); six convolutions are the code's, the paper speaks of five layers",
    },
)

FUSION_VIDEO = replace(
    FUSION_RENDERED,
    name="fusion-video",
    summary="Fusion network on fusion data of DAVIS (MiVOS: stage 1 of fusion), the paper's numbers.",
    start_from="fusion-rendered (--init), beside a trained propagation network (--companion)",
    num_steps=10_000,
    learning_rate=LearningRateSchedule(peak=1e-4, decay="step", decay_at=(7_500 / 10_000,), factor=0.1),
    sources={
        **FUSION_RENDERED.sources,
        "data": "written by `vosforge-train fusion-data --preset davis` of DAVIS-2017 train: separation 5, memory "
        "every 10, 20 and 30, whole clips (MiVOS, issue 4)",
        "num_steps": "MiVOS util/hyper_para.py, stage 1",
        "learning_rate": "Adam 1e-4, x0.1 at 7,500 of 10,000 steps",
    },
)

FUSION_RENDERED_MINI = replace(
    FUSION_RENDERED,
    name="fusion-rendered-mini",
    summary="Small fusion network on fusion data of rendered clips; within 20 minutes on 2 CPU cores.",
    size="small",
    num_steps=1_200,
    batch_size=8,
    micro_batch=1,
    crop_size=160,
    learning_rate=LearningRateSchedule(peak=3e-3, warmup=0.03, decay="cosine", factor=0.01),
    gradient_clip=1.0,
    bootstrap=BootstrapSchedule(start=0.2, end=0.5, kept=0.3),
    sources={
        **FUSION_RENDERED.sources,
        "data": "written by `vosforge-train fusion-data --separation 10 --memory-every 20 --reach 20` of clips of 48 "
        "frames",
        "num_steps": "ours: what 2 cores do in 20 minutes",
        "batch_size": "ours",
        "crop_size": "ours: a sixth of the pixels of the paper's 384",
        "learning_rate": "ours: few steps from scratch; after 150 of them 3e-3 was ahead of 1e-3 on held-out clips",
        "gradient_clip": "ours",
        "bootstrap": "ours: the paper's shape, softer",
    },
)

FUSION_VIDEO_MINI = replace(
    FUSION_RENDERED_MINI,
    name="fusion-video-mini",
    summary="Small fusion network on fusion data of real videos; within 10 minutes on 2 CPU cores.",
    start_from="fusion-rendered-mini (--init), beside a trained propagation network (--companion)",
    num_steps=400,
    learning_rate=LearningRateSchedule(peak=1e-3, warmup=0.03, decay="cosine", factor=0.01),
    sources={
        **FUSION_RENDERED_MINI.sources,
        "data": "written by `vosforge-train fusion-data --preset davis`, or with a larger separation",
        "num_steps": "ours: a third of fusion-rendered-mini, as the paper's",
        "learning_rate": "ours: lower, from trained weights",
    },
)

FUSION_STAGES = (FUSION_RENDERED, FUSION_VIDEO, FUSION_RENDERED_MINI, FUSION_VIDEO_MINI)
