"""From the pixels of a frame, or of a region of it, to the input of a network and back. H, W pixels."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

STRIDE = 16


@dataclass(frozen=True, kw_only=True)
class FrameGeometry:
    """size: the frame's (H, W). inner: the size to which it is scaled. padding: left, right, top, bottom around it."""

    size: tuple[int, int]
    inner: tuple[int, int]
    padding: tuple[int, int, int, int]

    @classmethod
    def of(cls, height: int, width: int, short_side: int | None) -> "FrameGeometry":
        """The geometry of frames of this size whose shorter side becomes `short_side` pixels, None keeps it."""
        return cls.scaled(height, width, 1.0 if short_side is None else short_side / min(height, width))

    @classmethod
    def scaled(cls, height: int, width: int, scale: float) -> "FrameGeometry":
        """The geometry of frames of this size that enter the network at `scale` times it."""
        inner = (max(1, round(height * scale)), max(1, round(width * scale)))
        rows, columns = (-inner[0] % STRIDE, -inner[1] % STRIDE)
        padding = (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2)
        return cls(size=(height, width), inner=inner, padding=padding)

    def enter(self, x: Tensor) -> Tensor:
        """(N, C, H, W) of the frame -> the network's size, padded symmetrically with zeros to multiples of 16."""
        if self.inner != self.size:
            x = F.interpolate(x, self.inner, mode="bilinear", align_corners=False, antialias=True)
        return F.pad(x, self.padding)

    def enter_picture(self, rgb: np.ndarray, mean: Tensor) -> Tensor:
        """A picture uint8 (H, W, 3) -> float32 (1, 3, H, W) in [0, 1] at the network's size, on the device of `mean`.

        mean: (1, 3, 1, 1), the colour that the network sees as zero. The padding has it, so it is zero after
        normalisation, as published.
        """
        picture = torch.from_numpy(np.ascontiguousarray(rgb)).to(mean.device).permute(2, 0, 1)[None].float() / 255
        return self.enter(picture - mean) + mean

    def leave(self, x: Tensor) -> Tensor:
        """The inverse of `enter`."""
        left, _, top, _ = self.padding
        x = x[..., top : top + self.inner[0], left : left + self.inner[1]]
        return x if self.inner == self.size else F.interpolate(x, self.size, mode="bilinear", align_corners=False)


@dataclass(frozen=True, kw_only=True)
class Region:
    """A rectangle of a frame in whole pixels; right and bottom are the first column and row behind it."""

    left: int
    top: int
    right: int
    bottom: int

    def __post_init__(self) -> None:
        if not (0 <= self.left < self.right and 0 <= self.top < self.bottom):
            raise ValueError(
                f"the region is {self}; give 0 <= left < right and 0 <= top < bottom, right and bottom the first "
                "column and row behind it"
            )

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns of the region, to index a picture."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def check_within(self, height: int, width: int) -> None:
        """ValueError when the region leaves a frame of this size."""
        if self.bottom > height or self.right > width:
            raise ValueError(f"the region is {self}, but the frame has {width} columns and {height} rows; keep within")

    def without_margin(self, margin: int, height: int, width: int) -> "Region":
        """The region less `margin` pixels on each side that lies inside the frame; itself where nothing would remain.

        Near the edges of a region a network has not seen what lies beside it (MiVOS leaves 3 pixels away); at the
        frame's own edge there is nothing to see.
        """
        left, top = (margin * (side > 0) for side in (self.left, self.top))
        right, bottom = margin * (self.right < width), margin * (self.bottom < height)
        if self.right - self.left <= 2 * margin or self.bottom - self.top <= 2 * margin:
            return self
        return Region(left=self.left + left, top=self.top + top, right=self.right - right, bottom=self.bottom - bottom)
