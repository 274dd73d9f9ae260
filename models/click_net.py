"""The click network of Benard and Gygli (2017): a dilated ResNet with pyramid pooling, and clicks as an input channel.

B batch (one row an object), C channels, H W pixels. The paper names DeepLab's ResNet-101 and the pyramid head of PSPNet
(Zhao et al., CVPR 2017); the widths are those of the nearest public relative, DEXTR (Maninis et al., CVPR 2018).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .encoder_input import channels_last
from .input_channels import RGB
from .normalisation import NormaliseColours
from .precision import at_least_float32
from .resnet import ResNetTrunk

ClickMaps = Literal["gaussian", "distance"]
"""How clicks are drawn: one signed map of Gaussians (the paper's), or a map of distances for each sign (Xu et al.)."""

CLICK_CHANNELS: Mapping[str, tuple[str, ...]] = {
    "gaussian": ("signed_clicks",),
    "distance": ("positive_distance", "negative_distance"),
}
"""The names of the channels of each kind of click maps."""

_STRIDES = (1, 2, 1, 1)
_DILATIONS = ((1,), (1,), (1, 2), (2, 4))
"""Stride 8: what stages 3 and 4 do not stride they dilate, so that ImageNet filters see the pixels they know."""


@dataclass(frozen=True, kw_only=True)
class ClickNetSize:
    """Widths of a click network.

    block, depths, base_width: the ResNet, dilated to stride 8. pyramid_bins: cells along a side of each pooled map;
    pyramid_channels: of each of them; head_channels: of their fusion. click_maps: what the network is given as clicks.
    """

    name: str
    block: Literal["basic", "bottleneck"]
    depths: tuple[int, int, int, int]
    base_width: int
    pyramid_bins: tuple[int, ...]
    pyramid_channels: int
    head_channels: int
    click_maps: ClickMaps = "gaussian"


def _sizes(click_maps: ClickMaps, suffix: str) -> tuple[ClickNetSize, ...]:
    return (
        ClickNetSize(
            name=f"full{suffix}",
            block="bottleneck",
            depths=(3, 4, 23, 3),
            base_width=64,
            pyramid_bins=(1, 2, 3, 6),
            pyramid_channels=512,
            head_channels=512,
            click_maps=click_maps,
        ),
        ClickNetSize(
            name=f"small{suffix}",
            block="basic",
            depths=(2, 2, 2, 2),
            base_width=24,
            pyramid_bins=(1, 2, 3, 6),
            pyramid_channels=32,
            head_channels=64,
            click_maps=click_maps,
        ),
        ClickNetSize(
            name=f"tiny{suffix}",
            block="basic",
            depths=(1, 1, 1, 1),
            base_width=8,
            pyramid_bins=(1, 2),
            pyramid_channels=4,
            head_channels=8,
            click_maps=click_maps,
        ),
    )


SIZES: dict[str, ClickNetSize] = {
    size.name: size for size in (*_sizes("gaussian", ""), *_sizes("distance", "-distance"))
}
"""`-distance`: the same network with distance maps, for the paper's comparison."""


class PyramidPooling(nn.Module):
    """Means over coarse grids, brought back to the size of the features and fused with them (PSPNet, Sec. 3.2)."""

    def __init__(self, in_channels: int, bins: tuple[int, ...], channels: int, out_channels: int) -> None:
        super().__init__()
        self.bins = bins
        self.reduce = nn.ModuleList(nn.Conv2d(in_channels, channels, 1, bias=False) for _ in bins)
        self.fuse = nn.Sequential(
            nn.Conv2d(in_channels + len(bins) * channels, out_channels, 1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )

    def forward(self, x: Tensor) -> Tensor:
        pooled = (
            F.interpolate(conv(F.adaptive_avg_pool2d(x, cells)), x.shape[-2:], mode="bilinear", align_corners=False)
            for cells, conv in zip(self.bins, self.reduce, strict=True)
        )
        return self.fuse(torch.cat([x, *pooled], dim=1))


class ClickNetwork(nn.Module):
    """Segments one object from a picture, the mask it has so far, and clicks."""

    def __init__(self, size: ClickNetSize) -> None:
        super().__init__()
        self.size = size
        self.normalise = NormaliseColours()
        self.encoder = ResNetTrunk(
            size.block,
            size.depths,
            base_width=size.base_width,
            input_names=(*RGB, "mask", *CLICK_CHANNELS[size.click_maps]),
            strides=_STRIDES,
            dilations=_DILATIONS,
        )
        self.pyramid = PyramidPooling(
            self.encoder.channels[3], size.pyramid_bins, size.pyramid_channels, size.head_channels
        )
        self.predict = nn.Conv2d(size.head_channels, 1, 1)
        self._initialise()

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        # Near 0.5 for every pixel at first, instead of saturated logits.
        nn.init.normal_(self.predict.weight, std=0.01)
        nn.init.zeros_(self.predict.bias)

    def forward(self, rgb: Tensor, mask: Tensor, clicks: Tensor) -> Tensor:
        """Segment one object a row: logits (B, 1, H, W), at least float32.

        rgb (B, 3, H, W) in [0, 1]; mask (B, 1, H, W) in [0, 1], zero where there is none yet; clicks (B, C, H, W), as
        `click_channels` draws them: C = 1 for Gaussians, 2 for distances. H and W are free.
        """
        expected = len(CLICK_CHANNELS[self.size.click_maps])
        if clicks.shape[1] != expected:
            raise ValueError(
                f"clicks have {clicks.shape[1]} channels, {self.size.click_maps} maps have {expected}; draw them with "
                "the network's own click_maps"
            )
        stacked = torch.cat([self.normalise(rgb), mask, clicks], dim=1)
        features = self.encoder(channels_last(stacked))[-1]
        logits = self.predict(self.pyramid(features))
        return F.interpolate(at_least_float32(logits), size=rgb.shape[-2:], mode="bilinear", align_corners=False)
