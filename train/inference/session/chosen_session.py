"""Which of the four systems `vosforge-train segment` opens: the one whose networks are given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from ..click_interaction import ClickNetSettings
from .atnet_settings import ATNetSettings
from .ipn_settings import IPNSettings
from .mivos_settings import MiVOSSettings
from .open_session import open_atnet_session, open_ipn_session, open_mivos_session, open_wild_session
from .wild_settings import WildSettings

if TYPE_CHECKING:
    from .command import Segment
    from .video_session import VideoSession


@dataclass(frozen=True, kw_only=True)
class System:
    """What a system is given: flags of its checkpoints, needed first, and flags of settings that it alone has.

    answering: the flag of the network that answers strokes and clicks, and what it is called.
    """

    title: str
    checkpoints: tuple[str, ...]
    answering: tuple[str, str]
    settings: tuple[str, ...] = ()


SYSTEMS = {
    "mivos": System(
        title="MiVOS",
        checkpoints=("propagation", "s2m", "fusion"),
        answering=("s2m", "Scribble-to-Mask network"),
        settings=("top_k", "memory_every", "precision"),
    ),
    "ipn": System(title="IPN", checkpoints=("ipn",), answering=("ipn", "interaction network")),
    "atnet": System(title="ATNet", checkpoints=("atnet",), answering=("atnet", "A-Net")),
    "wild": System(
        title="the wild session",
        checkpoints=("osvos", "clicknet"),
        answering=("clicknet", "click network"),
        settings=("tuning_iterations",),
    ),
}


def choose_system(command: Segment, *, draws: bool) -> str:
    """The system whose checkpoints are given; draws: whether there are strokes or clicks. ValueError names a flag."""
    chosen = [name for name, system in SYSTEMS.items() if _given(command, system)]
    if len(chosen) != 1:
        flags = [f"--{next(iter(_given(command, SYSTEMS[name])))}" for name in chosen]
        wrong = f"{' and '.join(flags)} are of several systems" if flags else "no checkpoint is given"
        needs = "; ".join(f"--{system.checkpoints[0]} for {system.title}" for system in SYSTEMS.values())
        raise ValueError(f"{wrong}; give {needs}")
    system = SYSTEMS[chosen[0]]
    given = _given(command, system)
    if (needed := system.checkpoints[0]) not in given:
        raise ValueError(f"{system.title} needs --{needed} beside --{next(iter(given))}")
    flag, what = system.answering
    if draws and flag not in given:
        raise ValueError(f"scribbles and clicks need a {what}; give --{flag}")
    defaults = {field.name: field.default for field in fields(command)}
    for other in SYSTEMS.values():
        for name in other.settings:
            if other is not system and getattr(command, name) != defaults[name]:
                raise ValueError(f"--{name.replace('_', '-')} is of {other.title}, not of {system.title}; leave it out")
    return chosen[0]


def open_chosen_session(command: Segment, system: str, undo_depth: int) -> VideoSession:
    """Open a session of this system with the command's checkpoints and settings; ValueError, OSError."""
    paths = _given(command, SYSTEMS[system])
    common = {"device": command.device, "undo_depth": undo_depth}
    if system == "ipn":
        return open_ipn_session(paths["ipn"], IPNSettings(short_side=command.short_side, **common), command.session)
    if system == "atnet":
        settings = ATNetSettings(short_side=command.short_side, **common)
        return open_atnet_session(paths["atnet"], settings, command.session)
    if system == "wild":
        clicks = ClickNetSettings(short_side=command.short_side)
        settings = WildSettings(clicks=clicks, tuning_iterations=command.tuning_iterations, **common)
        return open_wild_session(paths, settings, command.session)
    settings = MiVOSSettings(
        memory_every=command.memory_every,
        top_k=command.top_k or None,
        short_side=command.short_side,
        precision=command.precision,
        fusion="difference" if command.fusion else "linear",
        **common,
    )
    return open_mivos_session(paths, settings, command.session)


def _given(command: Segment, system: System) -> Mapping[str, Path]:
    """Flag -> checkpoint, of those of a system that are given."""
    paths = {flag: getattr(command, flag) for flag in system.checkpoints}
    return {flag: path for flag, path in paths.items() if path is not None}
