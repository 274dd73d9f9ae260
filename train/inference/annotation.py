"""What A-Net is given on a frame: each object's mask so far and its maps of scribbles (ATNet, ECCV 2020).

N objects, h w pixels of the network's input, unpadded.
"""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
import torch
from torch import Tensor

from ...datagen.simulation.clicks.clicks import Click
from ...datagen.simulation.robot.strokes import Stroke
from ...datagen.simulation.scribbles.annotated_input import NEUTRAL, scribble_maps
from .geometry import FrameGeometry

NEUTRAL_GREY = 128


def annotation_maps(
    base: np.ndarray,
    strokes: Sequence[Stroke],
    clicks: Mapping[int, Sequence[Click]],
    object_ids: Sequence[int],
    geometry: FrameGeometry,
) -> np.ndarray:
    """Return mask, positive and negative map of each object as grey values, uint8 (3, N, h, w).

    base: uint8 (H, W), the ids before strokes and clicks. An object that the base does not show has its first round
    here, with a neutral mask (128 stands for 0.5), if anything was drawn on it; else it is not in the frame. Clicks are
    strokes of one point over all lines; a negative click is background to its own object, and nothing to the others.
    Drawn at the network's size, so that lines keep the width of training.
    """
    height, width = geometry.inner
    planes = np.zeros((3, len(object_ids), height, width), np.uint8)
    for row, object_id in enumerate(object_ids):
        seen = [*strokes, *_clicked(clicks, object_id, geometry.size)]
        shown = base == object_id
        first = not shown.any()
        if first and not any(stroke.object_id == object_id for stroke in seen):
            continue
        maps = scribble_maps(seen, object_id, None if first else _scaled(shown, geometry), height, width)
        planes[0, row] = NEUTRAL_GREY if first else maps.mask * 255
        planes[1, row], planes[2, row] = np.rint(maps.positive * 255), np.rint(maps.negative * 255)
    return planes


def as_inputs(planes: np.ndarray, geometry: FrameGeometry, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Turn grey values, uint8 (3, N, h, w), into the network's inputs: each (N, 1, H', W') in [0, 1], padded."""
    given = torch.from_numpy(np.ascontiguousarray(planes)).to(device)
    values = given.float() / 255
    values[0] = torch.where(given[0] == NEUTRAL_GREY, NEUTRAL, values[0])
    mask, positive, negative = (torch.nn.functional.pad(plane[:, None], geometry.padding) for plane in values)
    return mask, positive, negative


def _clicked(clicks: Mapping[int, Sequence[Click]], object_id: int, size: tuple[int, int]) -> list[Stroke]:
    """Clicks as one object sees them: strokes of one point."""
    height, width = size
    found = []
    for owner, given in clicks.items():
        for click in given:
            if not click.positive and owner != object_id:
                continue
            # The middle of the first pixel is (0.5, 0.5) in pixels, and (0, 0) on a stroke's path.
            path = np.array([[(click.x - 0.5) / max(1, width - 1), (click.y - 0.5) / max(1, height - 1)]])
            found.append(Stroke(object_id=owner if click.positive else 0, path=np.clip(path + 1e-9, 0, 1)))
    return found


def _scaled(mask: np.ndarray, geometry: FrameGeometry) -> np.ndarray:
    """The pixels half covered at the network's size; those covered most of a mask too thin to cover half of any."""
    if geometry.inner == geometry.size:
        return mask
    height, width = geometry.inner
    covered = cv2.resize(mask.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    return covered >= min(0.5, covered.max())
