"""Opens sessions from checkpoints, which are loaded once in a process. The device "auto" is CUDA where there is one.

ValueError names what is missing, or the file that holds another kind of network.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from torch import nn

from ...device import choose_device
from ...stages.atnet import ATNET_A, ATNET_T
from ...trained_networks import trained_network
from .atnet import ATNetSession
from .atnet_settings import ATNetSettings
from .ipn import IPNSession
from .ipn_settings import IPNSettings
from .mivos import MiVOSSession
from .mivos_settings import MiVOSSettings
from .session_settings import SessionSettings
from .wild import WildSession
from .wild_settings import WildSettings

Settings = TypeVar("Settings", bound=SessionSettings)


def open_mivos_session(
    checkpoints: Mapping[str, Path], settings: MiVOSSettings, folder: Path | None = None
) -> MiVOSSession:
    """Open a session with the networks "propagation", and "s2m" and "fusion" where they are needed."""
    settings, networks = _loaded(checkpoints, settings, "propagation", ("s2m", "fusion"))
    return MiVOSSession(networks.get("s2m"), networks["propagation"], networks.get("fusion"), settings, folder)


def open_ipn_session(checkpoint: Path, settings: IPNSettings, folder: Path | None = None) -> IPNSession:
    """Open a session with a checkpoint of IPN, which holds both of its networks."""
    settings, networks = _loaded({"ipn": checkpoint}, settings, "ipn")
    return IPNSession(networks["ipn"], settings, folder)


def open_atnet_session(checkpoint: Path, settings: ATNetSettings, folder: Path | None = None) -> ATNetSession:
    """Open a session of ATNet with a checkpoint of its second stage; ValueError for one of the first."""
    require_transfer(trained_network(checkpoint, "atnet", settings.device)[1])
    settings, networks = _loaded({"atnet": checkpoint}, settings, "atnet")
    return ATNetSession(networks["atnet"], settings, folder)


def require_transfer(info: Mapping[str, Any]) -> None:
    """Raise ValueError for what `trained_network` says of a checkpoint of ATNet's first stage."""
    if info["stage"].startswith(ATNET_A.name):
        raise ValueError(
            f"{info['path']} is of stage {info['stage']}: its T-Net is untrained; give one of {ATNET_T.name}"
        )


def open_wild_session(
    checkpoints: Mapping[str, Path], settings: WildSettings, folder: Path | None = None
) -> WildSession:
    """Open a session with the networks "osvos", the parent, and "clicknet" where it is needed."""
    settings, networks = _loaded(checkpoints, settings, "osvos", ("clicknet",))
    return WildSession(networks.get("clicknet"), networks["osvos"], settings, folder)


def _loaded(
    checkpoints: Mapping[str, Path], settings: Settings, needed: str, others: tuple[str, ...] = ()
) -> tuple[Settings, dict[str, nn.Module]]:
    """The settings with the device that was found, and the networks by kind."""
    known = (needed, *others)
    if unknown := sorted(set(checkpoints) - set(known)):
        raise ValueError(f"a checkpoint is for {unknown[0]!r}; choose from {', '.join(known)}")
    if needed not in checkpoints:
        raise ValueError(f"there is no checkpoint for {needed!r}; a session needs one")
    device = choose_device(settings.device)
    networks = {kind: trained_network(path, kind, device)[0] for kind, path in checkpoints.items()}
    return replace(settings, device=device.type), networks
