"""Pairs of interactions of one sequence as a task of the farm; its results lie in files: a killed run goes on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ....datagen.imaging.images import decode_jpeg, encode_jpeg
from ....datagen.storage.files import atomic_write, atomic_write_json, remove_files
from ..finished import finished_record, sequence_sha256
from ..sequences import AnnotatedSequence
from .gain import LINEAR, PLAIN_METHODS, FusedFrame, FusionGainSettings, PairScores, interacted_pairs
from .pictures import fusion_row

if TYPE_CHECKING:
    from torch import nn

SCHEMA = 1


@dataclass(frozen=True, kw_only=True)
class FusionJob:
    """What all sequences share.

    propagation: a checkpoint; fusions: label -> one. hashes: checkpoint -> its SHA-256, so that one that is replaced
    meanwhile is refused. folder: of the finished sequences.
    """

    propagation: str
    fusions: Mapping[str, str] = field(default_factory=dict)
    hashes: Mapping[str, str]
    settings: FusionGainSettings
    folder: Path
    overwrite: bool = False

    def identity(self, sequence: AnnotatedSequence) -> dict[str, Any]:
        """All that decides a sequence's numbers, as plain JSON; the device only rounds them."""
        settings = asdict(self.settings)
        settings["propagation"] = {
            name: value for name, value in settings["propagation"].items() if name not in ("device", "objects_per_pass")
        }
        found = {
            "schema": SCHEMA,
            **settings,
            "propagation_sha256": self.hashes[self.propagation],
            "fusions_sha256": {label: self.hashes[path] for label, path in self.fusions.items()},
            "data_sha256": sequence_sha256(sequence),
        }
        return json.loads(json.dumps(found))


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
    """Return all pairs of interactions of a sequence, read from its files when an earlier run finished it.

    Raises EvaluationError when they are of other settings or data (unless `overwrite`), or a picture is broken.
    """
    record, identity = job.folder / f"{sequence.name}.json", job.identity(sequence)
    if not job.overwrite:
        finished = finished_record(
            record, identity, lambda content: [_read_pair(job.folder, row) for row in content["pairs"]]
        )
        if finished is not None:
            return finished
    results = _computed(job, sequence)
    # Of other settings nothing stays.
    pictures = job.folder / sequence.name
    remove_files(record, *pictures.glob("*.jpg"))
    pictures.mkdir(parents=True, exist_ok=True)
    for result in results:
        for which, picture in (("middle", result.middle_picture), ("worst", result.worst_picture)):
            atomic_write(picture_file(job.folder, result.scores, which), picture)
    # Last: a sequence that has one is finished.
    rows = [asdict(result.scores) | {"worst": result.worst} for result in results]
    atomic_write_json(record, {"settings": identity, "pairs": rows})
    return results


def picture_file(folder: Path, pair: PairScores, which: str) -> Path:
    """The "middle" or the "worst" frame of a pair: <folder>/<sequence>/<first>-<second>-<which>.jpg"""
    return folder / pair.sequence / f"{pair.first}-{pair.second}-{which}.jpg"


def _computed(job: FusionJob, sequence: AnnotatedSequence) -> list[PairResult]:
    from ...trained_networks import trained_network

    def network(path: str, kind: str) -> nn.Module:
        return trained_network(path, kind, job.settings.propagation.device, job.hashes[path])[0]

    propagation = network(job.propagation, "propagation")
    fusions = {label: network(path, "fusion") for label, path in job.fusions.items()}
    results = []
    for scores, frames in interacted_pairs(propagation, fusions, sequence, job.settings):
        worst = worst_frame(scores, frames)
        pictures = [encode_jpeg(fusion_row(sequence, frame)) for frame in (frames[len(frames) // 2], worst)]
        results.append(PairResult(scores=scores, worst=worst.t, middle_picture=pictures[0], worst_picture=pictures[1]))
    return results


def _read_pair(folder: Path, row: Mapping[str, Any]) -> PairResult:
    """A row of a record, with its pictures; FileNotFoundError, ValueError, KeyError or TypeError where damaged."""
    pair = PairScores(
        sequence=row["sequence"],
        first=row["first"],
        second=row["second"],
        scores={name: {int(i): tuple(both) for i, both in found.items()} for name, found in row["scores"].items()},
        by_frame={name: {int(t): value for t, value in found.items()} for name, found in row["by_frame"].items()},
    )
    pictures = {which: picture_file(folder, pair, which).read_bytes() for which in ("middle", "worst")}
    for picture in pictures.values():
        decode_jpeg(picture)
    return PairResult(
        scores=pair, worst=row["worst"], middle_picture=pictures["middle"], worst_picture=pictures["worst"]
    )


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
