"""What can turn clicks into masks: trained Scribble-to-Mask networks, and GrabCut, which needs no training."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from ....datagen.simulation.clicks.click_maps import disc_maps
from ....datagen.simulation.clicks.clicks import Click
from ....datagen.storage.files import sha256_of_file
from ..errors import EvaluationError
from ..methods import parse_checkpoints
from ..rounds.methods import GRABCUT, GRABCUT_REACH, cut_out
from .protocol import ClickMethod

if TYPE_CHECKING:
    from ....models.s2m import S2MNetwork
    from ...inference.interaction import InteractionSettings

OBJECT = 1


@dataclass(frozen=True, kw_only=True)
class MethodSpec:
    """A method as plain data, which travels to other processes; see `open_method`.

    checkpoint: of an S2M network, None for GrabCut. click_radius: of the disk that a click is, pixels of the network's
    input or, for GrabCut, of the picture. identity: what tells its results from those of others.
    """

    label: str
    checkpoint: str | None
    click_radius: float
    short_side: int | None = None
    device: str = "cpu"
    identity: tuple[tuple[str, Any], ...] = ()


def method_specs(
    checkpoints: Sequence[str], with_grabcut: bool, click_radius: float, short_side: int | None, device: str
) -> list[MethodSpec]:
    """Return the methods, checkpoints given as FILE or LABEL=FILE; each network is loaded once, as a check.

    Raises EvaluationError when there is none, a checkpoint is no S2M network or the device is not there.
    """
    specs = []
    for label, path in parse_checkpoints(checkpoints).items():
        identity = {"method": "network", "checkpoint_sha256": sha256_of_file(path)}
        spec = MethodSpec(
            label=label,
            checkpoint=str(path.resolve()),
            click_radius=click_radius,
            short_side=short_side,
            device=_device(device),
            identity=tuple(identity.items()),
        )
        open_method(spec)
        specs.append(spec)
    if with_grabcut:
        if any(spec.label == GRABCUT for spec in specs):
            raise EvaluationError(f"a checkpoint is labelled {GRABCUT!r}, as the baseline is; give another label")
        identity = (("method", GRABCUT), ("opencv", cv2.__version__))
        specs.append(MethodSpec(label=GRABCUT, checkpoint=None, click_radius=click_radius, identity=identity))
    if not specs:
        raise EvaluationError("nothing to score: give --checkpoint FILE, or leave --grabcut on")
    return specs


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


@functools.lru_cache(maxsize=4)
def _network_method(spec: MethodSpec) -> ClickMethod:
    from ...checkpoint import load_network
    from ...inference.interaction import InteractionSettings
    from ...networks import S2M

    try:
        settings = InteractionSettings(short_side=spec.short_side, click_radius=spec.click_radius)
        network, _ = load_network(Path(spec.checkpoint), spec.device, kind=S2M)
    except ValueError as error:
        raise EvaluationError(str(error)) from error
    return s2m_clicks(network, settings)


def _device(name: str) -> str:
    from ...device import choose_device

    try:
        return str(choose_device(name))
    except ValueError as error:
        raise EvaluationError(str(error)) from error
