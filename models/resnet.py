"""ResNet trunks that end at stride 16, with torchvision's parameter names, so that ImageNet weights load.

B batch, C channels, H W pixels. torchvision itself cannot be imported beside a CPU-only torch, hence our own.
"""

from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut (He et al. 2016, Fig. 5 left); parameter names of torchvision."""

    expansion = 1

    def __init__(self, in_channels: int, width: int, stride: int, conv_bias: bool, dilation: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, width, 3, stride, dilation, dilation, bias=conv_bias)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, dilation, dilation, bias=conv_bias)
        self.bn2 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(in_channels, width * self.expansion, stride, conv_bias)

    def forward(self, x: Tensor) -> Tensor:
        identity = x if self.downsample is None else self.downsample(x)
        x = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(x)) + identity)


class Bottleneck(nn.Module):
    """1x1, 3x3 (with the stride), 1x1 convolutions and a shortcut; parameter names of torchvision."""

    expansion = 4

    def __init__(self, in_channels: int, width: int, stride: int, conv_bias: bool, dilation: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, width, 1, bias=conv_bias)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, dilation, dilation, bias=conv_bias)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, width * self.expansion, 1, bias=conv_bias)
        self.bn3 = nn.BatchNorm2d(width * self.expansion)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(in_channels, width * self.expansion, stride, conv_bias)

    def forward(self, x: Tensor) -> Tensor:
        identity = x if self.downsample is None else self.downsample(x)
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.relu(self.bn2(self.conv2(x)))
        return self.relu(self.bn3(self.conv3(x)) + identity)


def _shortcut(in_channels: int, out_channels: int, stride: int, conv_bias: bool) -> nn.Sequential | None:
    if stride == 1 and in_channels == out_channels:
        return None
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 1, stride, bias=conv_bias), nn.BatchNorm2d(out_channels))


BLOCKS: dict[str, type[BasicBlock] | type[Bottleneck]] = {"basic": BasicBlock, "bottleneck": Bottleneck}


class ResNetTrunk(nn.Module):
    """Stem and stages 1-3 of a ResNet, or 1-4, the fourth dilated instead of strided (output stride 16 of DeepLab).

    `depths` holds the blocks of each stage. `conv_bias` gives every convolution a bias (the memory encoder of the
    published network has them, `mod_resnet`). `channels` holds the channel counts of the features of every stage.
    """

    def __init__(
        self,
        block: Literal["basic", "bottleneck"],
        depths: Sequence[int],
        *,
        base_width: int = 64,
        in_channels: int = 3,
        conv_bias: bool = False,
    ) -> None:
        super().__init__()
        if len(depths) not in (3, 4):
            raise ValueError(f"depths of {len(depths)} stages; give the blocks of three stages or of four")
        kind = BLOCKS[block]
        self.conv1 = nn.Conv2d(in_channels, base_width, 7, 2, 3, bias=conv_bias)
        self.bn1 = nn.BatchNorm2d(base_width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        channels = base_width
        for index, depth in enumerate(depths):
            width = base_width * 2**index
            blocks = []
            for position in range(depth):
                # Stage 4 keeps stride 16: the stride left out of its first block becomes a dilation of those after it.
                stride = 2 if index in (1, 2) and position == 0 else 1
                dilation = 2 if index == 3 and position > 0 else 1
                blocks.append(kind(channels, width, stride, conv_bias, dilation))
                channels = width * kind.expansion
            self.add_module(f"layer{index + 1}", nn.Sequential(*blocks))
        self.channels = tuple(base_width * 2**index * kind.expansion for index in range(len(depths)))

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Encode (B, C, H, W) into the features of every stage: strides 4, 8, 16, and 16 again with a fourth stage."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        features = []
        for index in range(len(self.channels)):
            x = getattr(self, f"layer{index + 1}")(x)
            features.append(x)
        return tuple(features)
