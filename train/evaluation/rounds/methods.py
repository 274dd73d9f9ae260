"""What can turn strokes into masks: trained Scribble-to-Mask networks, and GrabCut, which needs no training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ....datagen.simulation.robot.strokes import NO_STROKE, Stroke, draw_strokes
from ..errors import EvaluationError, as_evaluation_errors
from ..methods import parse_checkpoints

Corrector = Callable[[np.ndarray, np.ndarray, Sequence[Stroke], Sequence[int]], np.ndarray]
"""(rgb uint8 (H, W, 3), present ids uint8 (H, W), strokes, object ids) -> ids uint8 (H, W)."""

GRABCUT = "grabcut"
_STROKE_WIDTH = 3
_ITERATIONS = 5
GRABCUT_REACH = 0.06
"""GrabCut's first guess at an object without a mask: what lies within this share of the shorter side of its strokes."""


def grabcut(
    rgb: np.ndarray, current_ids: np.ndarray, strokes: Sequence[Stroke], object_ids: Sequence[int]
) -> np.ndarray:
    """Cut each object out by colours and edges (Rother, Kolmogorov and Blake, SIGGRAPH 2004); uint8 (H, W).

    Own strokes are surely the object, all others surely not; the present mask, or the strokes' surroundings where there
    is none, is probably the object. Of objects that claim one pixel the last wins. Without strokes nothing changes.
    """
    if not strokes:
        return current_ids.copy()
    height, width = current_ids.shape
    drawn = draw_strokes(strokes, height, width, thickness=_STROKE_WIDTH)
    corrected = np.zeros_like(current_ids)
    for object_id in object_ids:
        own, present = drawn == object_id, current_ids == object_id
        corrected[cut_out(rgb, present, own, (drawn != NO_STROKE) & ~own)] = object_id
    return corrected


def cut_out(rgb: np.ndarray, present: np.ndarray, own: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return one object cut out by GrabCut, bool (H, W).

    rgb: uint8 (H, W, 3). present: bool (H, W), the mask so far, which is probably the object; where it is empty, the
    surroundings of `own` are. own, others: bool (H, W), what is surely the object and surely not; `own` counts first.
    """
    height, width = present.shape
    probable = present
    if not present.any():
        reach = 2 * max(1, round(GRABCUT_REACH * min(height, width))) + 1
        near = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
        probable = cv2.dilate(own.view(np.uint8), near).view(bool)
    trimap = np.where(probable, np.uint8(cv2.GC_PR_FGD), np.uint8(cv2.GC_PR_BGD))
    trimap[others], trimap[own] = cv2.GC_BGD, cv2.GC_FGD
    is_object = np.isin(trimap, (cv2.GC_FGD, cv2.GC_PR_FGD))
    # It fits a mixture of colours to each side, so both need pixels.
    if is_object.all() or not is_object.any():
        return is_object
    # It fits them from random starts, by OpenCV's one generator.
    cv2.setRNGSeed(0)
    cv2.grabCut(np.ascontiguousarray(rgb), trimap, None, *np.zeros((2, 1, 65)), _ITERATIONS, cv2.GC_INIT_WITH_MASK)
    return np.isin(trimap, (cv2.GC_FGD, cv2.GC_PR_FGD))


def scribble_methods(
    checkpoints: Sequence[str], with_grabcut: bool, short_side: int | None, device: str
) -> dict[str, tuple[Corrector, dict[str, Any]]]:
    """Label -> the method and the facts that identify it; checkpoints as FILE or LABEL=FILE, device "cpu" or "cuda".

    Raises EvaluationError when there is none, or a checkpoint is no S2M network.
    """
    methods: dict[str, tuple[Corrector, dict[str, Any]]] = {}
    for label, path in parse_checkpoints(checkpoints).items():
        methods[label] = _network_method(path, short_side, device)
    if with_grabcut:
        if GRABCUT in methods:
            raise EvaluationError(f"a checkpoint is labelled {GRABCUT!r}, as the baseline is; give another label")
        methods[GRABCUT] = (grabcut, {"method": GRABCUT, "opencv": cv2.__version__})
    if not methods:
        raise EvaluationError("nothing to score: give --checkpoint FILE, or --grabcut")
    return methods


def _network_method(path: Path, short_side: int | None, device: str) -> tuple[Corrector, dict[str, Any]]:
    from ...inference.interaction import InteractionSettings
    from ...trained_networks import trained_network

    with as_evaluation_errors():
        InteractionSettings(short_side=short_side)
        # On the CPU: where the frames are corrected may be another machine.
        _, info = trained_network(path, "s2m")
    corrector = S2MCorrector(
        checkpoint=str(path.absolute()), checkpoint_sha256=info["sha256"], short_side=short_side, device=device
    )
    return corrector, {"method": "network", "checkpoint_sha256": info["sha256"], "size": info["size"]}


@dataclass(frozen=True, kw_only=True)
class S2MCorrector:
    """A Scribble-to-Mask network, loaded where it is first called, once in a process; a `Corrector`."""

    checkpoint: str
    checkpoint_sha256: str
    short_side: int | None
    device: str

    def __call__(
        self, rgb: np.ndarray, current_ids: np.ndarray, strokes: Sequence[Stroke], object_ids: Sequence[int]
    ) -> np.ndarray:
        from ...inference.interaction import InteractionSettings, correct_ids
        from ...trained_networks import trained_network

        network, _ = trained_network(self.checkpoint, "s2m", self.device, self.checkpoint_sha256)
        settings = InteractionSettings(short_side=self.short_side)
        return correct_ids(network, rgb, current_ids, strokes, object_ids, settings)
