"""Interaction-and-Propagation Networks (Oh et al., CVPR 2019): one network answers the user, one carries masks on.

B batch (one row an object), C channels, S side of the region of interest in pixels, s = S/32 cells of the last stage.
The numbers of `full` are those of the published networks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .blocks import ResidualBlock, UpsampleBlock
from .encoder_input import channels_last, require_sides
from .input_channels import RGB
from .normalisation import NormaliseColours
from .precision import at_least_float32
from .resnet import ResNetTrunk

NEUTRAL = 0.5
"""What a mask that does not exist yet holds at every pixel."""


@dataclass(frozen=True, kw_only=True)
class IPNSize:
    """Widths of both networks.

    block, depths, base_width: the ResNets, of strides 4, 8, 16 and 32. decoder_channels: from stride 32 on.
    merged_channels: between a frame's features beside the reference and the decoder. roi_side: S, a multiple of 32.
    freeze_norm: scale and shift of batch norm are not trained (published, from ImageNet weights).
    """

    name: str
    block: Literal["basic", "bottleneck"]
    depths: tuple[int, int, int, int]
    base_width: int
    decoder_channels: int
    merged_channels: int
    roi_side: int
    freeze_norm: bool


SIZES: dict[str, IPNSize] = {
    size.name: size
    for size in (
        IPNSize(
            name="full",
            block="bottleneck",
            depths=(3, 4, 6, 3),
            base_width=64,
            decoder_channels=256,
            merged_channels=1024,
            roi_side=256,
            freeze_norm=True,
        ),
        IPNSize(
            name="small",
            block="basic",
            depths=(2, 2, 2, 2),
            base_width=32,
            decoder_channels=64,
            merged_channels=128,
            roi_side=128,
            freeze_norm=False,
        ),
        IPNSize(
            name="tiny",
            block="basic",
            depths=(1, 1, 1, 1),
            base_width=8,
            decoder_channels=8,
            merged_channels=16,
            # Four cells in the last stage: statistics of fewer make training chaotic.
            roi_side=64,
            freeze_norm=False,
        ),
    )
}


@dataclass(frozen=True, kw_only=True)
class IPNPrediction:
    """What a network says of a region of interest.

    logits: (B, 2, S, S), background and object, at least float32. coarse: the same at strides 4, 8, 16 and 32, as far
    as they were asked for. features: of the last stage, (B, C, s, s).
    """

    logits: Tensor
    coarse: tuple[Tensor, ...]
    features: Tensor

    @property
    def probability(self) -> Tensor:
        """Of the object: (B, 1, S, S)."""
        return self.logits.softmax(dim=1)[:, 1:]


class PyramidDecoder(nn.Module):
    """Three refinements from stride 32 to stride 4, with a two-class prediction at every stride."""

    def __init__(self, skip_channels: Sequence[int], channels: int) -> None:
        super().__init__()
        # From coarse to fine, as they are used.
        self.skips = nn.ModuleList(ResidualBlock(count, channels) for count in reversed(skip_channels))
        self.ups = nn.ModuleList(UpsampleBlock(channels, channels) for _ in skip_channels)
        self.predict = nn.ModuleList(nn.Conv2d(channels, 2, 3, 1, 1) for _ in range(len(skip_channels) + 1))

    def forward(self, x: Tensor, skips: Sequence[Tensor], num_coarse: int) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return the logits at stride 1, and those at strides 4, 8, ... of which the first `num_coarse` are kept."""
        levels = [x]
        for skip_block, up, skip in zip(self.skips, self.ups, reversed(skips), strict=True):
            levels.append(up(levels[-1], skip_block(skip)))
        wanted = max(1, num_coarse)
        fine_to_coarse = list(zip(reversed(self.predict), reversed(levels), strict=True))[:wanted]
        coarse = [at_least_float32(predict(F.relu(level))) for predict, level in fine_to_coarse]
        whole = F.interpolate(coarse[0], scale_factor=4, mode="bilinear", align_corners=False)
        return whole, tuple(coarse[:num_coarse])


class InteractionNet(nn.Module):
    """I-net: segments an object in the frame that the user marked, from its mask of the round before and scribbles."""

    def __init__(self, size: IPNSize) -> None:
        super().__init__()
        self.normalise = NormaliseColours()
        self.encoder = _encoder(size, (*RGB, "mask", "positive_scribble", "negative_scribble"))
        *skips, last = self.encoder.channels
        self.compress = ResidualBlock(last, size.decoder_channels)
        self.decoder = PyramidDecoder(skips, size.decoder_channels)
        _initialise(self)

    def forward(
        self, rgb: Tensor, mask: Tensor, positive: Tensor, negative: Tensor, num_coarse: int = 0
    ) -> IPNPrediction:
        """Segment one object a row.

        rgb (B, 3, S, S) in [0, 1]; mask of the round before, positive and negative scribbles (B, 1, S, S) in [0, 1];
        S a multiple of 32. A mask that does not exist is `NEUTRAL`. num_coarse: predictions to return at strides 4, 8,
        16 and 32.
        """
        *skips, features = _encode(self, rgb, mask, positive, negative)
        logits, coarse = self.decoder(self.compress(features), skips, num_coarse)
        return IPNPrediction(logits=logits, coarse=coarse, features=features)


class FeatureAggregation(nn.Module):
    """Merges the features of this round's interaction with those of all rounds before, channel by channel.

    Sec. 3.2: means over the picture, two fully connected layers, and a softmax over the pair of each channel.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.squeeze = nn.Linear(2 * channels, channels)
        self.excite = nn.Linear(channels, 2 * channels)

    def weights(self, current: Tensor, previous: Tensor) -> Tensor:
        """Return the shares of both, (B, C, 2), that sum to one: of the current features, then of those before."""
        means = torch.cat([current.mean(dim=(2, 3)), previous.mean(dim=(2, 3))], dim=1)
        scores = self.excite(F.relu(self.squeeze(means)))
        return at_least_float32(scores).view(len(scores), -1, 2).softmax(dim=2)

    def forward(self, current: Tensor, previous: Tensor) -> Tensor:
        """Aggregate features (B, C, s, s) of this round and of the rounds before."""
        weights = self.weights(current, previous).to(current.dtype)
        return weights[:, :, 0, None, None] * current + weights[:, :, 1, None, None] * previous


class PropagationNet(nn.Module):
    """P-net: segments an object in a frame from its neighbour's mask, its own of the round before, and a reference."""

    def __init__(self, size: IPNSize) -> None:
        super().__init__()
        self.normalise = NormaliseColours()
        self.encoder = _encoder(size, (*RGB, "mask", "neighbour_mask"))
        *skips, last = self.encoder.channels
        self.aggregation = FeatureAggregation(last)
        self.merge = ResidualBlock(2 * last, size.merged_channels)
        self.compress = ResidualBlock(size.merged_channels, size.decoder_channels)
        self.decoder = PyramidDecoder(skips, size.decoder_channels)
        _initialise(self)

    def reference(self, current: Tensor, previous: Tensor | None) -> Tensor:
        """The reference of a round: features (B, C, s, s) of its interaction with those of the rounds before, if any.

        No gradient goes to the features, as published: the loss of propagation does not train the interaction network.
        """
        return current.detach() if previous is None else self.aggregation(current.detach(), previous.detach())

    def forward(
        self, rgb: Tensor, mask: Tensor, neighbour: Tensor, reference: Tensor, num_coarse: int = 0
    ) -> IPNPrediction:
        """Segment one object a row.

        rgb (B, 3, S, S) in [0, 1]; mask of the same frame in the round before, neighbour: that of the frame beside it,
        just segmented (B, 1, S, S) in [0, 1]; reference (B, C, s, s), see `reference`. num_coarse: as the other's.
        """
        *skips, features = _encode(self, rgb, mask, neighbour)
        merged = self.compress(self.merge(torch.cat([reference.to(features.dtype), features], dim=1)))
        logits, coarse = self.decoder(merged, skips, num_coarse)
        return IPNPrediction(logits=logits, coarse=coarse, features=features)


class IPNNetwork(nn.Module):
    """Both networks, trained together: `interaction` and `propagation`; they share no weights."""

    def __init__(self, size: IPNSize) -> None:
        super().__init__()
        if size.roi_side % 32:
            raise ValueError(f"roi_side is {size.roi_side}, it must be a multiple of 32, the stride of the networks")
        self.size = size
        self.interaction = InteractionNet(size)
        self.propagation = PropagationNet(size)
        if size.freeze_norm:
            for module in self.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.requires_grad_(False)


def _encoder(size: IPNSize, input_names: tuple[str, ...]) -> ResNetTrunk:
    return ResNetTrunk(
        size.block,
        size.depths,
        base_width=size.base_width,
        input_names=input_names,
        strides=(1, 2, 2, 2),
        dilations=((1,),) * 4,
        stem_bias=True,
    )


def _encode(network: InteractionNet | PropagationNet, rgb: Tensor, *maps: Tensor) -> tuple[Tensor, ...]:
    stacked = torch.cat([network.normalise(require_sides(rgb, 32)), *(each.to(rgb.dtype) for each in maps)], dim=1)
    return network.encoder(channels_last(stacked))


def _initialise(network: nn.Module) -> None:
    """Sensible from scratch: as published for new layers (He), but for quieter residuals in the decoder."""
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            # The trunks are normalised, so torchvision's choice; elsewhere fan_in keeps the variance of the input.
            mode = "fan_out" if name.startswith("encoder") else "fan_in"
            nn.init.kaiming_normal_(module.weight, mode=mode, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    for module in network.modules():
        if isinstance(module, ResidualBlock):
            # No normalisation in the decoder: quiet residuals keep the variance from doubling at every block.
            module.quieten()
    for predict in network.decoder.predict:
        # Near 0.5 for every pixel at first, instead of saturated logits.
        nn.init.normal_(predict.weight, std=0.01)
