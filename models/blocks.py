"""Decoder parts: pre-activation residual blocks, up-sampling with a skip, key/value heads."""

from torch import Tensor, nn
from torch.nn import functional as F


class ResidualBlock(nn.Module):
    """ReLU-conv-ReLU-conv plus shortcut, 3x3, no normalisation; a 3x3 projection where the channels differ.

    Published decoder block (MiVOS, CVPR 2021, after STM, ICCV 2019).
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, 1, 1)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, 1, 1)
        self.shortcut = None if in_channels == out_channels else nn.Conv2d(in_channels, out_channels, 3, 1, 1)

    def quieten(self) -> None:
        """Scale fresh weights down, so that without normalisation the variance does not double at every block."""
        self.conv2.weight.data.mul_(0.5)
        if self.shortcut is not None:
            self.shortcut.weight.data.mul_(0.5**0.5)

    def forward(self, x: Tensor) -> Tensor:
        residual = self.conv2(F.relu(self.conv1(F.relu(x))))
        return residual + (x if self.shortcut is None else self.shortcut(x))


class SkipBranch(nn.Module):
    """A 3x3 convolution and a residual block over the query's skip features.

    It sees the frame only, never a mask: computed once a frame and shared by all objects.
    """

    def __init__(self, skip_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(skip_channels, out_channels, 3, 1, 1)
        self.block = ResidualBlock(out_channels, out_channels)

    def forward(self, features: Tensor) -> Tensor:
        return self.block(self.conv(features))


class UpsampleBlock(nn.Module):
    """Bilinear x2, add the skip branch's output, residual block."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.block = ResidualBlock(in_channels, out_channels)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        return self.block(skip + F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False))


class KeyValueHead(nn.Module):
    """3x3 convolutions from stride-16 features to a key and a value."""

    def __init__(self, in_channels: int, key_channels: int, value_channels: int) -> None:
        super().__init__()
        self.key = nn.Conv2d(in_channels, key_channels, 3, 1, 1)
        self.value = nn.Conv2d(in_channels, value_channels, 3, 1, 1)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        return self.key(features), self.value(features)
