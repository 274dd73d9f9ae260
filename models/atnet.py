"""ATNet: annotation network (A-Net) and transfer network (T-Net) (Heo, Koh, Kim, ECCV 2020).

B batch (one row an object), C channels, H W pixels, h w = H/16 W/16 cells. Numbers of `full` are those of the paper and
its published code.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .atnet_decoder import AnnotationDecoder
from .encoder_input import channels_last, require_sides
from .frame_rows import FrameRows
from .normalisation import NormaliseColours
from .resnet import BLOCKS, ResNetTrunk
from .transfer import global_transfer, local_transfer


@dataclass(frozen=True, kw_only=True)
class ATNetSize:
    """Widths of both networks.

    block, depths, base_width: the SE-ResNet of both encoders, its last stage with the dilations 2, 4, 8, so that it
    ends at stride 16. aspp_rates: in cells of stride 16. dropout, last_dropout: see `AnnotationDecoder`.
    affinity_scale: of the inner products of global transfer; published 1. With few channels from scratch, features are
    no ImageNet features, and their plain inner products make the softmax a maximum, through which little is learnt.
    local_reach, local_stride: 9 x 9 displacements are 4 steps of 2 cells of stride 4 to every side.
    """

    name: str
    block: Literal["basic", "bottleneck"]
    depths: tuple[int, int, int, int]
    base_width: int
    decoder_channels: int
    aspp_rates: tuple[int, int, int]
    dropout: float
    last_dropout: float
    affinity_scale: float
    local_reach: int = 4
    local_stride: int = 2


SIZES: dict[str, ATNetSize] = {
    size.name: size
    for size in (
        ATNetSize(
            name="full",
            block="bottleneck",
            depths=(3, 4, 6, 3),
            base_width=64,
            decoder_channels=256,
            aspp_rates=(6, 12, 18),
            dropout=0.5,
            last_dropout=0.1,
            affinity_scale=1.0,
        ),
        # Rates for crops of half the side, as in the small S2M; half of the features dropped is much of few.
        ATNetSize(
            name="small",
            block="basic",
            depths=(2, 2, 2, 2),
            base_width=32,
            decoder_channels=64,
            aspp_rates=(3, 6, 9),
            dropout=0.1,
            last_dropout=0.1,
            affinity_scale=256**-0.5,
        ),
        ATNetSize(
            name="tiny",
            block="basic",
            depths=(1, 1, 1, 1),
            base_width=8,
            decoder_channels=8,
            aspp_rates=(1, 2, 3),
            dropout=0.1,
            last_dropout=0.1,
            affinity_scale=64**-0.5,
        ),
    )
}


@dataclass(frozen=True, kw_only=True)
class Annotation:
    """What A-Net says of an annotated frame: logits (B, 1, H, W), features (B, C, h, w), decoded (B, D, H/4, W/4)."""

    logits: Tensor
    f16: Tensor
    decoded: Tensor


@dataclass(frozen=True, kw_only=True)
class FrameFeatures(FrameRows):
    """What T-Net's encoder sees in a frame: features at strides 4, 8 and, from its last stage, 16."""

    f4: Tensor
    f8: Tensor
    f16: Tensor


@dataclass(frozen=True, kw_only=True)
class Transferred:
    """What T-Net says of a target frame: logits (B, 1, H, W) and the map of local transfer (B, 1, H/4, W/4)."""

    logits: Tensor
    local_map: Tensor


class AnnotationNetwork(nn.Module):
    """A-Net: segments one object from a picture, its mask so far, and positive and negative scribbles."""

    def __init__(self, size: ATNetSize) -> None:
        super().__init__()
        self.encoder = _encoder(size, 6)
        self.decoder = _decoder(size, self.encoder)
        self.normalise = NormaliseColours()

    def forward(self, rgb: Tensor, mask: Tensor, positive: Tensor, negative: Tensor) -> Annotation:
        """Segment one object a row.

        rgb (B, 3, H, W) in [0, 1]; mask (B, 1, H, W), the object so far, 0.5 everywhere in a first round; positive,
        negative (B, 1, H, W) in [0, 1], scribbles or points. H, W multiples of 16.
        """
        stacked = torch.cat([self.normalise(require_sides(rgb, 16)), mask, positive, negative], dim=1)
        f4, f8, _, f16 = self.encoder(channels_last(stacked))
        logits, decoded = self.decoder(f4, f8, f16)
        return Annotation(logits=logits, f16=f16, decoded=decoded)


class TransferNetwork(nn.Module):
    """T-Net: segments a target frame from annotated frames and from the neighbour that was segmented before."""

    def __init__(self, size: ATNetSize) -> None:
        super().__init__()
        self.size = size
        self.encoder = _encoder(size, 3)
        f4_channels, _, f16_channels, last_channels = self.encoder.channels
        kind = BLOCKS[size.block]
        # The converter: what A-Net decoded, at stride 4, as object features at stride 16.
        self.halve8 = kind(2 * size.decoder_channels, f16_channels // kind.expansion, 2, excited=True)
        self.halve16 = kind(f16_channels, last_channels // kind.expansion, 2, excited=True)
        self.object = nn.Conv2d(2 * last_channels, last_channels, 1)
        self.local = nn.Conv2d(f4_channels, f4_channels, 1)
        self.join = nn.Conv2d(2 * last_channels, last_channels, 1)
        self.decoder = _decoder(size, self.encoder)
        self.normalise = NormaliseColours()

    def encode(self, rgb: Tensor) -> FrameFeatures:
        """Encode frames: rgb (B, 3, H, W) in [0, 1], H, W multiples of 16; the same for annotated and target frames."""
        f4, f8, _, f16 = self.encoder(channels_last(self.normalise(require_sides(rgb, 16))))
        return FrameFeatures(f4=f4, f8=f8, f16=f16)

    def object_features(self, annotation: Annotation) -> Tensor:
        """What is transferred of an annotated frame: (B, C, h, w), one object a row."""
        x = self.halve16(self.halve8(annotation.decoded))
        return self.object(torch.cat([x, annotation.f16], dim=1))

    def forward(
        self,
        target: FrameFeatures,
        annotated: Sequence[Tensor],
        objects: Sequence[Tensor],
        previous_f4: Tensor,
        previous_mask: Tensor,
        known: Sequence[Tensor] | None = None,
    ) -> Transferred:
        """Segment B objects of a target frame, or of B target frames one object each.

        target: of one frame, or of B. annotated: f16 of the N annotated frames, as many rows as target; objects: their
        `object_features` (B, C, h, w). previous_f4: f4 of the frame segmented before, as many rows as target, in the
        first step the annotated one; previous_mask (B, 1, H, W) in [0, 1]: its mask. known: see `global_transfer`.
        """
        num_objects = len(previous_mask) // len(target.f16)
        moved = global_transfer(target.f16, annotated, objects, self.size.affinity_scale, known)
        local_map = self.local_map(target.f4, previous_f4, previous_mask)
        own = target.for_objects(num_objects)
        f16 = self.join(channels_last(torch.cat([own.f16, moved], dim=1)))
        logits, _ = self.decoder(own.f4, own.f8, f16, local_map)
        return Transferred(logits=logits, local_map=local_map)

    def local_map(self, target_f4: Tensor, previous_f4: Tensor, previous_mask: Tensor) -> Tensor:
        """The previous mask as local transfer moves it to the target frame: (B, 1, H/4, W/4) in [0, 1]."""
        num_objects = len(previous_mask) // len(target_f4)
        features = (self.local(x).repeat_interleave(num_objects, dim=0) for x in (target_f4, previous_f4))
        mask = F.interpolate(previous_mask, scale_factor=0.25, mode="bilinear", align_corners=False)
        return local_transfer(*features, mask, self.size.local_reach, self.size.local_stride)


class ATNetwork(nn.Module):
    """A-Net and T-Net, trained one after the other and used together.

    least_samples_for_statistics: a batch that batch statistics are learnt from must have as many; the picture's mean in
    the pyramid is one value a channel and sample.
    """

    least_samples_for_statistics = 2

    def __init__(self, size: ATNetSize) -> None:
        super().__init__()
        self.size = size
        self.annotation = AnnotationNetwork(size)
        self.transfer = TransferNetwork(size)


def _encoder(size: ATNetSize, in_channels: int) -> ResNetTrunk:
    encoder = ResNetTrunk(
        size.block,
        size.depths,
        base_width=size.base_width,
        in_channels=in_channels,
        stem_bias=True,
        dilations=((1,), (1,), (1,), (2, 4, 8)),
        excited=True,
    )
    for module in encoder.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return encoder


def _decoder(size: ATNetSize, encoder: ResNetTrunk) -> AnnotationDecoder:
    f4_channels, f8_channels, _, last_channels = encoder.channels
    return AnnotationDecoder(
        (f4_channels, f8_channels, last_channels),
        size.decoder_channels,
        aspp_rates=size.aspp_rates,
        dropout=size.dropout,
        last_dropout=size.last_dropout,
    )
