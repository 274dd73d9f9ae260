"""The scribble-to-mask network S2M (MiVOS, CVPR 2021, Sec. 3.1): DeepLabV3+ (Chen et al., ECCV 2018) with six inputs.

B batch (one row an object), C channels, H W pixels.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .aspp import AtrousPyramid, conv_norm_relu
from .encoder_input import channels_last
from .normalisation import NormaliseColours
from .precision import at_least_float32
from .resnet import ResNetTrunk


@dataclass(frozen=True, kw_only=True)
class S2MSize:
    """Widths of an S2M network.

    block, depths, base_width: the ResNet, its last stage dilated, so that it ends at stride 16.
    aspp_rates: dilations of the three atrous convolutions, in cells of stride 16. dropout: after the ASPP.
    """

    name: str
    block: Literal["basic", "bottleneck"]
    depths: tuple[int, int, int, int]
    base_width: int
    aspp_channels: int
    aspp_rates: tuple[int, int, int]
    low_level_channels: int
    decoder_channels: int
    dropout: float


SIZES: dict[str, S2MSize] = {
    size.name: size
    for size in (
        S2MSize(
            name="full",
            block="bottleneck",
            depths=(3, 4, 6, 3),
            base_width=64,
            aspp_channels=256,
            aspp_rates=(6, 12, 18),
            low_level_channels=48,
            decoder_channels=256,
            dropout=0.1,
        ),
        # For crops of half the side, where rates of 12 and 18 would mostly see padding.
        S2MSize(
            name="small",
            block="basic",
            depths=(2, 2, 2, 2),
            base_width=32,
            aspp_channels=64,
            aspp_rates=(3, 6, 9),
            low_level_channels=24,
            decoder_channels=64,
            dropout=0.1,
        ),
        S2MSize(
            name="tiny",
            block="basic",
            depths=(1, 1, 1, 1),
            base_width=8,
            aspp_channels=8,
            aspp_rates=(1, 2, 3),
            low_level_channels=4,
            decoder_channels=8,
            dropout=0.1,
        ),
    )
}


class S2MNetwork(nn.Module):
    """Segments one object from a picture, the mask it has so far, and positive and negative scribbles.

    least_samples_for_statistics: a batch that batch statistics are learnt from must have as many; the picture's mean in
    the ASPP is one value a channel and sample.
    """

    least_samples_for_statistics = 2

    def __init__(self, size: S2MSize) -> None:
        super().__init__()
        self.size = size
        self.normalise = NormaliseColours()
        self.encoder = ResNetTrunk(size.block, size.depths, base_width=size.base_width, in_channels=6)
        self.aspp = AtrousPyramid(self.encoder.channels[3], size.aspp_channels, size.aspp_rates, size.dropout)
        self.low_level = conv_norm_relu(self.encoder.channels[0], size.low_level_channels)
        self.decoder = conv_norm_relu(size.low_level_channels + size.aspp_channels, size.decoder_channels, rate=1)
        self.predict = nn.Conv2d(size.decoder_channels, 1, 1)
        self._initialise()

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        self.initialise_prediction()

    def initialise_prediction(self) -> None:
        """Start the last layer anew, as the published training does: orthogonal weights, bias zero."""
        nn.init.orthogonal_(self.predict.weight)
        nn.init.zeros_(self.predict.bias)

    def forward(self, rgb: Tensor, mask: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """Segment one object a row: logits (B, 1, H, W), at least float32.

        rgb (B, 3, H, W) in [0, 1]; mask, the object so far, and positive and negative, its scribbles (B, 1, H, W) in
        [0, 1]. H and W are free. In training mode `set_dropout_keys` comes first.
        """
        stacked = torch.cat([self.normalise(rgb), mask, positive, negative], dim=1)
        f4, _, _, f16 = self.encoder(channels_last(stacked))
        low_level = self.low_level(f4)
        context = F.interpolate(self.aspp(f16), size=low_level.shape[-2:], mode="bilinear", align_corners=False)
        logits = self.predict(self.decoder(torch.cat([low_level, context], dim=1)))
        return F.interpolate(at_least_float32(logits), size=rgb.shape[-2:], mode="bilinear", align_corners=False)
