"""One sequence of `vosforge-eval refine` as a task of the farm; its results lie in files: a killed run goes on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ....datagen.imaging.images import encode_jpeg
from ....datagen.storage.files import atomic_write, atomic_write_json
from ..finished import finished_record, is_whole_jpeg, sequence_sha256
from ..jobs import frames_done
from ..sequences import AnnotatedSequence
from .refinement import RefinementRow, RefinementSettings, refined_objects
from .refinement_strips import refinement_strip

SCHEMA = 1


@dataclass(frozen=True, kw_only=True)
class RefinementJob:
    """What all sequences share. out: folder of the results."""

    settings: RefinementSettings
    out: Path
    overwrite: bool = False

    def identity(self, sequence: AnnotatedSequence) -> dict[str, Any]:
        """All that decides a sequence's numbers, as plain JSON; the device only rounds them."""
        settings = self.settings
        methods = (settings.clicker, *settings.refiners)
        found = {
            "schema": SCHEMA,
            "methods": [dict(one.identity) | {"radius": one.click_radius, "side": one.short_side} for one in methods],
            "osvos_sha256": settings.osvos_sha256,
            "tuning": asdict(settings.tuning),
            "first_clicks": settings.first_clicks,
            "clicks": settings.counts,
            "data_sha256": sequence_sha256(sequence),
        }
        return json.loads(json.dumps(found))


def run_sequence(job: RefinementJob, sequence: AnnotatedSequence) -> list[RefinementRow]:
    """The rows of all objects of a sequence, read from its file when an earlier run finished it.

    Raises EvaluationError when the file is of other settings or data (unless `overwrite`), or a picture is broken.
    """
    path = job.out / "sequences" / f"{sequence.name}.json"
    identity = job.identity(sequence)
    if not job.overwrite:
        rows = finished_record(path, identity, lambda content: [row_from_dict(row) for row in content["objects"]])
        if rows is not None and all(is_whole_jpeg(strip_path(job.out, row)) for row in rows):
            return rows
    rows = []
    for one in refined_objects(job.settings, sequence):
        picture = strip_path(job.out, one.row)
        picture.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(picture, encode_jpeg(refinement_strip(sequence, one)))
        rows.append(one.row)
    # Last: a sequence that has one is finished.
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write_json(path, {"settings": identity, "objects": [asdict(row) for row in rows]})
    frames_done(sequence.num_frames)
    return rows


def strip_path(out: Path, row: RefinementRow) -> Path:
    """Where the pictures of an object are."""
    return out / "strips" / f"{row.name}.jpg"


def row_from_dict(row: Mapping[str, Any]) -> RefinementRow:
    """The inverse of `asdict` after JSON, which has lists and keys of text; KeyError or TypeError for another thing."""
    own = {
        "frames": tuple(row["frames"]),
        "by_frame": {name: tuple(values) for name, values in row["by_frame"].items()},
        "refined": {
            label: {int(number): value for number, value in by_count.items()}
            for label, by_count in row["refined"].items()
        },
    }
    return RefinementRow(**{**row, **own})
