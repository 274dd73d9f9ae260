"""OSVOS on one video: the parent network is tuned to frames whose mask is known, then segments all others.

Caelles et al. (CVPR 2017); Benard and Gygli (2017) tune it for 500 iterations. H W pixels.
"""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from ...datagen.compositing.stills import Still
from ...datagen.samples.foregrounds import ForegroundSettings
from ...datagen.samples.loader import collate
from ...datagen.samples.object_crops import draw_object_crop
from ...models.osvos import OSVOSNetwork
from ..losses import class_balanced_cross_entropy
from ..optimiser import make_sgd
from .geometry import STRIDE, FrameGeometry


@dataclass(frozen=True, kw_only=True)
class TuningSettings:
    """How a network learns a video, and how it runs on its frames.

    iterations: updates. batch_size: pictures of an update (published: the gradients of five are averaged). optimiser,
    learning_rate, momentum (of "sgd"), weight_decay; reduction: of the loss over the pixels. Published: SGD, 1e-8 of
    the sum with shares for each layer (`make_sgd`); networks from scratch take Adam and the mean. scale,
    flip_probability, rotation_degrees: of the pictures, as in the parent's training. short_side: pixels of the
    network's input, None for the frame's own. threshold: answer of the network from which a pixel is the object's, in
    (0, 1); a loss that weighs both classes alike makes it generous, and its authors found 0.8 the best (issue 26 of
    OSVOS-PyTorch). seed: of what is drawn.
    """

    iterations: int = 500
    batch_size: int = 5
    optimiser: Literal["sgd", "adam"] = "sgd"
    learning_rate: float = 1e-8
    momentum: float = 0.9
    weight_decay: float = 2e-4
    reduction: Literal["sum", "mean"] = "sum"
    scale: tuple[float, float] = (0.75, 1.25)
    flip_probability: float = 0.5
    rotation_degrees: float = 30.0
    short_side: int | None = None
    threshold: float = 0.8
    seed: int = 0

    def __post_init__(self) -> None:
        if self.iterations < 0:
            raise ValueError(f"iterations of tuning are {self.iterations}; give 0 or more")
        if self.batch_size < 1:
            raise ValueError(f"batch_size is {self.batch_size}; give 1 or more")
        if self.optimiser not in ("sgd", "adam") or not self.learning_rate > 0:
            raise ValueError(
                f"optimiser is {self.optimiser!r} with a rate of {self.learning_rate}; choose sgd or adam, and a "
                "positive rate"
            )
        if self.short_side is not None and self.short_side < STRIDE:
            raise ValueError(f"short_side is {self.short_side}; give {STRIDE} pixels or more, or None")
        if not 0 < self.threshold < 1:
            raise ValueError(f"threshold is {self.threshold}; give a number between 0 and 1")


def tuning_for(network: OSVOSNetwork, *, iterations: int = 500, short_side: int | None = None) -> TuningSettings:
    """The settings for a network: published for the full size, Adam and the mean for sizes that begin from scratch."""
    if network.size.name == "full":
        return TuningSettings(iterations=iterations, short_side=short_side)
    return TuningSettings(
        iterations=iterations,
        short_side=short_side,
        batch_size=2,
        optimiser="adam",
        learning_rate=3e-4,
        weight_decay=0.0,
        reduction="mean",
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Example:
    """A frame whose mask is known: rgb uint8 (H, W, 3), mask bool (H, W)."""

    rgb: np.ndarray
    mask: np.ndarray


def tuned(network: OSVOSNetwork, examples: Sequence[Example], settings: TuningSettings) -> OSVOSNetwork:
    """Return a copy of a network that has learnt the examples, in evaluation mode; the network itself stays.

    The same examples and settings give the same copy on one device. ValueError without an example.
    """
    if not examples:
        raise ValueError("there is no frame to tune a network to; give one with its mask")
    own = copy.deepcopy(network).train()
    device = next(own.parameters()).device
    optimiser = _optimiser(own, settings)
    rng = np.random.default_rng(settings.seed)
    crops = _crops(examples, settings)
    stills = [
        Still(name=str(number), rgb=one.rgb, ids=one.mask.astype(np.uint8)) for number, one in enumerate(examples)
    ]
    with torch.enable_grad():
        for _ in range(settings.iterations):
            chosen = rng.integers(len(stills), size=settings.batch_size)
            batch = collate([_Drawn(draw_object_crop(rng, stills[number], crops)) for number in chosen])
            answer = own(batch["rgb"].to(device))[-1]
            # Online only the fused answer is trained, as published.
            loss = class_balanced_cross_entropy(answer, batch["labels"].to(device), settings.reduction)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return own.eval()


def probability_of_frame(network: OSVOSNetwork, rgb: np.ndarray, settings: TuningSettings) -> np.ndarray:
    """The probability of the foreground in a frame, float32 (H, W); rgb uint8 (H, W, 3).

    The network's log-odds are moved so that one half is where its answer is `threshold`.
    """
    geometry = FrameGeometry.of(*rgb.shape[:2], settings.short_side)
    with torch.inference_mode():
        picture = geometry.enter_picture(rgb, network.normalise.mean)
        log_odds = network(picture)[-1] - math.log(settings.threshold / (1 - settings.threshold))
        return geometry.leave(log_odds.sigmoid())[0, 0].cpu().numpy()


class _Drawn:
    """A crop, as a sample of a batch."""

    BATCHED = ("rgb", "labels")

    def __init__(self, crop) -> None:
        self.rgb, self.labels = crop.rgb, crop.labels()


def _crops(examples: Sequence[Example], settings: TuningSettings) -> ForegroundSettings:
    """Squares of the frame's shorter side at the size of the network's input, cut to a multiple of the stride."""
    side = settings.short_side or min(min(one.mask.shape) for one in examples)
    return ForegroundSettings(
        crop_size=max(STRIDE, side // STRIDE * STRIDE),
        short_side=max(STRIDE, side),
        scale=settings.scale,
        several_scale=settings.scale,
        rotation_degrees=settings.rotation_degrees,
        flip_probability=settings.flip_probability,
    )


def _optimiser(network: OSVOSNetwork, settings: TuningSettings) -> torch.optim.Optimizer:
    if settings.optimiser == "adam":
        return torch.optim.Adam(network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
    return make_sgd(
        network, rate=settings.learning_rate, momentum=settings.momentum, weight_decay=settings.weight_decay
    )
