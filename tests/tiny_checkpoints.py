"""Checkpoints of tiny networks with the weights of a seed, as a run writes them."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from vosforge.train.checkpoint import checkpoint_content, save_atomically
from vosforge.train.networks import KINDS


def write_tiny_checkpoint(
    path: Path,
    kind: str,
    *,
    seed: int = 0,
    stage: str | None = None,
    step: int = 1,
    size: str = "tiny",
    step_settings: Mapping[str, Any] = MappingProxyType({}),
) -> Path:
    """Write the checkpoint of a fresh network of a kind, a key of `KINDS`; stage None is one called as the kind."""
    torch.manual_seed(seed)
    network = KINDS[kind].named(size)
    optimiser = torch.optim.SGD(network.parameters(), lr=1)
    content = checkpoint_content(
        network, stage=stage or kind, step=step, optimiser=optimiser, window={}, step_settings=step_settings
    )
    return save_atomically(path, content)
