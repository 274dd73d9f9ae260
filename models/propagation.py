"""The propagation network: memory encoder, query encoder, space-time read, decoder (MiVOS, CVPR 2021, after STM).

B batch (in training and inference one row an object), C channels, T memory frames, H W pixels, h w = H/16 W/16 cells.
Names of the published code; the numbers of `full` are its numbers.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .blocks import KeyValueHead, ResidualBlock, SkipBranch, UpsampleBlock
from .encoder_input import channels_last, require_sides
from .frame_rows import FrameRows
from .input_channels import convert_input_channels
from .memory import read
from .normalisation import NormaliseColours
from .precision import at_least_float32
from .resnet import ResNetTrunk


@dataclass(frozen=True, kw_only=True)
class PropagationSize:
    """Widths of a propagation network.

    block, depths, base_width: the ResNet of both encoders (ImageNet weights exist for base width 64).
    decoder_channels: after compression (stride 16 and 8), and from stride 8 on.
    """

    name: str
    block: Literal["basic", "bottleneck"]
    depths: tuple[int, int, int]
    base_width: int
    key_channels: int
    value_channels: int
    decoder_channels: tuple[int, int]


SIZES: dict[str, PropagationSize] = {
    size.name: size
    for size in (
        PropagationSize(
            name="full",
            block="bottleneck",
            depths=(3, 4, 6),
            base_width=64,
            key_channels=128,
            value_channels=512,
            decoder_channels=(512, 256),
        ),
        PropagationSize(
            name="small",
            block="basic",
            depths=(2, 2, 2),
            base_width=32,
            key_channels=64,
            value_channels=128,
            decoder_channels=(128, 64),
        ),
        PropagationSize(
            name="tiny",
            block="basic",
            depths=(1, 1, 1),
            base_width=8,
            key_channels=8,
            value_channels=16,
            decoder_channels=(16, 8),
        ),
    )
}


@dataclass(frozen=True, kw_only=True)
class QueryFeatures(FrameRows):
    """What a frame gives to every object: key (B, Ck, h, w), value (B, Cv, h, w), decoder skips at strides 8 and 4."""

    key: Tensor
    value: Tensor
    f8: Tensor
    f4: Tensor


class PropagationNetwork(nn.Module):
    """Segments a frame from memorised frames and their masks, one object a batch row."""

    def __init__(self, size: PropagationSize) -> None:
        super().__init__()
        self.size = size
        middle, last = size.decoder_channels
        self.memory_encoder = ResNetTrunk(
            size.block, size.depths, base_width=size.base_width, in_channels=5, conv_bias=True
        )
        self.query_encoder = ResNetTrunk(size.block, size.depths, base_width=size.base_width)
        f4_channels, f8_channels, f16_channels = self.query_encoder.channels
        self.memory_head = KeyValueHead(self.memory_encoder.channels[2], size.key_channels, size.value_channels)
        self.query_head = KeyValueHead(f16_channels, size.key_channels, size.value_channels)
        self.compress = ResidualBlock(2 * size.value_channels, middle)
        self.skip8 = SkipBranch(f8_channels, middle)
        self.up8 = UpsampleBlock(middle, last)
        self.skip4 = SkipBranch(f4_channels, last)
        self.up4 = UpsampleBlock(last, last)
        self.predict = nn.Conv2d(last, 1, 3, 1, 1)
        self.normalise = NormaliseColours()
        self._initialise()

    def _initialise(self) -> None:
        # Sensible from scratch; ImageNet weights (weights.py) overwrite the trunks.
        for name, module in self.named_modules():
            if isinstance(module, nn.Conv2d):
                # The trunks are normalised, so torchvision's choice; elsewhere fan_in keeps the variance of the input.
                mode = "fan_out" if "encoder" in name else "fan_in"
                nn.init.kaiming_normal_(module.weight, mode=mode, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        for block in (self.compress, self.skip8.block, self.up8.block, self.skip4.block, self.up4.block):
            # No normalisation in the decoder: quiet residuals keep the variance from doubling at every block.
            block.quieten()
        # Near 0.5 for every pixel at first, instead of saturated logits.
        nn.init.normal_(self.predict.weight, std=0.01)
        nn.init.orthogonal_(self.query_head.key.weight)
        self._tie_at_start()

    @property
    def mean(self) -> Tensor:
        """The mean colour of ImageNet (1, 3, 1, 1), which the encoders see as zero."""
        return self.normalise.mean

    @torch.no_grad()
    def _tie_at_start(self) -> None:
        """Start the memory encoder and its key head as copies of the query's, but for the mask channels.

        Cells that look alike then match from the first step on. With two independent encoders the affinity is noise at
        first, and a short run from scratch spends most of its steps on finding any match at all.
        """
        own = self.memory_encoder.state_dict()
        for name, value in self.query_encoder.state_dict().items():
            own[name][:, : value.shape[1]].copy_(value) if value.dim() == 4 else own[name].copy_(value)
        self.memory_head.key.load_state_dict(self.query_head.key.state_dict())

    @torch.no_grad()
    def begin_other_masks(self) -> None:
        """Draw the channel of the other objects' masks anew, orthogonal as published.

        A stage of one object gives it zeros alone: nothing is learnt in it, and weight decay takes it away.
        """
        weight = self.memory_encoder.conv1.weight
        weight.copy_(convert_input_channels(weight[:, :4], 5)[0])

    def memorize(self, rgb: Tensor, mask: Tensor, other_masks: Tensor) -> tuple[Tensor, Tensor]:
        """Encode a frame and an object's mask into memory.

        rgb (B, 3, H, W) in [0, 1]; mask, other_masks (B, 1, H, W) in [0, 1], other_masks the sum of the other objects'
        masks; H, W multiples of 16 -> key (B, Ck, h, w), value (B, Cv, h, w).
        """
        return self.memory_head(self._encode_memory(rgb, mask, other_masks))

    def encode_query(self, rgb: Tensor) -> QueryFeatures:
        """Encode frames to be segmented: rgb (B, 3, H, W) in [0, 1], H, W multiples of 16."""
        f4, f8, f16 = self.query_encoder(channels_last(self._encodable(rgb)))
        key, value = self.query_head(f16)
        return QueryFeatures(key=key, value=value, f8=self.skip8(f8), f4=self.skip4(f4))

    def memory_key(self, rgb: Tensor, mask: Tensor, other_masks: Tensor) -> Tensor:
        """The key that `memorize` gives, without the cost of its value: (B, Ck, h, w)."""
        return self.memory_head.key(self._encode_memory(rgb, mask, other_masks))

    def query_key(self, rgb: Tensor) -> Tensor:
        """The key that `encode_query` gives, without the cost of all else: (B, Ck, h, w)."""
        _, _, f16 = self.query_encoder(channels_last(self._encodable(rgb)))
        return self.query_head.key(f16)

    def segment(
        self, query: QueryFeatures, memory_key: Tensor, memory_value: Tensor, top_k: int | None = None
    ) -> Tensor:
        """Segment one object a row: memory (B, Ck, T, h, w) and (B, Cv, T, h, w) -> mask logits (B, 1, H, W)."""
        readout = read(memory_key, memory_value, query.key, top_k)
        x = self.compress(channels_last(torch.cat([readout, query.value], dim=1)))
        x = self.up4(self.up8(x, query.f8), query.f4)
        logits = self.predict(F.relu(x))
        return F.interpolate(at_least_float32(logits), scale_factor=4, mode="bilinear", align_corners=False)

    def _encode_memory(self, rgb: Tensor, mask: Tensor, other_masks: Tensor) -> Tensor:
        stacked = torch.cat([self._encodable(rgb), mask, other_masks], dim=1)
        _, _, f16 = self.memory_encoder(channels_last(stacked))
        return f16

    def _encodable(self, rgb: Tensor) -> Tensor:
        return self.normalise(require_sides(rgb, 16))


def train_batch_norm(network: nn.Module, train: bool) -> None:
    """Put the network into training mode with batch-norm statistics learnt (`train`) or frozen (the published setting).

    Scale and shift of batch norm stay trainable either way.
    """
    network.train()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.train(train)


def count_parameters(module: nn.Module) -> int:
    """Trainable parameters of a module."""
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)
