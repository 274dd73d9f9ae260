"""Opens sessions from checkpoints."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ...checkpoint import load_network
from ...device import choose_device
from ...networks import FUSION, PROPAGATION, S2M
from .mivos import MiVOSSession
from .settings import MiVOSSettings

KINDS = {"s2m": S2M, "propagation": PROPAGATION, "fusion": FUSION}


def open_mivos_session(
    checkpoints: Mapping[str, Path], settings: MiVOSSettings, folder: Path | None = None
) -> MiVOSSession:
    """Open a session with the networks of checkpoints: "propagation", and "s2m" and "fusion" where they are needed.

    See `MiVOSSession`; the device "auto" is CUDA where there is one. Raises ValueError naming what is missing, or the
    file that holds another kind of network.
    """
    if unknown := sorted(set(checkpoints) - set(KINDS)):
        raise ValueError(f"a checkpoint is for {unknown[0]!r}; choose from {', '.join(KINDS)}")
    if "propagation" not in checkpoints:
        raise ValueError("there is no checkpoint for 'propagation'; a session needs one")
    device = choose_device(settings.device)
    networks = {name: load_network(path, device, kind=KINDS[name])[0] for name, path in checkpoints.items()}
    settings = replace(settings, device=device.type)
    return MiVOSSession(networks.get("s2m"), networks["propagation"], networks.get("fusion"), settings, folder)
