"""Systems beside MiVOS that play the benchmark: each has its own networks and its own session."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..methods import InferenceSettings

if TYPE_CHECKING:
    from ...inference.session.protocol import Session

Opener = Callable[[Mapping[str, Any], InferenceSettings, str, int, "Path | None"], "Session"]
"""(networks by kind, settings, device, iterations of tuning, folder) -> a session."""


@dataclass(frozen=True, kw_only=True)
class OtherSystem:
    """needs: kinds of its checkpoints; with_masks: those that it needs where all inputs are whole masks. tunes: whether
    a network learns each video, for so many iterations as the command says.
    """

    needs: tuple[str, ...]
    with_masks: tuple[str, ...]
    open: Opener
    tunes: bool = False


def _ipn(
    networks: Mapping[str, Any], inference: InferenceSettings, device: str, iterations: int, folder: Path | None
) -> Session:
    from ...inference.session.ipn import IPNSession
    from ...inference.session.ipn_settings import IPNSettings

    settings = IPNSettings(short_side=inference.short_side, device=device, undo_depth=0, measure_times=True)
    return IPNSession(networks["ipn"], settings, folder)


def _atnet(
    networks: Mapping[str, Any], inference: InferenceSettings, device: str, iterations: int, folder: Path | None
) -> Session:
    from ...inference.session.atnet import ATNetSession
    from ...inference.session.atnet_settings import ATNetSettings

    settings = ATNetSettings(short_side=inference.short_side, device=device, undo_depth=0, measure_times=True)
    return ATNetSession(networks["atnet"], settings, folder)


def _wild(
    networks: Mapping[str, Any], inference: InferenceSettings, device: str, iterations: int, folder: Path | None
) -> Session:
    from ...inference.click_interaction import ClickNetSettings
    from ...inference.session.wild import WildSession
    from ...inference.session.wild_settings import WildSettings

    settings = WildSettings(
        clicks=ClickNetSettings(short_side=inference.short_side),
        tuning_iterations=iterations,
        device=device,
        undo_depth=0,
        measure_times=True,
    )
    return WildSession(networks.get("clicknet"), networks["osvos"], settings, folder)


OTHERS: dict[str, OtherSystem] = {
    "ipn": OtherSystem(needs=("ipn",), with_masks=("ipn",), open=_ipn),
    "atnet": OtherSystem(needs=("atnet",), with_masks=("atnet",), open=_atnet),
    "wild": OtherSystem(needs=("clicknet", "osvos"), with_masks=("osvos",), open=_wild, tunes=True),
}
"""Name -> system: Oh et al. (CVPR 2019), Heo et al. (ECCV 2020), Benard and Gygli (2017)."""
