"""ResNet trunks with torchvision's parameter names, so that ImageNet weights load, strided or dilated.

B batch, C channels, H W pixels. torchvision itself cannot be imported beside a CPU-only torch, hence our own.
"""

from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn

from .squeeze_excitation import SqueezeExcitation


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut (He et al. 2016, Fig. 5 left); parameter names of torchvision.

    excited: its residual goes through squeeze-and-excitation.
    """

    expansion = 1

    def __init__(
        self,
        in_channels: int,
        width: int,
        stride: int,
        conv_bias: bool = False,
        dilation: int = 1,
        excited: bool = False,
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, width, 3, stride, dilation, dilation, bias=conv_bias)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, dilation, dilation, bias=conv_bias)
        self.bn2 = nn.BatchNorm2d(width)
        self.excitation = SqueezeExcitation(width * self.expansion) if excited else None
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(in_channels, width * self.expansion, stride, conv_bias)

    def forward(self, x: Tensor) -> Tensor:
        identity = x if self.downsample is None else self.downsample(x)
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.bn2(self.conv2(x))
        return self.relu((x if self.excitation is None else self.excitation(x)) + identity)


class Bottleneck(nn.Module):
    """1x1, 3x3 (with the stride), 1x1 convolutions and a shortcut; parameter names of torchvision.

    excited: its residual goes through squeeze-and-excitation.
    """

    expansion = 4

    def __init__(
        self,
        in_channels: int,
        width: int,
        stride: int,
        conv_bias: bool = False,
        dilation: int = 1,
        excited: bool = False,
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, width, 1, bias=conv_bias)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, dilation, dilation, bias=conv_bias)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, width * self.expansion, 1, bias=conv_bias)
        self.bn3 = nn.BatchNorm2d(width * self.expansion)
        self.excitation = SqueezeExcitation(width * self.expansion) if excited else None
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(in_channels, width * self.expansion, stride, conv_bias)

    def forward(self, x: Tensor) -> Tensor:
        identity = x if self.downsample is None else self.downsample(x)
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.relu(self.bn2(self.conv2(x)))
        x = self.bn3(self.conv3(x))
        return self.relu((x if self.excitation is None else self.excitation(x)) + identity)


def _shortcut(in_channels: int, out_channels: int, stride: int, conv_bias: bool) -> nn.Sequential | None:
    if stride == 1 and in_channels == out_channels:
        return None
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 1, stride, bias=conv_bias), nn.BatchNorm2d(out_channels))


BLOCKS: dict[str, type[BasicBlock] | type[Bottleneck]] = {"basic": BasicBlock, "bottleneck": Bottleneck}


class ResNetTrunk(nn.Module):
    """Stem and stages 1-3 of a ResNet, or 1-4; by default the fourth is dilated instead of strided (output stride 16).

    `depths` holds the blocks of each stage, `strides` the stride of each stage's first block, `dilations` those of each
    stage's blocks, the last of which holds for all blocks that follow. Defaults: the trunk of DeepLab with stride 16,
    where the stride left out of the fourth stage becomes a dilation of the blocks after its first. (1, 2, 2, 2) without
    dilation is the plain ResNet, stride 32. `conv_bias` gives every convolution a bias (the memory encoder of the
    published network has them, `mod_resnet`), `stem_bias` the first alone. `excited`: blocks with squeeze-and-
    excitation (SE-ResNet). `input_names`: the input channels by name, of which there are then as many; None where their
    number tells them (see `INPUT_CHANNELS`). `channels` holds the channel counts of the features of every stage.
    """

    def __init__(
        self,
        block: Literal["basic", "bottleneck"],
        depths: Sequence[int],
        *,
        base_width: int = 64,
        in_channels: int = 3,
        input_names: tuple[str, ...] | None = None,
        conv_bias: bool = False,
        stem_bias: bool = False,
        strides: Sequence[int] = (1, 2, 2, 1),
        dilations: Sequence[Sequence[int]] = ((1,), (1,), (1,), (1, 2)),
        excited: bool = False,
    ) -> None:
        super().__init__()
        if len(depths) not in (3, 4):
            raise ValueError(f"depths of {len(depths)} stages; give the blocks of three stages or of four")
        if min(len(strides), len(dilations)) < len(depths):
            raise ValueError(
                f"{len(strides)} strides and {len(dilations)} dilations for {len(depths)} stages; give one of each "
                "a stage"
            )
        kind = BLOCKS[block]
        self.input_names = input_names
        in_channels = in_channels if input_names is None else len(input_names)
        self.conv1 = nn.Conv2d(in_channels, base_width, 7, 2, 3, bias=conv_bias or stem_bias)
        self.bn1 = nn.BatchNorm2d(base_width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        channels = base_width
        for index, depth in enumerate(depths):
            width = base_width * 2**index
            blocks = []
            for position in range(depth):
                stride = strides[index] if position == 0 else 1
                dilation = dilations[index][min(position, len(dilations[index]) - 1)]
                blocks.append(kind(channels, width, stride, conv_bias, dilation, excited))
                channels = width * kind.expansion
            self.add_module(f"layer{index + 1}", nn.Sequential(*blocks))
        self.channels = tuple(base_width * 2**index * kind.expansion for index in range(len(depths)))

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Encode (B, C, H, W) into the features of every stage; by default strides 4, 8, 16, and 16 with a fourth."""
        x = self.stem(x)
        features = []
        for index in range(len(self.channels)):
            x = getattr(self, f"layer{index + 1}")(x)
            features.append(x)
        return tuple(features)

    def stem(self, x: Tensor) -> Tensor:
        """First convolution, batch norm, ReLU and pooling: what the first stage takes, at stride 4."""
        return self.maxpool(self.relu(self.bn1(self.conv1(x))))
