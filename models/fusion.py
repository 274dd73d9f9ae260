"""The fusion network: decides pixel by pixel between two propagated masks (MiVOS, CVPR 2021, Sec. 3.3).

B batch (one row an object of a frame), H W pixels.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .normalisation import NormaliseColours
from .precision import at_least_float32

# Order of the published network's inputs; distances are constant over the picture.
INPUTS = ("red", "green", "blue", "previous_mask", "new_mask", "a_plus", "a_minus", "previous_distance", "new_distance")


@dataclass(frozen=True, kw_only=True)
class FusionSize:
    """Width of a fusion network and the number of its residual blocks."""

    name: str
    width: int
    num_blocks: int


SIZES: dict[str, FusionSize] = {
    size.name: size
    for size in (
        FusionSize(name="full", width=32, num_blocks=2),
        FusionSize(name="small", width=16, num_blocks=2),
        FusionSize(name="tiny", width=4, num_blocks=1),
    )
}


class FusionBlock(nn.Module):
    """conv-ReLU-conv, add, ReLU; 3x3, no normalisation."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, 1, 1)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.conv2(F.relu(self.conv1(x))))


class FusionNetwork(nn.Module):
    """Six 3x3 convolutions at full resolution from nine input channels to the logit of the object's mask."""

    def __init__(self, size: FusionSize) -> None:
        super().__init__()
        self.size = size
        self.normalise = NormaliseColours()
        self.conv = nn.Conv2d(len(INPUTS), size.width, 3, 1, 1)
        self.blocks = nn.Sequential(*(FusionBlock(size.width) for _ in range(size.num_blocks)))
        self.predict = nn.Conv2d(size.width, 1, 3, 1, 1)
        self._initialise()

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(module.bias)
        for block in self.blocks:
            # No normalisation: quiet residuals keep the variance from doubling at every block.
            block.conv2.weight.data.mul_(0.5)
        # Near 0.5 for every pixel at first, instead of saturated logits.
        nn.init.normal_(self.predict.weight, std=0.01)

    def forward(
        self,
        *,
        rgb: Tensor,
        previous_mask: Tensor,
        new_mask: Tensor,
        a_plus: Tensor,
        a_minus: Tensor,
        previous_distance: Tensor,
        new_distance: Tensor,
    ) -> Tensor:
        """Fuse two masks of one object a row: logits (B, 1, H, W), at least float32.

        rgb (B, 3, H, W) in [0, 1], of the target frame; previous_mask, the mask that stood there before, and new_mask,
        propagated from the new interaction, both (B, 1, H, W) in [0, 1]; a_plus, a_minus (B, 1, H, W), see
        `difference_maps`; previous_distance, new_distance (B,): frames between the target and the interacted frame
        that each mask came from, over the frames between those two (n_c and n_r of the paper). H and W are free.
        """
        distances = torch.stack([previous_distance, new_distance], dim=1).to(rgb.dtype)
        distances = distances[:, :, None, None].expand(-1, -1, *rgb.shape[-2:])
        inputs = (self.normalise(rgb), previous_mask, new_mask, a_plus, a_minus, distances)
        x = torch.cat([given.to(rgb.dtype) for given in inputs], dim=1).contiguous(memory_format=torch.channels_last)
        return at_least_float32(self.predict(self.blocks(F.relu(self.conv(x)))))
