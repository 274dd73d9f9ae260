"""Trained networks in use: each checkpoint is loaded once in a process, for all who ask for it."""

import functools
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..datagen.storage.files import sha256_of_file
from .checkpoint import load_network
from .device import choose_device
from .networks import KINDS

MAX_KEPT = 8
"""Networks that stay in memory, over all devices; the one that was not asked for longest goes first."""


def trained_network(
    path: Path | str,
    kind: str | tuple[str, ...],
    device: torch.device | str = "cpu",
    sha256: str | None = None,
) -> tuple[nn.Module, dict[str, Any]]:
    """Return the network of a checkpoint in evaluation mode on `device`, and what the checkpoint says of itself.

    The network is shared by all who ask for the same file, kinds and device: change nothing in it, copy what is to
    learn or to move. kind: a key of `networks.KINDS`, or several of which it must be one. device: a torch.device, or
    "auto", "cpu" or "cuda". sha256: of the file that is meant, then a file that was replaced meanwhile is refused; with
    it, asking again reads nothing. None takes the file as it is, and reads it each time to see whether it is still the
    same. The info holds kind, stage, step, size (a name), path and sha256.
    Raises ValueError naming what is wrong: no file, a damaged one, another kind, a replaced file, no CUDA device.
    """
    path = Path(path).absolute()
    kinds = (kind,) if isinstance(kind, str) else tuple(kind)
    device = device if isinstance(device, torch.device) else choose_device(device)
    if sha256 is None and path.is_file():
        sha256 = sha256_of_file(path)
    network, info = _loaded(path, kinds, str(device), sha256)
    return network, {**info, "sha256": sha256}


@functools.lru_cache(maxsize=MAX_KEPT)
def _loaded(path: Path, kinds: tuple[str, ...], device: str, sha256: str | None) -> tuple[nn.Module, dict[str, Any]]:
    return load_network(path, device, kind=[KINDS[name] for name in kinds], sha256=sha256)
