"""Corrects the masks of a frame from a user's strokes and clicks with Scribble-to-Mask (MiVOS, CVPR 2021, Sec. 3.1).

N objects, H W pixels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ...datagen.simulation.clicks.click_maps import disc_maps
from ...datagen.simulation.clicks.clicks import Click
from ...datagen.simulation.robot.strokes import NO_STROKE, Stroke, StrokeTip, draw_strokes
from ...models.aggregate import aggregate_logits, most_likely
from ...models.s2m import S2MNetwork
from .geometry import FrameGeometry, Region


@dataclass(frozen=True, kw_only=True)
class InteractionSettings:
    """How strokes and clicks reach the network; lengths are pixels of its input.

    short_side: of the input's shorter side, None for the frame's own. stroke_width, stroke_tip: 3 and "square" as
    published, see `draw_strokes`. click_radius: of the disk that stands for a click. objects_per_pass bounds the batch.
    region_margin: pixels of the frame that stay as they were along the sides of a region (3 as published).
    """

    short_side: int | None = None
    stroke_width: int = 3
    stroke_tip: StrokeTip = "square"
    click_radius: float = 4.0
    objects_per_pass: int = 8
    region_margin: int = 3

    def __post_init__(self) -> None:
        for name in ("short_side", "objects_per_pass"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} is {value}; give a positive number")
        if self.stroke_width < 1 or self.stroke_width % 2 == 0:
            raise ValueError(f"stroke_width is {self.stroke_width}; give an odd number of pixels, 1 or more")
        if self.stroke_tip not in get_args(StrokeTip):
            raise ValueError(f"stroke_tip is {self.stroke_tip!r}; choose one of {', '.join(get_args(StrokeTip))}")
        if not self.click_radius >= 1:
            raise ValueError(f"click_radius is {self.click_radius}; give 1 pixel or more, smaller disks may hit none")
        if self.region_margin < 0:
            raise ValueError(f"region_margin is {self.region_margin}; give 0 pixels or more")


def correct_ids(
    network: S2MNetwork,
    rgb: np.ndarray,
    current_ids: np.ndarray,
    strokes: Sequence[Stroke],
    object_ids: Sequence[int],
    settings: InteractionSettings,
    *,
    clicks: Mapping[int, Sequence[Click]] | None = None,
    region: Region | None = None,
) -> np.ndarray:
    """Return the ids that the network makes of the present ones, the strokes and the clicks, uint8 (H, W).

    rgb: uint8 (H, W, 3). current_ids: uint8 (H, W), all zero before the first round. strokes: of these objects, or of
    0 for background. clicks: object id -> clicks, which become disks; a positive click of 0 is background. Each object
    sees its own mask, its own strokes and positive clicks as positive, those of all others and its own negative clicks
    as negative; then the objects share the pixels out by soft aggregation, as published. region: the network sees
    nothing else, and nothing outside changes. Without strokes and clicks the present ids come back.
    The network runs where it is, and is left in evaluation mode. ValueError when the sizes differ or an id is missing.
    """
    if rgb.shape != (*current_ids.shape, 3):
        raise ValueError(f"rgb has shape {rgb.shape}, current_ids {current_ids.shape}; they must be of one frame")
    clicks = {key: value for key, value in (clicks or {}).items() if len(value)}
    unknown = sorted(({stroke.object_id for stroke in strokes} | set(clicks)) - {0, *object_ids})
    if unknown:
        raise ValueError(
            f"a stroke or click is of object {unknown[0]}; the objects are {', '.join(map(str, object_ids))}"
        )
    if not len(object_ids) or not (strokes or clicks):
        return current_ids.copy()
    height, width = current_ids.shape
    window = region or Region(left=0, top=0, right=width, bottom=height)
    window.check_within(height, width)
    whole = FrameGeometry.of(height, width, settings.short_side)
    drawn = np.stack(draw_hints(strokes, clicks, object_ids, whole, settings))
    part = FrameGeometry.scaled(window.bottom - window.top, window.right - window.left, whole.inner[0] / height)
    drawn = drawn[..., *_inner_slices(window, whole, part)]
    if not drawn.any():
        return current_ids.copy()
    network.eval()
    device = next(network.parameters()).device
    with torch.inference_mode():
        picture = part.enter_picture(rgb[window.slices], network.normalise.mean)
        ids = torch.tensor(list(object_ids), device=device).view(-1, 1, 1)
        current = torch.from_numpy(np.ascontiguousarray(current_ids[window.slices])).to(device)
        masks = part.enter((current == ids)[:, None].float()).round()
        hints = (F.pad(torch.from_numpy(maps).to(device)[:, None].float(), part.padding) for maps in drawn)
        logits = _in_passes(network, picture, (masks, *hints), settings.objects_per_pass)
        classes = most_likely(aggregate_logits(part.leave(logits.sigmoid())[:, 0])).cpu().numpy()
    answered = current_ids.copy()
    answered[window.slices] = np.array([0, *object_ids], np.uint8)[classes]
    return answered if region is None else stitched(current_ids, answered, region, settings.region_margin)


def stitched(outside: np.ndarray, inside: np.ndarray, region: Region, margin: int) -> np.ndarray:
    """Return the ids `inside` the region less its margin, and those `outside` of it, all (H, W)."""
    kept = region.without_margin(margin, *outside.shape).slices
    ids = outside.copy()
    ids[kept] = inside[kept]
    return ids


def draw_hints(
    strokes: Sequence[Stroke],
    clicks: Mapping[int, Sequence[Click]],
    object_ids: Sequence[int],
    geometry: FrameGeometry,
    settings: InteractionSettings,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw what each object sees as positive and as negative, both bool (N, H, W) at the network's size unpadded.

    Drawn there, so that lines keep the width of training. Clicks lie over strokes, and a later click over an earlier
    one. ValueError for a negative click of the background, which would say nothing of any object.
    """
    labels = draw_strokes(strokes, *geometry.inner, thickness=settings.stroke_width, tip=settings.stroke_tip)
    ids = np.array(object_ids)
    positive = labels == ids[:, None, None]
    negative = ~positive & (labels != NO_STROKE)
    scale = geometry.inner[0] / geometry.size[0]
    for object_id, click in ((object_id, click) for object_id, given in clicks.items() for click in given):
        if object_id == 0 and not click.positive:
            raise ValueError("a negative click is of the background (0); click positively on the object it belongs to")
        scaled = Click(x=click.x * scale, y=click.y * scale, positive=True)
        disk = disc_maps([scaled], *geometry.inner, settings.click_radius)[0]
        own = ids == object_id
        if click.positive:
            positive[:, disk], negative[:, disk] = own[:, None], ~own[:, None]
        else:
            # What is not this object may be any other.
            row = int(np.flatnonzero(own)[0])
            positive[row, disk], negative[row, disk] = False, True
    return positive, negative


def _inner_slices(region: Region, whole: FrameGeometry, part: FrameGeometry) -> tuple[slice, slice]:
    """Where a region lies in the frame at the network's size."""
    starts = (
        min(round(start * inner / size), inner - length)
        for start, inner, size, length in zip(
            (region.top, region.left), whole.inner, whole.size, part.inner, strict=True
        )
    )
    return tuple(slice(start, start + length) for start, length in zip(starts, part.inner, strict=True))


def _in_passes(network: S2MNetwork, picture: Tensor, inputs: tuple[Tensor, ...], group: int) -> Tensor:
    parts = zip(*(given.split(group) for given in inputs), strict=True)
    return torch.cat([network(picture.expand(len(part[0]), -1, -1, -1), *part) for part in parts])
