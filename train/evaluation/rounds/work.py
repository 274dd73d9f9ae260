"""One frame of `vosforge-eval rounds` as a task of the farm; its results lie in files: a killed run goes on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ....datagen.imaging.images import decode_ids, encode_palette_png
from ....datagen.simulation.robot.strokes import Stroke
from ....datagen.storage.files import atomic_write, atomic_write_json, remove_files
from ..finished import arrays_sha256, finished_record
from .correction import Frame, ObjectScores, Round, RoundsSettings, correct_frame, score_rounds
from .methods import Corrector

SCHEMA = 1


@dataclass(frozen=True, kw_only=True)
class RoundsJob:
    """What all frames share. about: the facts that identify the method. folder: of the method's results."""

    method: Corrector
    about: Mapping[str, Any]
    settings: RoundsSettings
    folder: Path
    overwrite: bool = False

    def identity(self, frame: Frame) -> dict[str, Any]:
        """All that decides a frame's numbers, as plain JSON; the device only rounds them."""
        seen = {"rgb": frame.sequence.read_frame(frame.number), "truth": frame.truth}
        found = {"schema": SCHEMA, **self.about, **asdict(self.settings), "object_ids": frame.object_ids}
        return json.loads(json.dumps(found | {"data_sha256": arrays_sha256(seen.items())}))


class CorrectedFrame(NamedTuple):
    """The scores of a frame's objects; of each round the strokes, and the ids as a palette PNG."""

    scores: list[ObjectScores]
    strokes: list[tuple[Stroke, ...]]
    masks: list[bytes]

    def rounds(self) -> list[Round]:
        """The rounds with their ids as arrays."""
        return [
            Round(strokes=drawn, ids=decode_ids(packed)) for drawn, packed in zip(self.strokes, self.masks, strict=True)
        ]


def run_frame(job: RoundsJob, frame: Frame) -> CorrectedFrame:
    """Correct a frame, or read what an earlier run made of it.

    Raises EvaluationError when that is of other settings or data (unless `overwrite`), or a picture is broken.
    """
    place = job.folder / frame.sequence.name / frame.sequence.frame_names[frame.number]
    record, identity = place.with_name(f"{place.name}.json"), job.identity(frame)
    if not job.overwrite:
        finished = finished_record(record, identity, lambda content: _read(place, content))
        if finished is not None:
            return finished
    rounds = correct_frame(job.method, frame, job.settings)
    found = CorrectedFrame(
        scores=score_rounds(frame, rounds),
        strokes=[one.strokes for one in rounds],
        masks=[encode_palette_png(one.ids) for one in rounds],
    )
    # Of other settings nothing stays.
    remove_files(record, *place.glob("*.png"))
    place.mkdir(parents=True, exist_ok=True)
    for number, mask in enumerate(found.masks, 1):
        atomic_write(mask_file(place, number), mask)
    drawn = [[{"object": one.object_id, "path": one.path.tolist()} for one in strokes] for strokes in found.strokes]
    # Last: a frame that has one is finished.
    atomic_write_json(
        record, {"settings": identity, "objects": [asdict(one) for one in found.scores], "strokes": drawn}
    )
    return found


def mask_file(place: Path, number: int) -> Path:
    """The ids after a round, from 1: <folder>/<sequence>/<frame>/<round>.png"""
    return place / f"{number}.png"


def _read(place: Path, content: Mapping[str, Any]) -> CorrectedFrame:
    """What a record holds, with its masks; FileNotFoundError, ValueError, KeyError or TypeError where it is damaged."""
    scores = [ObjectScores(**{**row, "J": tuple(row["J"]), "F": tuple(row["F"])}) for row in content["objects"]]
    strokes = [
        tuple(Stroke(object_id=one["object"], path=np.array(one["path"])) for one in drawn)
        for drawn in content["strokes"]
    ]
    masks = [mask_file(place, number).read_bytes() for number in range(1, len(strokes) + 1)]
    for mask in masks:
        decode_ids(mask)
    return CorrectedFrame(scores=scores, strokes=strokes, masks=masks)
