"""Squeeze-and-excitation (Hu, Shen, Sun, CVPR 2018): every channel scaled by what the whole picture says of it."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

REDUCTION = 16
LEAST_CHANNELS = 8
"""Fewer units behind a ReLU may all be silent from the start; no published block has as few."""


class SqueezeExcitation(nn.Module):
    """Mean over the picture, 1x1 to a sixteenth of the channels, ReLU, 1x1 back, sigmoid: a factor a channel.

    Without biases, as in ATNet's published encoder. A block scales its residual so, before the shortcut is added.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        narrow = max(LEAST_CHANNELS, channels // REDUCTION)
        self.down = nn.Conv2d(channels, narrow, 1, bias=False)
        self.up = nn.Conv2d(narrow, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Scale the channels of x (B, C, H, W) by factors in (0, 1)."""
        factors = self.up(F.relu(self.down(x.mean(dim=(2, 3), keepdim=True))))
        return x * torch.sigmoid(factors)
