"""Regions of interest: the box about a user's guidance, the warp of it to a square, and the way back.

Oh et al., "Fast User-Guided Video Object Segmentation by Interaction-and-Propagation Networks" (CVPR 2019, Sec. 3.3).
B batch, C channels, H W pixels, S side of the square. A box is (top, left, height, width) in pixels of the frame;
pixel (row r, column c) covers [r, r + 1) x [c, c + 1), so the whole frame is (0, 0, H, W).
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from .precision import at_least_float32


@dataclass(frozen=True, kw_only=True)
class RoiRule:
    """How guidance becomes a box.

    threshold: guidance from it on counts, so that a neutral mask of 0.5 asks for the whole frame. scale: of each side
    of the tight box (the paper doubles, the published code takes 1.5). least_side: that a side has at least, as a share
    of the square's (published: 128 pixels of 256). margin: pixels that the box may stick out of the frame.
    """

    threshold: float = 0.49
    scale: float = 2.0
    least_side: float = 0.5
    margin: float = 5.0

    def __post_init__(self) -> None:
        if not 0 < self.threshold < 0.5:
            raise ValueError(f"threshold is {self.threshold}; give one above 0 and below 0.5, a neutral mask's value")
        if self.scale < 1 or self.least_side < 0 or self.margin < 0:
            raise ValueError(
                f"scale is {self.scale}, least_side {self.least_side} and margin {self.margin} of a region of "
                "interest; the scale must be 1 or more, the others 0 or more"
            )


def guidance_box(guidance: Tensor, side: int, rule: RoiRule) -> Tensor:
    """Return the box about all guidance of each sample, float32 (B, 4): top, left, height, width.

    guidance: (B, C, H, W) in [0, 1]; all channels count alike. side: S of the square. A sample without any gets the
    whole frame, and so does one whose guidance reaches from border to border.
    """
    height, width = guidance.shape[-2:]
    marked = (guidance >= rule.threshold).any(dim=1)
    top, bottom = _extent(marked.any(dim=2))
    left, right = _extent(marked.any(dim=1))
    rows = _widened(top, bottom, height, side, rule)
    columns = _widened(left, right, width, side, rule)
    found = torch.stack([rows[0], columns[0], rows[1] - rows[0], columns[1] - columns[0]], dim=1)
    whole = whole_frame(len(guidance), (height, width), guidance.device)
    fills = (top == 0) & (left == 0) & (bottom == height) & (right == width)
    return torch.where((fills | ~marked.flatten(1).any(dim=1))[:, None], whole, found)


def whole_frame(num: int, size: tuple[int, int], device: torch.device | str = "cpu") -> Tensor:
    """Return the box of the whole frame for `num` samples, float32 (B, 4); size: (H, W)."""
    return torch.tensor([[0.0, 0.0, *map(float, size)]], device=device).repeat(num, 1)


def roi_align(images: Tensor, boxes: Tensor, side: int) -> Tensor:
    """Warp the box of each sample to a square, bilinear: (B, C, H, W) -> (B, C, S, S), at least float32.

    What lies outside the frame repeats its border.
    """
    images = at_least_float32(images)
    return F.grid_sample(images, _grid_of(images, boxes, side), padding_mode="border", align_corners=False)


def roi_labels(labels: Tensor, boxes: Tensor, side: int, outside: int) -> Tensor:
    """Warp labels int64 (B, H, W) to squares (B, S, S), nearest neighbour; `outside` is what lies off the frame."""
    moved = (labels - outside)[:, None].to(torch.float32)
    warped = F.grid_sample(moved, _grid_of(moved, boxes, side), mode="nearest", align_corners=False)
    return warped[:, 0].round().long() + outside


def roi_paste(values: Tensor, boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Warp squares back to their boxes in frames of (H, W), bilinear: (B, C, S, S) -> (B, C, H, W), 0 off the box."""
    values = at_least_float32(values)
    # float64: a frame's last row lies in the box or not whatever the rounding.
    boxes = boxes.to(torch.float64)
    rows = _relative(size[0], boxes[:, 0], boxes[:, 2])
    columns = _relative(size[1], boxes[:, 1], boxes[:, 3])
    grid = _grid(rows, columns)
    inside = ((rows.abs() <= 1)[:, :, None] & (columns.abs() <= 1)[:, None, :])[:, None]
    pasted = F.grid_sample(values, grid.to(values.dtype), padding_mode="border", align_corners=False)
    return pasted * inside


def _extent(marked: Tensor) -> tuple[Tensor, Tensor]:
    """First place of each row that is marked, and the one after the last: bool (B, L) -> two of float32 (B,)."""
    length = marked.shape[1]
    places = torch.arange(length, device=marked.device)
    first = torch.where(marked, places, length).amin(dim=1)
    last = torch.where(marked, places, -1).amax(dim=1)
    return first.float(), last.float() + 1


def _widened(low: Tensor, high: Tensor, length: int, side: int, rule: RoiRule) -> tuple[Tensor, Tensor]:
    """Scale an extent about its middle, and cut it to the frame and its margin."""
    middle, extent = (low + high) / 2, (high - low).clamp(min=1)
    half = (extent.clamp(min=rule.least_side * side) * rule.scale) / 2
    return (middle - half).clamp(min=-rule.margin), (middle + half).clamp(max=length + rule.margin)


def _grid_of(images: Tensor, boxes: Tensor, side: int) -> Tensor:
    """Where in the frame each pixel of the square lies, (B, S, S, 2), x and y from -1 to 1 as `grid_sample` has it."""
    boxes = boxes.to(torch.float64)
    centres = (torch.arange(side, device=boxes.device, dtype=torch.float64) + 0.5) / side
    height, width = images.shape[-2:]
    rows = 2 * (boxes[:, :1] + centres * boxes[:, 2:3]) / height - 1
    columns = 2 * (boxes[:, 1:2] + centres * boxes[:, 3:4]) / width - 1
    return _grid(rows, columns).to(images.dtype)


def _relative(length: int, start: Tensor, extent: Tensor) -> Tensor:
    """Where in its box, from -1 to 1, each pixel of a frame's side lies: (B, L)."""
    centres = torch.arange(length, device=start.device, dtype=start.dtype) + 0.5
    return 2 * (centres - start[:, None]) / extent[:, None] - 1


def _grid(rows: Tensor, columns: Tensor) -> Tensor:
    shape = (len(rows), rows.shape[1], columns.shape[1])
    return torch.stack([columns[:, None].expand(shape), rows[:, :, None].expand(shape)], dim=-1)
