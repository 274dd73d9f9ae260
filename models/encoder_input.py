"""What every encoder asks of its input: sides that its stride divides, and channels last in memory."""

import torch
from torch import Tensor


def require_sides(rgb: Tensor, stride: int) -> Tensor:
    """Return the pictures (B, C, H, W) as they are; ValueError where H or W is no multiple of the stride."""
    height, width = rgb.shape[-2:]
    if height % stride or width % stride:
        raise ValueError(
            f"the network takes frames whose sides are multiples of {stride}, not {width}x{height}; pad them"
        )
    return rgb


def channels_last(x: Tensor) -> Tensor:
    """The same tensor (B, C, H, W) with the memory format that convolutions are fastest in."""
    return x.contiguous(memory_format=torch.channels_last)
