"""Atrous spatial pyramid pooling (DeepLabV3, Chen et al. 2017). B batch, C channels, H W pixels."""

import torch
from torch import Tensor, nn

from .dropout import KeyedDropout


class AtrousPyramid(nn.Module):
    """Atrous spatial pyramid pooling: 1x1, three atrous 3x3 and the picture's mean, side by side, then projected."""

    def __init__(self, in_channels: int, channels: int, rates: tuple[int, int, int], dropout: float) -> None:
        super().__init__()
        self.point = conv_norm_relu(in_channels, channels)
        self.atrous = nn.ModuleList(conv_norm_relu(in_channels, channels, rate) for rate in rates)
        self.pooled = conv_norm_relu(in_channels, channels)
        self.project = conv_norm_relu((len(rates) + 2) * channels, channels)
        self.dropout = KeyedDropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Pool x (B, C, H, W) into (B, channels, H, W); ValueError for one sample where batch statistics are learnt."""
        if self.training and x.shape[0] == 1 and self.pooled[1].training:
            raise ValueError(
                "one sample has no batch statistics of its mean; train with micro-batches of two samples or more, "
                "or with frozen batch statistics"
            )
        mean = self.pooled(x.mean(dim=(2, 3), keepdim=True)).expand(-1, -1, *x.shape[-2:])
        branches = [self.point(x), *(branch(x) for branch in self.atrous), mean]
        return self.dropout(self.project(torch.cat(branches, dim=1)))


def conv_norm_relu(in_channels: int, out_channels: int, rate: int | None = None) -> nn.Sequential:
    """A 1x1 convolution, or with `rate` a 3x3 of that dilation; batch norm; ReLU."""
    conv = (
        nn.Conv2d(in_channels, out_channels, 1, bias=False)
        if rate is None
        else nn.Conv2d(in_channels, out_channels, 3, padding=rate, dilation=rate, bias=False)
    )
    return nn.Sequential(conv, nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True))
