"""Pairs of interactions of one sequence as a task of the farm: plain data in, scores and small pictures out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ....datagen.imaging.images import decode_jpeg, encode_jpeg
from ..sequences import AnnotatedSequence
from .gain import LINEAR, PLAIN_METHODS, FusedFrame, FusionGainSettings, PairScores, interacted_pairs
from .pictures import fusion_row

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, kw_only=True)
class FusionJob:
    """What all sequences share.

    propagation: a checkpoint; fusions: label -> one. hashes: checkpoint -> its SHA-256, so that one that is replaced
    meanwhile is refused.
    """

    propagation: str
    fusions: Mapping[str, str] = field(default_factory=dict)
    hashes: Mapping[str, str] = field(default_factory=dict)
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
    from ...trained_networks import trained_network

    def network(path: str, kind: str) -> nn.Module:
        return trained_network(path, kind, job.settings.propagation.device, job.hashes.get(path))[0]

    propagation = network(job.propagation, "propagation")
    fusions = {label: network(path, "fusion") for label, path in job.fusions.items()}
    results = []
    for scores, frames in interacted_pairs(propagation, fusions, sequence, job.settings):
        worst = worst_frame(scores, frames)
        pictures = [encode_jpeg(fusion_row(sequence, frame)) for frame in (frames[len(frames) // 2], worst)]
        results.append(PairResult(scores=scores, worst=worst.t, middle_picture=pictures[0], worst_picture=pictures[1]))
    return results


def checked_hashes(propagation: str, fusions: Mapping[str, str]) -> dict[str, str]:
    """Load every network once, on the CPU; return checkpoint -> SHA-256. ValueError names a file of another kind."""
    from ...trained_networks import trained_network

    kinds = [(propagation, "propagation"), *((path, "fusion") for path in fusions.values())]
    return {path: trained_network(path, kind)[1]["sha256"] for path, kind in kinds}


def main_method(methods: Sequence[str] | Mapping[str, Any]) -> str:
    """The first fusion network, or linear blending where there is none."""
    return next((method for method in methods if method not in PLAIN_METHODS), LINEAR)


def worst_frame(pair: PairScores, frames: Sequence[FusedFrame]) -> FusedFrame:
    """The frame between two interactions in which the main method has the lowest J."""
    regions = pair.by_frame[main_method(pair.by_frame)]
    return min(frames, key=lambda frame: (regions[frame.t], frame.t))
