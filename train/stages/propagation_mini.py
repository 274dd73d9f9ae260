"""The propagation stages with the small network, for two CPU cores: what is not the paper's, and why."""

from dataclasses import replace

from ...datagen.augmentation.colour import JitterRange
from ..schedule import BootstrapSchedule, JumpCurriculum, LearningRateSchedule
from .propagation import PROPAGATION_RENDERED, PROPAGATION_STATIC, PROPAGATION_VIDEO

_SMALL = {
    "size": "small",
    "num_steps": 1_000,
    "batch_size": 8,
    "micro_batch": 4,
    "crop_size": 160,
    "learning_rate": LearningRateSchedule(peak=3e-4, warmup=0.03, decay="cosine", factor=0.01),
    "gradient_clip": 1.0,
    "bootstrap": BootstrapSchedule(start=0.2, end=0.5, kept=0.3),
    "train_batch_norm_until": 0.8,
}
_SOURCES = {
    "num_steps": "ours: what 2 cores do in 20 minutes; give --steps for more",
    "batch_size": "as the paper, global",
    "micro_batch": "ours: batch statistics are learnt, over four samples",
    "crop_size": "ours: five times the samples an hour of the paper's 384",
    "learning_rate": "ours: from scratch; on rendered clips 1e-3 learnt far slower, 1.2e-4 a little",
    "weight_decay": "as the paper",
    "optimiser": "as published: model.py",
    "betas": "Adam's defaults",
    "gradient_clip": "ours: norms are 10 to 30; 50 learnt slower than 1",
    "bootstrap": "ours: the paper's shape, later and softer",
    "train_batch_norm_until": "ours: learnt, then frozen for the last fifth, as inference sees them",
}
_STRONG_JITTER = JitterRange(brightness=0.3, contrast=0.3, saturation=0.6, hue=0.1)

PROPAGATION_STATIC_MINI = replace(
    PROPAGATION_STATIC,
    **_SMALL,
    name="propagation-static-mini",
    summary="Small propagation network from scratch on sequences composited from stills; 20 minutes on 2 CPU cores.",
    start_from="scratch",
    sample_settings={
        "still_scale": (0.8, 2.5),
        "min_visible_area": 1500.0,
        "num_still_objects": 2,
        "num_pasted": (0, 2),
        "pasted_size": (0.2, 0.9),
        "background_probability": 0.5,
        "region_probability": 0.5,
        "still_jitter": _STRONG_JITTER,
        "greyscale_probability": 0.2,
        "match_cell": 16,
    },
    step_settings=PROPAGATION_STATIC.step_settings | {"matching_weight": 0.2},
    sources=PROPAGATION_STATIC.sources
    | _SOURCES
    | {
        "batch_size": "ours: that of the other small stages; the paper's is 14",
        "sample_settings": "ours: a network from scratch, on rendered stills, takes whatever is smooth and colourful "
        "for the object; regions of any look, other objects, other backgrounds and greys leave it the mask alone to go "
        "by. Frames of clips hold small objects, so stills are enlarged more. The rest: defaults of SequenceSettings",
        "step_settings": "static_dataset.py: one object; ours: cells that are known to match teach the keys, and a "
        "network from scratch reaches after 350 steps the IoU that takes 2,200 without",
    },
)

PROPAGATION_RENDERED_MINI = replace(
    PROPAGATION_RENDERED,
    **_SMALL,
    name="propagation-rendered-mini",
    summary="Small propagation network on rendered clips; 20 minutes on 2 CPU cores.",
    start_from="scratch, or propagation-static-mini (--init)",
    curriculum=JumpCurriculum(jumps=(3, 5, 8, 12, 5), switch_at=(0.1, 0.25, 0.45, 0.85)),
    sample_settings=PROPAGATION_RENDERED.sample_settings
    | {"clip_jitter": _STRONG_JITTER, "greyscale_probability": 0.2},
    sources=PROPAGATION_RENDERED.sources
    | _SOURCES
    | {
        "curriculum": "ours: the paper's shape for clips of 32 frames",
        "sample_settings": "vos_dataset.py: area scale; ours: colours and greys as in propagation-static-mini",
    },
)

PROPAGATION_VIDEO_MINI = replace(
    PROPAGATION_VIDEO,
    **_SMALL
    | {
        "learning_rate": LearningRateSchedule(peak=1e-4, warmup=0.03, decay="cosine", factor=0.01),
        "train_batch_norm_until": 0.0,
    },
    name="propagation-video-mini",
    summary="Small propagation network on real videos; 20 minutes on 2 CPU cores.",
    start_from="propagation-rendered-mini (--init)",
    sources=PROPAGATION_VIDEO.sources
    | _SOURCES
    | {
        "learning_rate": "ours: a third of the stages before",
        "micro_batch": "ours: as the stages before; batch norm is frozen, so samples do not depend on one another",
        "train_batch_norm_until": "ours: the statistics of the stages before stay",
    },
)

PROPAGATION_MINI_STAGES = (PROPAGATION_STATIC_MINI, PROPAGATION_RENDERED_MINI, PROPAGATION_VIDEO_MINI)
