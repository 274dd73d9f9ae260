"""ATNet: the stages of A-Net and then T-Net (Heo, Koh, Kim, ECCV 2020, Sec. 3.4), and their small ones."""

from dataclasses import replace

from ...datagen.augmentation.colour import JitterRange
from ..networks import ATNET
from ..schedule import BootstrapSchedule, JumpCurriculum, LearningRateSchedule
from ..stage import Stage
from .atnet_steps import annotation_step, transfer_step

_ALL_PIXELS = BootstrapSchedule(start=0.0, end=1.0, kept=1.0)
_NEIGHBOURS = JumpCurriculum(jumps=(1,), switch_at=())
_NOT_STATED = {
    "crop_size": "not stated; ours",
    "micro_batch": "ours: the samples of one forward pass",
    "weight_decay": "none stated",
    "optimiser": "Sec. 3.4",
    "betas": "Adam's defaults",
    "gradient_clip": "none stated",
    "bootstrap": "all pixels: the loss balances the classes",
    "train_batch_norm_until": "published code: batch norm is not frozen",
    "sample_settings": "random affine maps, ranges not stated: the defaults of TrackletSettings; ours: short_side",
}

ATNET_A = Stage(
    name="atnet-a",
    summary="A-Net of ATNet: from the mask so far and scribbles or points to a mask; the paper's numbers.",
    start_from="ImageNet ResNet-50 (--init); squeeze-and-excitation starts anew",
    network=ATNET,
    size="full",
    data="tracklets",
    step=annotation_step,
    num_steps=420_000,
    batch_size=6,
    micro_batch=6,
    crop_size=384,
    learning_rate=LearningRateSchedule(peak=1e-5, decay="step", decay_at=(1 / 3, 2 / 3), factor=0.2),
    weight_decay=0.0,
    bootstrap=_ALL_PIXELS,
    curriculum=_NEIGHBOURS,
    train_batch_norm_until=1.0,
    sample_settings={"num_frames": 1, "short_side": 480},
    step_settings={"first_round_probability": 0.5, "pixels_per_point": (100, 3000)},
    sources=_NOT_STATED
    | {
        "data": "Sec. 3.4: SBD, DAVIS 2017 train and YouTube-VOS train; no shares stated (--data DIR=weight)",
        "num_steps": "Sec. 3.4: 60 epochs of 7,000 mini-batches",
        "batch_size": "Sec. 3.4: 6 pairs of image and ground truth",
        "learning_rate": "Sec. 3.4: Adam 1e-5, x0.2 every 20 epochs",
        "curriculum": "one frame has no jumps",
        "step_settings": "Sec. 3.4: one point for every k pixels, k from 100 to 3,000; later rounds from the deformed "
        "truth by the robot; ours: half of the samples are first rounds, the loss is a mean over the pixels",
    },
)

ATNET_T = replace(
    ATNET_A,
    name="atnet-t",
    summary="T-Net of ATNet: from an annotated frame to its neighbours, A-Net as trained; the paper's numbers.",
    start_from="a checkpoint of atnet-a (--init)",
    step=transfer_step,
    num_steps=240_000,
    batch_size=8,
    micro_batch=4,
    learning_rate=LearningRateSchedule(peak=1e-5, decay="step", decay_at=(0.5,), factor=0.2),
    frozen=("annotation",),
    needs_init=True,
    sample_settings={"num_frames": 5, "window": 7, "short_side": 480},
    step_settings=ATNET_A.step_settings | {"local_weight": 0.1},
    sources=ATNET_A.sources
    | {
        "data": "Sec. 3.4: DAVIS 2017 train and YouTube-VOS train; their shares are not stated (--data DIR=weight)",
        "num_steps": "Sec. 3.4: 40 epochs of 6,000 mini-batches",
        "batch_size": "Sec. 3.4: 8 mini-sequences",
        "curriculum": "Sec. 3.4: neighbours that follow one another",
        "frozen": "Sec. 3.4: A-Net is used as trained",
        "sample_settings": "Sec. 3.4: an annotated frame and 4 of its 7 neighbours, forward or backward; affine ranges "
        "not stated: the defaults of TrackletSettings; ours: short_side",
        "step_settings": ATNET_A.sources["step_settings"] + "; Sec. 3.4: 0.1 of the local map's error",
    },
)

_SMALL = {
    "size": "small",
    "num_steps": 2_000,
    "batch_size": 8,
    "micro_batch": 4,
    "crop_size": 160,
    "learning_rate": LearningRateSchedule(peak=1e-3, warmup=0.03, decay="cosine", factor=0.01),
    "gradient_clip": 1.0,
    "train_batch_norm_until": 0.8,
}
_SMALL_SAMPLES = {
    "short_side": 192,
    "greyscale_probability": 0.2,
    "clip_jitter": JitterRange(brightness=0.3, contrast=0.3, saturation=0.6, hue=0.1),
}
_SOURCES = {
    "num_steps": "ours: what 2 cores do in 20 minutes; give --steps for more",
    "batch_size": "ours, as the paper's of T-Net",
    "micro_batch": "ours: batch statistics are learnt, over four samples",
    "crop_size": "ours: as the other small stages",
    "learning_rate": "ours: from scratch",
    "gradient_clip": "ours: as the other small stages",
    "train_batch_norm_until": "ours: learnt, then frozen for the last fifth, as inference sees them",
}
_SMALL_USER = (
    "; pixels a point by the smaller crop; half of the first rounds are strokes: in so few steps points alone teach it "
    "to fill what they cover"
)

ATNET_A_MINI = replace(
    ATNET_A,
    **_SMALL,
    name="atnet-a-mini",
    summary="Small A-Net from scratch; 20 minutes on 2 CPU cores.",
    start_from="scratch",
    sample_settings=ATNET_A.sample_settings | _SMALL_SAMPLES,
    # Points for objects of a sixth of the published area, and as many of them.
    step_settings={
        "first_round_probability": 0.5,
        "first_stroke_probability": 0.5,
        "pixels_per_point": (20, 500),
    },
    sources=ATNET_A.sources
    | _SOURCES
    | {
        "sample_settings": ATNET_A.sources["sample_settings"] + ", strong colours as in the other small stages",
        "step_settings": ATNET_A.sources["step_settings"] + _SMALL_USER,
    },
)

ATNET_T_MINI = replace(
    ATNET_T,
    **_SMALL | {"num_steps": 600},
    name="atnet-t-mini",
    summary="Small T-Net beside a small A-Net; 20 minutes on 2 CPU cores.",
    start_from="a checkpoint of atnet-a-mini (--init)",
    sample_settings=ATNET_T.sample_settings | _SMALL_SAMPLES,
    step_settings=ATNET_A_MINI.step_settings | {"local_weight": 0.1},
    sources=ATNET_T.sources
    | _SOURCES
    | {
        "sample_settings": ATNET_T.sources["sample_settings"] + ", strong colours as in the other small stages",
        "step_settings": ATNET_T.sources["step_settings"] + _SMALL_USER,
    },
)

ATNET_STAGES = (ATNET_A, ATNET_T, ATNET_A_MINI, ATNET_T_MINI)
