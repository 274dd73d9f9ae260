"""The click network of Benard and Gygli, "Interactive Video Object Segmentation in the Wild" (2017).

First without masks, from a user's first clicks; then with the first network's answer as mask and clicks on its errors.
B batch, H W pixels.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...datagen.corpus.records import IGNORE_ID
from ...datagen.samples.click_samples import click_table, clicks_of_table
from ...datagen.simulation.clicks.click_maps import DEXTR_SIGMA
from ...datagen.simulation.clicks.clicks import ClickSettings, corrective_clicks
from ...datagen.simulation.regions import require_share
from ...models.click_net import ClickNetwork
from ..click_inputs import batch_click_channels
from ..networks import CLICKNET
from ..schedule import BootstrapSchedule, JumpCurriculum, LearningRateSchedule
from ..stage import Scheduled, Stage, StepResult
from ..step_draws import drawn_number
from .single_object import object_result

_SAMPLE_STREAM = 1


def first_clicks_step(
    network: ClickNetwork,
    batch: Mapping[str, Any],
    rng: np.random.Generator,
    scheduled: Scheduled,
    *,
    sigma: float = DEXTR_SIGMA,
) -> StepResult:
    """Segment single objects from first clicks, without any mask.

    batch: rgb (B, 3, H, W) in [0, 1], labels (B, H, W) in {0, 1, 255}, clicks (B, K, 3), see `ClickSample`. The loss is
    the cross-entropy over all pixels. The answer is that of `object_result`.
    """
    empty = torch.zeros_like(batch["rgb"][:, :1])
    logits = _logits(network, batch["rgb"], empty, batch["clicks"], sigma)
    return object_result(logits, batch["labels"], scheduled.kept_fraction)


def corrective_clicks_step(
    network: ClickNetwork,
    batch: Mapping[str, Any],
    rng: np.random.Generator,
    scheduled: Scheduled,
    *,
    companion: ClickNetwork,
    sigma: float = DEXTR_SIGMA,
    click_step: float = ClickSettings.step,
    correction_counts: tuple[int, ...] = ClickSettings.correction_counts,
    keep_first: float = 0.5,
    without_mask: float = 0.0,
) -> StepResult:
    """Correct the mask that the companion, trained without masks, makes of the first clicks.

    batch: as `first_clicks_step`, and number (B,). So many clicks as drawn from `correction_counts` lie on the errors,
    `click_step` pixels apart or more. keep_first: share of the samples that are given the first clicks beside them.
    without_mask: share that keeps its first clicks alone and gets no mask. What a sample draws depends on the state of
    rng and its number alone.
    """
    empty = torch.zeros_like(batch["rgb"][:, :1])
    drawn = drawn_number(rng)
    with torch.no_grad():
        answer = _logits(companion.eval(), batch["rgb"], empty, batch["clicks"], sigma)
        masks = (answer > 0)[:, 0].cpu().numpy()
    labels = batch["labels"].cpu().numpy()
    settings = ClickSettings(step=click_step, correction_counts=tuple(correction_counts))
    tables = []
    for mask, truth, given, number in zip(masks, labels, batch["clicks"].cpu().numpy(), batch["number"], strict=True):
        own = np.random.default_rng([drawn, int(number), _SAMPLE_STREAM])
        first, (alone, kept) = clicks_of_table(given), own.random(2)
        if alone < without_mask:
            mask[:] = False
            clicks = first
        else:
            # Nobody knows what pixels to be ignored show, so the user clicks none of them.
            seen = np.where(truth == IGNORE_ID, False, mask)
            clicks = (first if kept < keep_first else ()) + corrective_clicks(own, truth == 1, seen, settings)
        tables.append(click_table(clicks, len(given)))
    current, clicked = (torch.from_numpy(one).to(batch["rgb"].device) for one in (masks, np.stack(tables)))
    logits = _logits(network, batch["rgb"], current[:, None].to(empty), clicked, sigma)
    return object_result(logits, batch["labels"], scheduled.kept_fraction, current.long())


def check_clicks(stage: Stage, samples: Any, settings: Mapping[str, Any]) -> None:
    """Raise ValueError for settings that `first_clicks_step` or `corrective_clicks_step` cannot have."""
    if not 0 < settings["sigma"] < np.inf:
        raise ValueError(f"sigma is {settings['sigma']}; it must be above 0 pixels")
    if stage.step is not corrective_clicks_step:
        return
    require_share(keep_first=settings["keep_first"], without_mask=settings["without_mask"])
    ClickSettings(step=settings["click_step"], correction_counts=tuple(settings["correction_counts"]))


def _logits(network: ClickNetwork, rgb: Tensor, mask: Tensor, clicks: Tensor, sigma: float) -> Tensor:
    """What a click network answers to tables of clicks (B, K, 3), drawn as it was built for: (B, 1, H, W)."""
    maps = batch_click_channels(clicks, *rgb.shape[-2:], network.size.click_maps, sigma)
    return network(rgb, mask, maps.to(rgb.dtype))


CLICKNET_STAGE = Stage(
    name="clicknet",
    summary="Click network without masks: from first clicks on an object and around it to its mask.",
    start_from="ImageNet ResNet-101 (--init); published: further trained on PASCAL for semantic segmentation",
    network=CLICKNET,
    size="full",
    data="clicks",
    step=first_clicks_step,
    num_steps=200_000,
    batch_size=5,
    micro_batch=5,
    crop_size=512,
    learning_rate=LearningRateSchedule(peak=1e-5),
    weight_decay=1e-7,
    bootstrap=BootstrapSchedule(start=0.0, end=1.0, kept=1.0),
    curriculum=JumpCurriculum(jumps=(1,), switch_at=()),
    train_batch_norm_until=0.0,
    sample_settings={
        "scale": (0.75, 1.25),
        "several_scale": (0.75, 1.25),
        "rotation_degrees": 20.0,
        "flip_probability": 0.5,
        "users": ClickSettings(),
    },
    step_settings={"sigma": DEXTR_SIGMA},
    sources={
        "data": "PASCAL VOC 2012 with SBD, 10,582 pictures (paper)",
        "num_steps": "ours: the paper gives none; DEXTR trains 100 epochs of batch 5, which is 211,640",
        "batch_size": "DEXTR train_pascal.py; the paper gives none",
        "micro_batch": "ours: statistics are frozen, so it decides nothing",
        "crop_size": "DEXTR train_pascal.py, there of the object's box with a margin of 50 pixels",
        "learning_rate": "ours for Adam; DEXTR: SGD 1e-8 of the summed loss, 1e-7 in the head",
        "weight_decay": "ours: as s2m, for Adam and the mean; DEXTR: 5e-4 beside SGD and the sum over all pixels",
        "optimiser": "ours; DEXTR: SGD",
        "betas": "Adam's defaults",
        "gradient_clip": "none published",
        "bootstrap": "cross-entropy over all pixels (paper)",
        "curriculum": "a still has no jumps",
        "train_batch_norm_until": "DEXTR freezes batch norm; ours: the statistics, not scale and shift",
        "sample_settings": "users: paper, margin 3, step 5, hull 40 pixels, three strategies of negatives; numbers of "
        "clicks: Xu et al. 2016; flip, rotation, scale: DEXTR",
        "step_settings": "sigma: the paper calls it small; 4.25 is DEXTR's width of 10 pixels at half height",
    },
)

CLICKNET_MASK_STAGE = replace(
    CLICKNET_STAGE,
    name="clicknet-mask",
    summary="Click network with masks: from the mask of the first network and clicks on its errors to a better one.",
    start_from="a checkpoint of clicknet (--init), which is the companion too (--companion)",
    step=corrective_clicks_step,
    companion="clicknet",
    num_steps=100_000,
    step_settings=CLICKNET_STAGE.step_settings
    | {
        "click_step": ClickSettings.step,
        "correction_counts": ClickSettings.correction_counts,
        "keep_first": 0.5,
        "without_mask": 0.2,
    },
    sources=CLICKNET_STAGE.sources
    | {
        "companion": "paper: the second network corrects what the first one answers",
        "num_steps": "ours: the paper gives none",
        "step_settings": "clicks on the errors, 0 to 20 of them, 5 pixels apart: paper; without_mask: ours, so that "
        "one network also takes first clicks; keep_first: ours, for a session gives all clicks of a frame; sigma as in "
        "clicknet",
    },
)

_MINI = {
    "num_steps": "ours: what 2 cores do in 20 minutes; give --steps for more",
    "batch_size": "ours: as s2m-mini",
    "micro_batch": "ours: as s2m-mini",
    "crop_size": "ours: as s2m-mini",
    "learning_rate": "ours: from scratch, as s2m-mini",
    "gradient_clip": "ours: as s2m-mini",
    "train_batch_norm_until": "ours: from scratch, so the statistics are learnt",
    "sample_settings": CLICKNET_STAGE.sources["sample_settings"]
    + "; ours: short_side, so that rendered frames of 256 lines keep their scale",
}
_MINI_NUMBERS = {
    "start_from": "scratch",
    "size": "small",
    "num_steps": 2_400,
    "batch_size": 8,
    "micro_batch": 4,
    "crop_size": 192,
    "learning_rate": LearningRateSchedule(peak=2e-3, warmup=0.03, decay="cosine", factor=0.01),
    "gradient_clip": 1.0,
    "train_batch_norm_until": 1.0,
    "sample_settings": CLICKNET_STAGE.sample_settings | {"short_side": 256},
}
CLICKNET_MINI = replace(
    CLICKNET_STAGE,
    name="clicknet-mini",
    summary="Small click network without masks from scratch; 20 minutes on 2 CPU cores.",
    sources=CLICKNET_STAGE.sources | _MINI,
    **_MINI_NUMBERS,
)
CLICKNET_MASK_MINI = replace(
    CLICKNET_MASK_STAGE,
    name="clicknet-mask-mini",
    summary="Small click network with masks; 20 minutes on 2 CPU cores.",
    sources=CLICKNET_MASK_STAGE.sources | _MINI,
    **_MINI_NUMBERS
    | {
        "start_from": "a checkpoint of clicknet-mini (--init), which is the companion too (--companion)",
        "num_steps": 1_600,
        "learning_rate": LearningRateSchedule(peak=1e-3, warmup=0.03, decay="cosine", factor=0.01),
    },
)

CLICKNET_STAGES = (CLICKNET_STAGE, CLICKNET_MASK_STAGE, CLICKNET_MINI, CLICKNET_MASK_MINI)
