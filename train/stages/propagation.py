"""The propagation network of MiVOS (Cheng, Tai, Tang, CVPR 2021): on stills, on rendered clips, on real videos.

B batch, T frames (3), N objects (2), H W pixels.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...datagen.corpus.records import IGNORE_ID
from ...datagen.samples.triplets import MIN_FRAMES, NUM_LABELS
from ...datagen.simulation.regions import require_limits
from ...models.aggregate import aggregate_logits, most_likely
from ...models.propagation import PropagationNetwork, QueryFeatures
from ..losses import bootstrapped_cross_entropy, matching_loss, mean_iou
from ..networks import PROPAGATION
from ..schedule import BootstrapSchedule, JumpCurriculum, LearningRateSchedule
from ..stage import Scheduled, Stage, StepResult

_STRIDE = 16


def propagation_step(
    network: PropagationNetwork,
    batch: Mapping[str, Any],
    rng: np.random.Generator,
    scheduled: Scheduled,
    max_objects: int = 2,
    matching_weight: float = 0.0,
) -> StepResult:
    """Segment frames 1 and 2 of each triplet from frame 0's true masks.

    batch: rgb (B, 3, 3, H, W), labels (B, 3, H, W) in {0, 1, 2, 255}, selector (B, 2), see the loader. Frame 1 is
    memorised with its predicted soft masks, gradients included. Objects lie in the batch dimension. Nothing is drawn.
    max_objects: objects beyond it are background. matching_weight: of a further loss, on the affinity between cells of
    which the batch knows that they show the same ("matches", see `match_cells`); 0, as published, for none.
    """
    rgb, labels, selector = batch["rgb"], batch["labels"], batch["selector"][:, :max_objects]
    num_samples, num_objects = selector.shape
    labels = labels.where((labels <= num_objects) | (labels == IGNORE_ID), 0)
    ids = torch.arange(1, num_objects + 1, device=labels.device).view(1, -1, 1, 1)
    first_masks = (labels[:, :1] == ids).to(rgb.dtype)
    frames = rgb.transpose(0, 1)
    queries = network.encode_query(frames[1:3].flatten(0, 1))

    def memorize(frame: Tensor, objects: Tensor) -> tuple[Tensor, Tensor]:
        others = objects.sum(dim=1, keepdim=True) - objects
        repeated = frame.repeat_interleave(num_objects, dim=0)
        return network.memorize(repeated, objects.flatten(0, 1)[:, None], others.flatten(0, 1)[:, None])

    def segment(index: int, keys: list[Tensor], values: list[Tensor]) -> Tensor:
        query = queries.rows(slice((index - 1) * num_samples, index * num_samples)).for_objects(num_objects)
        logits = network.segment(query, torch.stack(keys, dim=2), torch.stack(values, dim=2))
        probabilities = logits.sigmoid().view(num_samples, num_objects, *logits.shape[-2:])
        return aggregate_logits(probabilities * selector[:, :, None, None], dim=1)

    key0, value0 = memorize(frames[0], first_masks)
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
        predicted = torch.stack([most_likely(log_odds1, dim=1), most_likely(log_odds2, dim=1)], dim=1)
        first, second = (mean_iou(predicted[:, i], labels[:, i + 1], selector) for i in range(2))
    metrics = {"loss_1": losses[0].detach(), "loss_2": losses[1].detach(), "iou_1": first, "iou_2": second}
    metrics["iou"] = (first + second) / 2
    loss = losses[0] + losses[1]
    if matching_weight:
        if "matches" not in batch:
            raise ValueError(
                f"matching_weight is {matching_weight}, but samples here know no matches; set it to 0, or take stills "
                "with sample_settings.match_cell above 0 alone"
            )
        matching, metrics["matched"] = _match(queries, (key0, key1), batch["matches"])
        loss, metrics["matching_loss"] = loss + matching_weight * matching, matching.detach()
    return StepResult(loss=loss, metrics=metrics, predicted=predicted)


def check_propagation(stage: Stage, samples: Any, settings: Mapping[str, Any]) -> None:
    """Raise ValueError unless the samples, with these settings, serve `propagation_step` with its own."""
    num_frames = getattr(samples, "num_frames", MIN_FRAMES)
    if num_frames != MIN_FRAMES:
        raise ValueError(f"sample_settings.num_frames is {num_frames}; the step takes {MIN_FRAMES} frames, give that")
    require_limits(1, NUM_LABELS, max_objects=settings["max_objects"])
    require_limits(0, matching_weight=settings["matching_weight"])
    if settings["matching_weight"] and getattr(samples, "match_cell", 0) != _STRIDE:
        raise ValueError(
            f"matching_weight is {settings['matching_weight']}, but samples here know no matches of cells of {_STRIDE} "
            f"pixels; set it to 0, or take stills with sample_settings.match_cell={_STRIDE}"
        )


def _match(queries: QueryFeatures, memory_keys: tuple[Tensor, Tensor], matches: Tensor) -> tuple[Tensor, Tensor]:
    """Match frames 1 and 2 with frames 0 and 1, as far as they are memorised before: loss and share of hits."""
    num_samples = len(matches)
    found = []
    for t, s in ((1, 0), (2, 0), (2, 1)):
        own = queries.rows(slice((t - 1) * num_samples, t * num_samples)).key
        # Memory keys hardly depend on the object; the first row of each sample stands for all.
        keys = memory_keys[s][:: len(memory_keys[s]) // num_samples]
        found.append(matching_loss(own, keys, matches[:, t, s]))
    losses, hits = zip(*found, strict=True)
    return torch.stack(losses).mean(), torch.stack(hits).mean()


_CURRICULUM = (5, 10, 15, 20, 25, 5)
_DRAWN = "; ours: switched at the step instead of the end of an epoch, and caps of the draw mended, see `draw_frames`"
_AFFINITY = "; the affinity is over the root of the key's channels, as in the code; the paper's Eq. 1 leaves it out"
_FROZEN = {
    "crop_size": "vos_dataset.py, static_dataset.py",
    "micro_batch": "ours: batch norm is frozen, so samples do not depend on one another",
    "weight_decay": "hyper_para.py",
    "optimiser": "model.py",
    "betas": "Adam's defaults",
    "gradient_clip": "none published",
    "train_batch_norm_until": "model.py: batch norm always in evaluation mode",
}

PROPAGATION_STATIC = Stage(
    name="propagation-static",
    summary="Propagation network on sequences composited from still images (stage 0 of MiVOS), the paper's numbers.",
    start_from="ImageNet ResNet-50 (--init); ours: key heads alike, quiet decoder",
    network=PROPAGATION,
    size="full",
    data="stills",
    step=propagation_step,
    num_steps=300_000,
    batch_size=14,
    micro_batch=1,
    crop_size=384,
    learning_rate=LearningRateSchedule(peak=1e-5, decay="step", decay_at=(250_000 / 300_000,), factor=0.1),
    weight_decay=1e-7,
    bootstrap=BootstrapSchedule(start=20_000 / 300_000, end=70_000 / 300_000, kept=0.15),
    curriculum=JumpCurriculum(jumps=(1,), switch_at=()),
    train_batch_norm_until=0.0,
    step_settings={"max_objects": 1},
    sources=_FROZEN
    | {
        "data": "train.py: FSS-1000, DUTS-TR, DUTS-TE and ECSSD once, BIG and HRSOD five times (--data DIR=5)",
        "num_steps": "Mask-Propagation util/hyper_para.py, stage 0",
        "batch_size": "7 a GPU on 2 GPUs; global here",
        "learning_rate": "Adam 1e-5, x0.1 at 250,000 of 300,000 steps",
        "bootstrap": "losses.py: all pixels until step 20,000, 15 % from step 70,000",
        "curriculum": "a still has no jumps",
        "sample_settings": "static_dataset.py: the defaults of SequenceSettings",
        "step_settings": "static_dataset.py: one object" + _AFFINITY,
    },
)

PROPAGATION_RENDERED = Stage(
    name="propagation-rendered",
    summary="Propagation network on rendered clips (stage 1 of MiVOS, on BL30K), the paper's numbers.",
    start_from="propagation-static (--init), or ImageNet ResNet-50",
    network=PROPAGATION,
    size="full",
    data="clips",
    step=propagation_step,
    num_steps=500_000,
    batch_size=8,
    micro_batch=1,
    crop_size=384,
    learning_rate=LearningRateSchedule(peak=1e-5, decay="step", decay_at=(0.9,), factor=0.1),
    weight_decay=1e-7,
    bootstrap=BootstrapSchedule(start=20_000 / 500_000, end=70_000 / 500_000, kept=0.15),
    curriculum=JumpCurriculum(jumps=_CURRICULUM, switch_at=(0.1, 0.2, 0.3, 0.4, 0.8)),
    train_batch_norm_until=0.0,
    sample_settings={"area_scale": (0.25, 1.0)},
    step_settings={"max_objects": 2},
    sources=_FROZEN
    | {
        "data": "train.py: BL30K alone",
        "num_steps": "Mask-Propagation util/hyper_para.py, stage 1",
        "batch_size": "4 a GPU on 2 GPUs; global here",
        "learning_rate": "Adam 1e-5, x0.1 at 450,000 of 500,000 steps",
        "bootstrap": "losses.py: all pixels until step 20,000, 15 % from step 70,000",
        "curriculum": "train.py: 5, then 10, 15, 20, 25, 5 (BL30K switch points)" + _DRAWN,
        "sample_settings": "vos_dataset.py: area scale for BL30K; all else: the defaults of TripletSettings",
        "step_settings": "vos_dataset.py: two objects" + _AFFINITY,
    },
)

PROPAGATION_VIDEO = Stage(
    name="propagation-video",
    summary="Propagation network on DAVIS and YouTube-VOS (stage 2 of MiVOS), the paper's numbers.",
    start_from="propagation-rendered (--init); without it twice the steps (--steps 300000), see bootstrap",
    network=PROPAGATION,
    size="full",
    data="clips",
    step=propagation_step,
    num_steps=150_000,
    batch_size=8,
    micro_batch=1,
    crop_size=384,
    learning_rate=LearningRateSchedule(peak=1e-5, decay="step", decay_at=(125_000 / 150_000,), factor=0.1),
    weight_decay=1e-7,
    bootstrap=BootstrapSchedule(start=20_000 / 150_000, end=70_000 / 150_000, kept=0.15),
    curriculum=JumpCurriculum(jumps=_CURRICULUM, switch_at=(0.1, 0.2, 0.3, 0.4, 0.9)),
    train_batch_norm_until=0.0,
    sample_settings={"area_scale": (0.36, 1.0), "min_object_area": 0.0, "drop_growing_objects": False},
    step_settings={"max_objects": 2},
    sources=_FROZEN
    | {
        "data": "train.py: DAVIS 2017 train five times (--data DAVIS=5) and YouTube-VOS train",
        "num_steps": "Mask-Propagation util/hyper_para.py, stage 2",
        "batch_size": "4 a GPU on 2 GPUs; global here",
        "learning_rate": "Adam 1e-5, x0.1 at 125,000 of 150,000 steps",
        "bootstrap": "losses.py: all pixels until step 20,000, 15 % from step 70,000, of 300,000 steps too: for those "
        "--set bootstrap.start=0.0667 --set bootstrap.end=0.2333",
        "curriculum": "train.py: 5, then 10, 15, 20, 25, 5; YouTube-VOS counts its annotated frames, every 5th"
        + _DRAWN,
        "sample_settings": "vos_dataset.py: area scale for real videos; the rule for objects is BL30K's alone; all "
        "else: the defaults of TripletSettings",
        "step_settings": "vos_dataset.py: two objects" + _AFFINITY,
    },
)

PROPAGATION_STAGES = (PROPAGATION_STATIC, PROPAGATION_RENDERED, PROPAGATION_VIDEO)
