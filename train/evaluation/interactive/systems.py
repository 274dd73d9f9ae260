"""What plays the benchmark: a session by name, such as `difference-k20`, from checkpoints.

Names are those of the rows in the papers' tables: how masks of two interactions are fused, and how many memory cells
propagation reads.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import EvaluationError, as_evaluation_errors
from ..methods import InferenceSettings
from .other_systems import OTHERS

if TYPE_CHECKING:
    from ...inference.session.mivos_settings import MiVOSSettings
    from ...inference.session.protocol import Session

FUSIONS = {
    "difference": "fusion network that sees where an interaction changed the masks (A+ and A-)",
    "learned": "fusion network without A+ and A-",
    "linear": "blending by the distances of the two interactions",
    "none": "the newer interaction's masks",
}
ORACLE = "oracle"
COPY, FLOW = "copy", "flow"
WITHOUT_NETWORKS = (COPY, FLOW)
"""Each also as oracle-copy and so on: with true masks on the drawn frames."""
AUTO = ("difference", "learned", "linear", *OTHERS, ORACLE, COPY)
PAPER = ("linear-kall", "linear", "learned", "difference", "difference-k20", "difference-k100", ORACLE)
"""The rows of MiVOS' table of the interactive benchmark, and those of other numbers of memory cells."""
TUNING_ITERATIONS = 500
"""As Benard and Gygli (2017) tune OSVOS to a video."""
_TOP_K = re.compile(r"(?P<name>[a-z-]+?)(-k(?P<k>[0-9]+|all))?")


@dataclass(frozen=True, kw_only=True)
class System:
    """A row of the table.

    fusion: of MiVOS, one of `FUSIONS`, else None. top_k: memory cells that propagation reads, None for all. true_masks:
    frames get their true masks instead of strokes. other: one of `OTHERS`; without it and without fusion it is one of
    `WITHOUT_NETWORKS`.
    """

    label: str
    fusion: str | None
    top_k: int | None
    true_masks: bool = False
    other: str | None = None

    @property
    def has_networks(self) -> bool:
        """Whether networks play."""
        return self.fusion is not None or self.other is not None

    @property
    def tunes(self) -> bool:
        """Whether a network learns each video."""
        return self.other is not None and OTHERS[self.other].tunes

    @property
    def needs(self) -> tuple[str, ...]:
        """The kinds of checkpoints without which it cannot run."""
        if self.other is not None:
            return OTHERS[self.other].with_masks if self.true_masks else OTHERS[self.other].needs
        if self.fusion is None:
            return ()
        kinds = () if self.true_masks else ("s2m",)
        return (*kinds, "propagation", *(("fusion",) if self.fusion in ("difference", "learned") else ()))


def parse_systems(names: str, given: Sequence[str], top_k: int | None) -> list[System]:
    """Return the systems of a comma-separated list; "auto" stands for what the given kinds of checkpoints can run,
    "paper" for the rows of the paper's tables.

    given: kinds of the checkpoints there are. top_k: for names without -kN. The oracle fuses with differences where
    there is a fusion checkpoint, else by blending. EvaluationError for an unknown name or a missing checkpoint.
    """
    systems: dict[str, System] = {}
    for name in (part.strip() for part in names.split(",") if part.strip()):
        found = [_system(one, given, top_k) for one in {"auto": AUTO, "paper": PAPER}.get(name, (name,))]
        if name == "auto":
            found = [system for system in found if set(system.needs) <= set(given)]
        systems |= {system.label: system for system in found}
    for kind in given if names == "auto" else ():
        if not any(kind in system.needs for system in systems.values()):
            users = [needs for needs in (_system(name, given, top_k).needs for name in AUTO) if kind in needs]
            missing = min(([f"--{one}" for one in needs if one not in given] for needs in users), key=len)
            raise EvaluationError(
                f"nothing plays with --{kind} alone; give {' and '.join(missing)} too, or leave it out"
            )
    if not systems:
        raise EvaluationError(f"--systems is {names!r}; name at least one of {_choices()}")
    for system in systems.values():
        missing = [kind for kind in system.needs if kind not in given]
        if missing:
            raise EvaluationError(f"system {system.label} needs a checkpoint: give --{missing[0]} FILE")
    return list(systems.values())


def _system(name: str, given: Sequence[str], top_k: int | None) -> System:
    match = _TOP_K.fullmatch(name)
    stem = match["name"] if match else name
    if match and match["k"]:
        top_k = None if match["k"] == "all" else int(match["k"])
        if top_k == 0:
            raise EvaluationError(f"system {name} reads no memory cell; give -k1 or more, or -kall for all")
    if stem in FUSIONS:
        return System(label=name, fusion=stem, top_k=top_k)
    if stem == ORACLE:
        fusion = "difference" if "fusion" in given else "linear"
        return System(label=name, fusion=fusion, top_k=top_k, true_masks=True)
    plain = name.removesuffix(f"-{ORACLE}")
    if plain in OTHERS:
        return System(label=name, fusion=None, top_k=None, true_masks=plain != name, other=plain)
    carried = name.removeprefix(f"{ORACLE}-")
    if carried in WITHOUT_NETWORKS:
        return System(label=name, fusion=None, top_k=None, true_masks=carried != name)
    raise EvaluationError(f"no system {name!r}; choose from {_choices()}")


def _choices() -> str:
    names = ", ".join((*FUSIONS, ORACLE))
    others = ", ".join(OTHERS)
    return (
        f"{names} (each also with -k20, -k100, -kall for the memory cells read), {others} (each also with -{ORACLE}), "
        f"{', '.join(f'{name}, {ORACLE}-{name}' for name in WITHOUT_NETWORKS)}, paper, auto"
    )


def check_systems(systems: Sequence[System], checkpoints: Mapping[str, Path], inference: InferenceSettings) -> None:
    """Raise EvaluationError when a setting or a checkpoint cannot be used, before anything is played.

    The networks are loaded on the CPU, whatever the device of `inference`: they may be going to run on other machines.
    """
    from ...inference.session.open_session import require_transfer
    from ...trained_networks import trained_network

    here = replace(inference, device="cpu")
    with as_evaluation_errors():
        for system in systems:
            if system.fusion is not None:
                _session_settings(system, here)
            for kind in system.needs:
                _, info = trained_network(checkpoints[kind], kind)
                if kind == "atnet":
                    require_transfer(info)


def open_system(
    system: System,
    checkpoints: Mapping[str, Path],
    inference: InferenceSettings,
    folder: Path | None = None,
    *,
    tuning_iterations: int = TUNING_ITERATIONS,
    hashes: Mapping[str, str] | None = None,
) -> Session:
    """Return a fresh session of the system, whose store is `folder`, or a temporary one without it.

    tuning_iterations: for systems that learn each video. hashes: kind -> SHA-256 of its checkpoint; another file there
    is refused. Networks are read once a process. EvaluationError when a checkpoint or a setting cannot be used.
    """
    if not system.has_networks:
        from .copy_session import CopySession, FlowSession

        return FlowSession() if system.label.endswith(FLOW) else CopySession()
    from ...device import choose_device
    from ...inference.session.mivos import MiVOSSession
    from ...trained_networks import trained_network

    hashes = hashes or {}
    with as_evaluation_errors():
        device = choose_device(inference.device)
        networks = {
            kind: trained_network(checkpoints[kind], kind, device, hashes.get(kind))[0] for kind in system.needs
        }
        if system.other is not None:
            return OTHERS[system.other].open(networks, inference, str(device), tuning_iterations, folder)
        settings = _session_settings(system, inference)
        return MiVOSSession(networks.get("s2m"), networks["propagation"], networks.get("fusion"), settings, folder)


def _session_settings(system: System, inference: InferenceSettings) -> MiVOSSettings:
    from ...device import choose_device
    from ...inference.session.mivos_settings import MiVOSSettings

    return MiVOSSettings(
        memory_every=inference.memory_every,
        top_k=system.top_k,
        short_side=inference.short_side,
        device=str(choose_device(inference.device)),
        fusion=system.fusion,
        undo_depth=0,
        measure_times=True,
    )
