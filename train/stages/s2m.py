"""Scribble-to-Mask, the interaction network of MiVOS (Cheng, Tai, Tang, CVPR 2021, Sec. 3.1). B batch, H W pixels."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ...models.dropout import set_dropout_keys
from ...models.s2m import S2MNetwork
from ..networks import S2M
from ..schedule import BootstrapSchedule, JumpCurriculum, LearningRateSchedule
from ..stage import Scheduled, Stage, StepResult
from ..step_draws import sample_keys
from .single_object import object_result


def s2m_step(
    network: S2MNetwork, batch: Mapping[str, Any], rng: np.random.Generator, scheduled: Scheduled
) -> StepResult:
    """Correct the masks of a batch of single objects.

    batch: rgb (B, 3, H, W), current_mask, positive, negative (B, H, W) in [0, 1], labels (B, H, W) in {0, 1, 255},
    number (B,), see `StillCorrection`. Dropout is keyed by one number drawn from rng and those of the samples. The
    answer is that of `object_result`.
    """
    set_dropout_keys(network, sample_keys(rng, batch["number"]))
    logits = network(batch["rgb"], *(batch[name][:, None] for name in ("current_mask", "positive", "negative")))
    before = batch["current_mask"].round().long()
    return object_result(logits, batch["labels"], scheduled.kept_fraction, before)


S2M_STAGE = Stage(
    name="s2m",
    summary="Scribble-to-Mask: from a mask, positive and negative scribbles to a better mask; the paper's numbers.",
    start_from="DeepLabV3+ ResNet-50 trained on VOC, or ImageNet ResNet-50 (--init)",
    network=S2M,
    size="full",
    data="corrections",
    step=s2m_step,
    num_steps=80_000,
    batch_size=32,
    micro_batch=4,
    crop_size=480,
    learning_rate=LearningRateSchedule(peak=1e-4),
    weight_decay=1e-7,
    bootstrap=BootstrapSchedule(start=10_000 / 80_000, end=30_000 / 80_000, kept=0.15),
    curriculum=JumpCurriculum(jumps=(1,), switch_at=()),
    train_batch_norm_until=1.0,
    sample_settings={
        "from_zero_probability": 0.33,
        "other_probability": 0.75,
        "other_scribbles_probability": 0.5,
        "other_iou": 0.6,
        "scale": (0.8, 1.25),
        "several_scale": (0.8, 1.0),
        "rotation_degrees": 20.0,
        "shear_degrees": 10.0,
        "flip_probability": 0.5,
        "greyscale_probability": 0.05,
        "min_object_area": 50**2,
        "min_other_area": 30**2,
    },
    sources={
        "data": "train.py: FSS-1000, DUTS-TR, DUTS-TE and ECSSD twice, BIG and HRSOD ten times (--data DIR=10), LVIS "
        "train once; ours: an item is a picture and each visit draws one of its objects (published: one item an "
        "annotation of LVIS, which weighs more there; --data DIR=weight makes up for it)",
        "num_steps": "Scribble-to-Mask util/hyper_para.py",
        "batch_size": "16 a GPU on 2 GPUs; global here",
        "micro_batch": "ours: published statistics are over all 32; with 4, up to 8 processes share a batch",
        "crop_size": "static_dataset.py, lvis_dataset.py",
        "learning_rate": "Adam 1e-4, constant",
        "weight_decay": "hyper_para.py",
        "optimiser": "S2M model.py",
        "betas": "Adam's defaults",
        "gradient_clip": "none published",
        "bootstrap": "losses.py: all pixels until step 10,000, 15 % from step 30,000",
        "curriculum": "a still has no jumps",
        "train_batch_norm_until": "model.py: batch norm is trained throughout",
        "sample_settings": "from an empty mask: 0.33 is the code's (static_dataset.py), 0.5 the paper's (Sec. 3.1), by "
        "--set sample_settings.from_zero_probability=0.5; other_*, several_scale and areas: lvis_dataset.py; jitter "
        "0.1, 0.03, 0.03 without hue; mask errors and scribbles: mask_perturb.py, gen_scribble.py, tamed_robot.py",
    },
)

_MINI = {
    "num_steps": "ours: what 2 cores do in 20 minutes; give --steps for more",
    "batch_size": "ours: more steps for the time",
    "micro_batch": "ours: as in s2m",
    "crop_size": "ours: six times the samples an hour of the paper's 480",
    "learning_rate": "ours: from scratch; over 250 steps 3e-3 gave better masks than 1e-3; this is between, for ten "
    "times the steps",
    "gradient_clip": "ours: norms are 1 to 3",
    "bootstrap": "ours: the paper's shape, later and softer",
    "sample_settings": S2M_STAGE.sources["sample_settings"]
    + "; ours: short_side, so that rendered frames of 256 lines keep their scale, and one scale for all",
}
S2M_MINI = replace(
    S2M_STAGE,
    name="s2m-mini",
    summary="Small Scribble-to-Mask network from scratch; 20 minutes on 2 CPU cores.",
    start_from="scratch",
    size="small",
    num_steps=2_400,
    batch_size=8,
    micro_batch=4,
    crop_size=192,
    learning_rate=LearningRateSchedule(peak=2e-3, warmup=0.03, decay="cosine", factor=0.01),
    gradient_clip=1.0,
    bootstrap=BootstrapSchedule(start=0.2, end=0.5, kept=0.3),
    sample_settings=S2M_STAGE.sample_settings | {"short_side": 256, "several_scale": (0.8, 1.25)},
    sources=S2M_STAGE.sources | _MINI,
)

S2M_STAGES = (S2M_STAGE, S2M_MINI)
