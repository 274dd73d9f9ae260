"""What can turn clicks into masks: the networks that answer a user in each system, and GrabCut, which has none."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from ....datagen.simulation.clicks.click_maps import disc_maps
from ....datagen.simulation.clicks.clicks import Click
from ..errors import EvaluationError, as_evaluation_errors
from ..methods import parse_checkpoints
from ..rounds.methods import GRABCUT, GRABCUT_REACH, cut_out
from .protocol import ClickMethod

if TYPE_CHECKING:
    from ....models.click_net import ClickNetwork
    from ....models.s2m import S2MNetwork
    from ...inference.click_interaction import ClickNetSettings
    from ...inference.interaction import InteractionSettings
    from ...inference.session.protocol import Session

OBJECT = 1
KINDS = ("s2m", "clicknet", "ipn", "atnet")
"""Of the networks that clicks can be given to."""
PLAIN, CRF, NO_MASK, NO_CLAMP = "plain", "crf", "no-mask", "no-clamp"
VARIANTS = (PLAIN, CRF, NO_MASK, NO_CLAMP)
"""Of a click network: as it is, then a dense CRF, never given a mask, pixels of clicks not clamped; joined by '+'."""


@dataclass(frozen=True, kw_only=True)
class MethodSpec:
    """A method as plain data, which travels to other processes; see `open_method`.

    checkpoint: of a network, None for GrabCut. sha256: of that file. kind: of the network, one of `KINDS`.
    click_radius: of the disk that a click is, pixels of the network's input or, for GrabCut, of the picture; click
    networks and ATNet draw clicks in their own way. variant: of a click network, some of `VARIANTS`. identity: what
    tells its results from those of others.
    """

    label: str
    checkpoint: str | None
    click_radius: float
    sha256: str | None = None
    kind: str = "s2m"
    variant: frozenset[str] = frozenset()
    short_side: int | None = None
    device: str = "cpu"
    identity: tuple[tuple[str, Any], ...] = ()


def method_specs(
    checkpoints: Sequence[str],
    with_grabcut: bool,
    click_radius: float,
    short_side: int | None,
    device: str,
    variants: str = PLAIN,
) -> list[MethodSpec]:
    """Return the methods, checkpoints given as FILE or LABEL=FILE; each network is loaded once, as a check.

    device: "cpu" or "cuda" (see `chosen_device`). variants: comma-separated, see `VARIANTS`; a click network is a
    method in each, labelled LABEL-VARIANT but for the plain one. Raises EvaluationError when there is none, or a
    checkpoint is of another network.
    """
    from ...trained_networks import trained_network

    specs = []
    chosen = parse_variants(variants)
    for label, path in parse_checkpoints(checkpoints).items():
        # On the CPU: the networks may be going to run on other machines.
        with as_evaluation_errors():
            _, info = trained_network(path, KINDS)
        kind, sha256 = info["kind"], info["sha256"]
        identity = {"method": "network", "checkpoint_sha256": sha256}
        for name, variant in chosen.items() if kind == "clicknet" else [(PLAIN, frozenset())]:
            own = {} if kind == "s2m" else {"kind": kind}
            own |= {"variant": name} if kind == "clicknet" else {}
            spec = MethodSpec(
                label=label if name == PLAIN else f"{label}-{name.replace('+', '-')}",
                checkpoint=str(path.absolute()),
                sha256=sha256,
                kind=kind,
                variant=variant,
                click_radius=click_radius,
                short_side=short_side,
                device=device,
                identity=tuple((identity | own).items()),
            )
            if any(other.label == spec.label for other in specs):
                raise EvaluationError(f"two methods are labelled {spec.label!r}; give the checkpoints other labels")
            # Its settings are checked.
            open_method(replace(spec, device="cpu"))
            specs.append(spec)
    if with_grabcut:
        if any(spec.label == GRABCUT for spec in specs):
            raise EvaluationError(f"a checkpoint is labelled {GRABCUT!r}, as the baseline is; give another label")
        identity = (("method", GRABCUT), ("opencv", cv2.__version__))
        specs.append(MethodSpec(label=GRABCUT, checkpoint=None, click_radius=click_radius, identity=identity))
    if set(chosen) != {PLAIN} and not any(spec.kind == "clicknet" and spec.checkpoint for spec in specs):
        raise EvaluationError(f"--variants {variants} are of click networks; no checkpoint is of one")
    if not specs:
        raise EvaluationError("nothing to score: give --checkpoint FILE, or leave --grabcut on")
    return specs


def parse_variants(argument: str) -> dict[str, frozenset[str]]:
    """Name -> parts of the variants of a comma-separated list such as "plain,no-mask,crf,no-mask+crf"."""
    found = {}
    for name in (part.strip() for part in argument.split(",") if part.strip()):
        parts = frozenset(name.split("+"))
        unknown = sorted(parts - set(VARIANTS))
        if unknown or (PLAIN in parts and len(parts) > 1):
            raise EvaluationError(
                f"no variant {name!r} of a click network; join some of {', '.join(VARIANTS[1:])} by '+', or {PLAIN}"
            )
        found[name] = parts - {PLAIN}
    if not found:
        raise EvaluationError(f"--variants names none; choose from {', '.join(VARIANTS)}")
    return found


def open_method(spec: MethodSpec) -> ClickMethod:
    """Return the method itself; its network is loaded once in each process. Raises EvaluationError."""
    if spec.checkpoint is None:
        return functools.partial(grabcut_clicks, click_radius=spec.click_radius)
    return _network_method(spec)


def grabcut_clicks(rgb: np.ndarray, present: np.ndarray, clicks: Sequence[Click], click_radius: float) -> np.ndarray:
    """Cut the object out by GrabCut: pixels under a click are sure, the present mask is probable; bool (H, W).

    So are the surroundings of the last click, on its side: without them what GrabCut has once left out stays out (12
    frames of DAVIS, a third of their size: 15.3 clicks to 85 % instead of 13.8).
    """
    height, width = present.shape
    positive, negative = disc_maps(clicks, height, width, radius=click_radius)
    near_object, near_background = disc_maps(clicks[-1:], height, width, radius=GRABCUT_REACH * min(height, width))
    return cut_out(rgb, (present | near_object) & ~near_background, positive, negative)


def s2m_clicks(network: S2MNetwork, settings: InteractionSettings) -> ClickMethod:
    """Scribble-to-Mask with clicks as small disks, as a session gives them to it."""
    from ...inference.interaction import correct_ids

    def answer(rgb: np.ndarray, present: np.ndarray, clicks: Sequence[Click]) -> np.ndarray:
        ids = present.astype(np.uint8) * OBJECT
        return correct_ids(network, rgb, ids, (), (OBJECT,), settings, clicks={OBJECT: clicks}) == OBJECT

    return answer


def clicknet_clicks(network: ClickNetwork, settings: ClickNetSettings, with_mask: bool) -> ClickMethod:
    """A click network with clicks as its own maps, with the present mask or without any."""
    from ...inference.click_interaction import probability_of_clicks

    def answer(rgb: np.ndarray, present: np.ndarray, clicks: Sequence[Click]) -> np.ndarray:
        given = present if with_mask else np.zeros_like(present)
        return probability_of_clicks(network, rgb, given, clicks, settings) > 0.5

    return answer


def session_clicks(open_session: Callable[[], AbstractContextManager[Session]]) -> ClickMethod:
    """A system's own session on a picture: the present mask as if drawn free-hand, then the clicks on top of it."""
    from ...inference.session.frames import ArrayFrames
    from ...inference.session.protocol import Clicks

    def answer(rgb: np.ndarray, present: np.ndarray, clicks: Sequence[Click]) -> np.ndarray:
        positive, negative = (
            tuple((click.x, click.y) for click in clicks if click.positive == sign) for sign in (True, False)
        )
        with open_session() as session:
            session.start(ArrayFrames(rgb[None]), (OBJECT,))
            if present.any():
                session.interact(0, {OBJECT: present})
            return session.interact(0, {OBJECT: Clicks(positive=positive, negative=negative)}) == OBJECT

    return answer


def _sessions(spec: MethodSpec, network: Any) -> Callable[[], AbstractContextManager[Session]]:
    """Opens sessions of the system that a network belongs to; ValueError for settings that it cannot have."""
    from ...inference.session.atnet import ATNetSession
    from ...inference.session.atnet_settings import ATNetSettings
    from ...inference.session.ipn import IPNSession
    from ...inference.session.ipn_settings import IPNSettings

    own = {"short_side": spec.short_side, "device": spec.device, "undo_depth": 0}
    if spec.kind == "ipn":
        return functools.partial(IPNSession, network, IPNSettings(click_radius=spec.click_radius, **own))
    return functools.partial(ATNetSession, network, ATNetSettings(**own))


def _network_method(spec: MethodSpec) -> ClickMethod:
    from ...inference.interaction import InteractionSettings
    from ...trained_networks import trained_network

    with as_evaluation_errors():
        network, _ = trained_network(spec.checkpoint, KINDS, spec.device, spec.sha256)
        if spec.kind == "clicknet":
            return clicknet_clicks(network, _click_net_settings(spec), NO_MASK not in spec.variant)
        if spec.kind in ("ipn", "atnet"):
            return session_clicks(_sessions(spec, network))
        settings = InteractionSettings(short_side=spec.short_side, click_radius=spec.click_radius)
    return s2m_clicks(network, settings)


def _click_net_settings(spec: MethodSpec) -> ClickNetSettings:
    from ...inference.click_interaction import ClickNetSettings
    from ...inference.dense_crf import DenseCRFSettings, require_lattice

    if CRF in spec.variant:
        require_lattice()
    own = {"clamp_radius": None} if NO_CLAMP in spec.variant else {}
    crf = DenseCRFSettings() if CRF in spec.variant else None
    return ClickNetSettings(short_side=spec.short_side, crf=crf, **own)
