"""Pairs of interactions of one sequence as a task of the farm: plain data in, scores and small pictures out."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ....datagen.imaging.images import decode_jpeg, encode_jpeg
from ..sequences import AnnotatedSequence
from .gain import LINEAR, PLAIN_METHODS, FusedFrame, FusionGainSettings, PairScores, interacted_pairs
from .pictures import fusion_row


@dataclass(frozen=True, kw_only=True)
class FusionJob:
    """What all sequences share. fusions: label -> checkpoint; each file is loaded once in a process."""

    propagation: str
    fusions: Mapping[str, str] = field(default_factory=dict)
    settings: FusionGainSettings


@dataclass(frozen=True, kw_only=True, eq=False)
class PairResult:
    """One pair of interactions: its scores, and as JPEGs the pictures of its middle frame and of its worst one.

    worst: number of the frame in which `main_method` has the lowest J.
    """

    scores: PairScores
    worst: int
    middle_picture: bytes
    worst_picture: bytes

    def picture(self, which: str) -> np.ndarray:
        """The "middle" or the "worst" frame's row: uint8 (H, W, 3)."""
        return decode_jpeg(self.middle_picture if which == "middle" else self.worst_picture)


def run_pairs(job: FusionJob, sequence: AnnotatedSequence) -> list[PairResult]:
    """Return all pairs of interactions of a sequence."""
    device = job.settings.propagation.device
    propagation = _loaded(job.propagation, "propagation", device)
    fusions = {label: _loaded(path, "fusion", device) for label, path in job.fusions.items()}
    results = []
    for scores, frames in interacted_pairs(propagation, fusions, sequence, job.settings):
        worst = worst_frame(scores, frames)
        pictures = [encode_jpeg(fusion_row(sequence, frame)) for frame in (frames[len(frames) // 2], worst)]
        results.append(PairResult(scores=scores, worst=worst.t, middle_picture=pictures[0], worst_picture=pictures[1]))
    return results


def check_checkpoints(job: FusionJob) -> None:
    """Load every network once, on the CPU; ValueError names a file that is none of its kind."""
    for path, kind in ((job.propagation, "propagation"), *((path, "fusion") for path in job.fusions.values())):
        _loaded(path, kind, "cpu")


def main_method(methods: Sequence[str] | Mapping[str, Any]) -> str:
    """The first fusion network, or linear blending where there is none."""
    return next((method for method in methods if method not in PLAIN_METHODS), LINEAR)


def worst_frame(pair: PairScores, frames: Sequence[FusedFrame]) -> FusedFrame:
    """The frame between two interactions in which the main method has the lowest J."""
    regions = pair.by_frame[main_method(pair.by_frame)]
    return min(frames, key=lambda frame: (regions[frame.t], frame.t))


@functools.lru_cache(maxsize=8)
def _loaded(checkpoint: str, kind: str, device: str) -> Any:
    from ...checkpoint import load_network
    from ...networks import KINDS

    return load_network(Path(checkpoint), device, KINDS[kind])[0]
