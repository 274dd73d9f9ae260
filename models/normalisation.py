"""Colours as the ImageNet-trained encoders expect them."""

import torch
from torch import Tensor, nn

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class NormaliseColours(nn.Module):
    """Subtracts ImageNet's mean colour and divides by its deviation; its constants are in no state dict."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1), persistent=False)

    def forward(self, rgb: Tensor) -> Tensor:
        """Normalise rgb (B, 3, H, W) in [0, 1]."""
        return (rgb - self.mean) / self.std
