"""Interaction-and-Propagation Networks (Oh et al., CVPR 2019): on composited stills, then in rounds on clips."""

from dataclasses import replace

from ..networks import IPN
from ..schedule import BootstrapSchedule, JumpCurriculum, LearningRateSchedule
from ..stage import Stage
from .ipn_rounds import ipn_step

_EPOCHS = 290
_ALL_PIXELS = BootstrapSchedule(start=0.0, end=1.0, kept=1.0)
_SOURCES = {
    "batch_size": "not published; ours. Loss and optimiser step at every predicted mask: Sec. 3.4",
    "micro_batch": "ours: batch norm is frozen, so samples do not depend on one another",
    "crop_size": "Sec. 3.4: patches of 400x400; each region of interest is warped to 256x256",
    "learning_rate": "Sec. 3.4: Adam 1e-5, fixed",
    "weight_decay": "none published",
    "optimiser": "Sec. 3.4",
    "betas": "Adam's defaults",
    "gradient_clip": "none published",
    "bootstrap": "Sec. 3.4: cross-entropy over all pixels of the region of interest",
    "train_batch_norm_until": "ivs interaction_net.py: batch norm keeps ImageNet's statistics, scale and shift",
}
_REGIONS = "; roi_scale: Sec. 3.3, where the code has 1.5; round_neighbour, scale_weights: the code"

IPN_STILLS = Stage(
    name="ipn-stills",
    summary="Both networks of IPN on pairs composited from stills, two rounds.",
    start_from="ImageNet ResNet-50 (--init)",
    network=IPN,
    size="full",
    data="stills",
    step=ipn_step,
    num_steps=50_000,
    batch_size=4,
    micro_batch=1,
    crop_size=400,
    learning_rate=LearningRateSchedule(peak=1e-5),
    weight_decay=0.0,
    bootstrap=_ALL_PIXELS,
    curriculum=JumpCurriculum(jumps=(1,), switch_at=()),
    train_batch_norm_until=0.0,
    sample_settings={
        "num_frames": 2,
        "num_pasted": (0, 1),
        "background_probability": 0.5,
        "spline_probability": 0.0,
    },
    step_settings={"num_frames": (2, 2), "num_rounds": (2, 2)},
    sources=_SOURCES
    | {
        "data": "Sec. 3.4: ECSSD, MSRA10K; PASCAL VOC, SBD, COCO; mixture not published",
        "num_steps": "not published; ours",
        "curriculum": "a still has no jumps",
        "sample_settings": "Sec. 3.4, after RGMP: pairs of one picture by affine maps, and of pasted objects; the "
        "ranges are not published: those of SequenceSettings",
        "step_settings": "the author, in answer to a question: two frames, two rounds, both networks" + _REGIONS,
    },
)

IPN_CLIPS = replace(
    IPN_STILLS,
    name="ipn-clips",
    summary="Both networks of IPN on clips, in rounds of simulated interaction, the paper's numbers.",
    start_from="ipn-stills (--init)",
    data="tracklets",
    num_steps=29_000,
    curriculum=JumpCurriculum(jumps=(4, 5, 6, 7, 8), switch_at=tuple(epoch / _EPOCHS for epoch in (20, 40, 60, 80))),
    sample_settings={"num_frames": 8, "short_side": 480},
    step_settings={"num_frames": (4, 8), "longest_from": 80 / _EPOCHS, "num_rounds": (2, 3), "more_rounds_from": 7},
    sources=_SOURCES
    | {
        "data": "Sec. 3.4: DAVIS 2017 train, GyGO, YouTube-VOS train; mixture not published",
        "num_steps": "ours: about what five days on the paper's graphics card amount to",
        "curriculum": "Sec. 3.4: random frame skipping, range not published; steps of 4 to 8, one more every 20 "
        "epochs, are those of a user who trained it again",
        "sample_settings": "Sec. 3.4: shorter side 480, patches at one random place, a random affine map; the ranges "
        "are not published: rotation 25, shear 15, scale 0.9 to 1.1 are those of a user who trained it again",
        "step_settings": "the author, in answer to a question: from 4 frames to 8, one more every 20 epochs (of 290, "
        "by the name of the checkpoints); 2 rounds below 7 frames, then 3" + _REGIONS,
    },
)

_SMALL = {
    "size": "small",
    "start_from": "scratch",
    "batch_size": 4,
    "micro_batch": 4,
    "crop_size": 192,
    "gradient_clip": 1.0,
    "train_batch_norm_until": 0.8,
}
_SMALL_SOURCES = {
    "num_steps": "ours: what 2 cores do in 20 minutes; give --steps for more",
    "batch_size": "ours",
    "micro_batch": "ours: batch statistics are learnt, over four samples",
    "crop_size": "ours: regions of interest are 128x128",
    "learning_rate": "ours: from scratch; over 30 batches of clips 1e-3 learnt propagation half as well, with jumps",
    "gradient_clip": "ours",
    "train_batch_norm_until": "ours: learnt, then frozen for the last fifth, as inference sees them",
}

IPN_STILLS_MINI = replace(
    IPN_STILLS,
    **_SMALL,
    name="ipn-stills-mini",
    summary="Small networks of IPN from scratch on pairs composited from stills; 20 minutes on 2 CPU cores.",
    num_steps=2_000,
    learning_rate=LearningRateSchedule(peak=3e-4, warmup=0.03, decay="cosine", factor=0.01),
    sample_settings=IPN_STILLS.sample_settings | {"still_scale": (0.8, 2.0), "min_visible_area": 1500.0},
    sources=IPN_STILLS.sources
    | _SMALL_SOURCES
    | {"sample_settings": IPN_STILLS.sources["sample_settings"] + "; ours: stills enlarged more, for frames of clips"},
)

IPN_CLIPS_MINI = replace(
    IPN_CLIPS,
    **_SMALL | {"start_from": "scratch, or ipn-stills-mini (--init)"},
    name="ipn-clips-mini",
    summary="Small networks of IPN on clips, in rounds of simulated interaction; 20 minutes on 2 CPU cores.",
    num_steps=600,
    learning_rate=LearningRateSchedule(peak=3e-4, warmup=0.03, decay="cosine", factor=0.01),
    curriculum=JumpCurriculum(jumps=(1, 2, 3), switch_at=(0.2, 0.5)),
    sample_settings=IPN_CLIPS.sample_settings | {"short_side": 256},
    sources=IPN_CLIPS.sources
    | _SMALL_SOURCES
    | {
        "curriculum": "ours: the same shape for clips of 32 frames",
        "sample_settings": IPN_CLIPS.sources["sample_settings"] + "; ours: short_side, the height of rendered clips",
    },
)

IPN_STAGES = (IPN_STILLS, IPN_CLIPS, IPN_STILLS_MINI, IPN_CLIPS_MINI)
