"""Corrects the masks of a frame from a user's strokes with Scribble-to-Mask (MiVOS, CVPR 2021, Sec. 3.1).

N objects, H W pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ...datagen.simulation.robot.strokes import NO_STROKE, Stroke, draw_strokes
from ...models.aggregate import aggregate_logits
from ...models.s2m import S2MNetwork
from .geometry import FrameGeometry


@dataclass(frozen=True, kw_only=True)
class InteractionSettings:
    """short_side: pixels of the network input's shorter side, None for the frame's own. stroke_width: pixels of that
    input (3 as published). objects_per_pass bounds the batch.
    """

    short_side: int | None = None
    stroke_width: int = 3
    objects_per_pass: int = 8

    def __post_init__(self) -> None:
        for name in ("short_side", "objects_per_pass"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} is {value}; give a positive number")
        if self.stroke_width < 1 or self.stroke_width % 2 == 0:
            raise ValueError(f"stroke_width is {self.stroke_width}; give an odd number of pixels, 1 or more")


def correct_ids(
    network: S2MNetwork,
    rgb: np.ndarray,
    current_ids: np.ndarray,
    strokes: Sequence[Stroke],
    object_ids: Sequence[int],
    settings: InteractionSettings,
) -> np.ndarray:
    """Return the ids that the network makes of the present ones and the strokes, uint8 (H, W).

    rgb: uint8 (H, W, 3). current_ids: uint8 (H, W), all zero before the first round. strokes: of these objects, or of
    0 for background. Each object sees its own mask, its own strokes as positive and all others as negative; then the
    objects share the pixels out by soft aggregation, as published. Without strokes the present ids come back.
    The network runs where it is, and is left in evaluation mode. ValueError when the sizes differ or an id is missing.
    """
    if rgb.shape != (*current_ids.shape, 3):
        raise ValueError(f"rgb has shape {rgb.shape}, current_ids {current_ids.shape}; they must be of one frame")
    unknown = sorted({stroke.object_id for stroke in strokes} - {0, *object_ids})
    if unknown:
        raise ValueError(f"a stroke is of object {unknown[0]}; the objects are {', '.join(map(str, object_ids))}")
    if not strokes or not len(object_ids):
        return current_ids.copy()
    network.eval()
    device = next(network.parameters()).device
    geometry = FrameGeometry.of(*current_ids.shape, settings.short_side)
    # Drawn at the network's size, so that lines keep the width of training.
    labels = torch.from_numpy(draw_strokes(strokes, *geometry.inner, thickness=settings.stroke_width)).to(device)
    ids = torch.tensor(list(object_ids), device=device).view(-1, 1, 1)
    positive, negative = labels == ids, (labels != ids) & (labels != NO_STROKE)
    with torch.inference_mode():
        picture = geometry.enter_picture(rgb, network.normalise.mean)
        masks = geometry.enter((torch.from_numpy(current_ids).to(device) == ids)[:, None].float()).round()
        drawn = (F.pad(lines[:, None].float(), geometry.padding) for lines in (positive, negative))
        logits = _in_passes(network, picture, (masks, *drawn), settings.objects_per_pass)
        log_odds = aggregate_logits(geometry.leave(logits.sigmoid())[:, 0])
        classes = log_odds.argmax(dim=0).cpu()
    return np.array([0, *object_ids], np.uint8)[classes.numpy()]


def _in_passes(network: S2MNetwork, picture: Tensor, inputs: tuple[Tensor, ...], group: int) -> Tensor:
    parts = zip(*(given.split(group) for given in inputs), strict=True)
    return torch.cat([network(picture.expand(len(part[0]), -1, -1, -1), *part) for part in parts])
