"""Clicks as the input of the click network: the maps that it was built for, drawn for a batch or for a frame."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..datagen.samples.click_samples import clicks_of_table
from ..datagen.simulation.clicks.click_maps import DEXTR_SIGMA, distance_maps, signed_gaussian_map
from ..datagen.simulation.clicks.clicks import Click
from ..models.click_net import ClickMaps


def click_channels(
    clicks: Sequence[Click], height: int, width: int, kind: ClickMaps, sigma: float = DEXTR_SIGMA
) -> np.ndarray:
    """Draw clicks as the channels of a network, float32 (C, H, W).

    kind: of the network, `ClickNetSize.click_maps`. sigma: of the Gaussians in pixels; the paper only calls it small.
    """
    if kind == "gaussian":
        return signed_gaussian_map(clicks, height, width, sigma)[None]
    return distance_maps(clicks, height, width)


def batch_click_channels(clicks: Tensor, height: int, width: int, kind: ClickMaps, sigma: float) -> Tensor:
    """Draw the clicks of a batch, tables (B, K, 3) of `click_table`, as float32 (B, C, H, W) on their device."""
    tables = clicks.detach().float().cpu().numpy()
    drawn = [click_channels(clicks_of_table(table), height, width, kind, sigma) for table in tables]
    return torch.from_numpy(np.stack(drawn)).to(clicks.device)
