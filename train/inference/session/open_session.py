"""Opens sessions from checkpoints."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ...checkpoint import load_network
from ...device import choose_device
from ...networks import ATNET, FUSION, PROPAGATION, S2M
from ...stages.atnet import ATNET_A, ATNET_T
from .atnet import ATNetSession
from .atnet_settings import ATNetSettings
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


def open_atnet_session(checkpoint: Path, settings: ATNetSettings, folder: Path | None = None) -> ATNetSession:
    """Open a session of ATNet with a checkpoint of its second stage, which holds A-Net and T-Net.

    See `ATNetSession`; the device "auto" is CUDA where there is one. ValueError for a checkpoint of another kind, and
    for one of the first stage.
    """
    device = choose_device(settings.device)
    network, info = load_network(checkpoint, device, kind=ATNET)
    if info["stage"].startswith(ATNET_A.name):
        raise ValueError(
            f"{checkpoint} is of stage {info['stage']}: its T-Net is untrained; give one of {ATNET_T.name}"
        )
    return ATNetSession(network, replace(settings, device=device.type), folder)
