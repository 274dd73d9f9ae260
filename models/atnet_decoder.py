"""The decoder of both networks of ATNet (Heo et al., ECCV 2020): pyramid pooling beside bottom-up refinement.

B batch, C channels, H W pixels.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .aspp import AtrousPyramid
from .blocks import SkipBranch, UpsampleBlock
from .dropout import KeyedDropout
from .precision import at_least_float32

LOCAL_SHARE = 0.5


class AnnotationDecoder(nn.Module):
    """Two paths from stride 16 to stride 4, concatenated, then three convolutions to the logits of one object.

    in_channels: of the features at strides 4, 8 and 16. dropout: after the pyramid and after the first convolution of
    the head; last_dropout: after its second.
    """

    def __init__(
        self,
        in_channels: tuple[int, int, int],
        channels: int,
        *,
        aspp_rates: tuple[int, int, int],
        dropout: float,
        last_dropout: float,
    ) -> None:
        super().__init__()
        f4_channels, f8_channels, f16_channels = in_channels
        self.aspp = AtrousPyramid(f16_channels, channels, aspp_rates, dropout)
        self.bottom = nn.ModuleList(
            nn.Conv2d(incoming, channels, 3, 1, 1) for incoming in (f16_channels, channels, channels)
        )
        self.skip8, self.up8 = SkipBranch(f8_channels, channels), UpsampleBlock(channels, channels)
        self.skip4, self.up4 = SkipBranch(f4_channels, channels), UpsampleBlock(channels, channels)
        self.head = nn.Sequential(
            nn.Conv2d(2 * channels, channels, 3, 1, 1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            KeyedDropout(dropout),
            nn.Conv2d(channels, channels, 3, 1, 1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            KeyedDropout(last_dropout),
        )
        self.predict = nn.Conv2d(channels, 1, 1)
        self._initialise()

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        for block in (self.skip8.block, self.up8.block, self.skip4.block, self.up4.block):
            # No normalisation here: quiet residuals keep the variance from doubling at every block.
            block.quieten()
        # Near 0.5 for every pixel at first, instead of saturated logits.
        nn.init.normal_(self.predict.weight, std=0.01)

    def forward(self, f4: Tensor, f8: Tensor, f16: Tensor, local_map: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Decode features (B, C, ., .) of strides 4, 8 and 16.

        local_map (B, 1, H/4, W/4): what local transfer gives; half of it is added to all channels after both
        refinements. Returns logits (B, 1, H, W), at least float32, and what the head takes: (B, 2 * channels, H/4,
        W/4).
        """
        x = f16
        for convolution in self.bottom:
            x = convolution(F.relu(x))
        x = self.up8(x, self.skip8(f8))
        if local_map is not None:
            x = x + LOCAL_SHARE * _resized(local_map, x).to(x.dtype)
        x = self.up4(x, self.skip4(f4))
        if local_map is not None:
            x = x + LOCAL_SHARE * local_map.to(x.dtype)
        decoded = torch.cat([x, _resized(self.aspp(f16), x)], dim=1)
        logits = at_least_float32(self.predict(self.head(decoded)))
        return F.interpolate(logits, scale_factor=4, mode="bilinear", align_corners=False), decoded


def _resized(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, size=like.shape[-2:], mode="bilinear", align_corners=False)
