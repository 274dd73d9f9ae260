"""What became of a session of the benchmark: scores of every interaction, as JSON and as the benchmark's own CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ....datagen.storage.files import atomic_write
from .protocol import Metric

CSV_COLUMNS = (
    "session_id",
    "sequence",
    "scribble_idx",
    "interaction",
    "object_id",
    "frame",
    "jaccard",
    "contour",
    "j_and_f",
    "timing",
)


@dataclass(frozen=True, kw_only=True, eq=False)
class InteractionScores:
    """One round. frame: which was drawn on. seconds: what the answer took. jaccard, contour: float64 (T, N) in [0, 1].

    T annotated frames, N objects, as in the record that holds it.
    """

    frame: int
    num_strokes: int
    seconds: float
    jaccard: np.ndarray
    contour: np.ndarray

    def values(self, metric: Metric) -> np.ndarray:
        """The metric of every frame and object, float64 (T, N)."""
        if metric == "J_AND_F":
            return (self.jaccard + self.contour) / 2
        return self.jaccard if metric == "J" else self.contour


@dataclass(frozen=True, kw_only=True, eq=False)
class SampleRecord:
    """One session: a sequence and one set of first scribbles, counted from 1.

    frames: numbers of the annotated frames, all of which are scored. interactions: those that ended in time; timed_out
    tells whether one did not. module_seconds: module -> (seconds, pairs of a frame and an object it worked on).
    """

    sequence: str
    scribble_set: int
    object_ids: tuple[int, ...]
    frames: tuple[int, ...]
    interactions: tuple[InteractionScores, ...]
    timed_out: bool = False
    robot_seconds: float = 0.0
    module_seconds: Mapping[str, tuple[float, int]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.sequence}-{self.scribble_set:03d}"

    def interacted_frames(self, num_interactions: int | None = None) -> tuple[int, ...]:
        """The frames that were drawn on in the first rounds, or in all, each once."""
        return tuple(dict.fromkeys(one.frame for one in self.interactions[:num_interactions]))

    def final(self, metric: Metric) -> float:
        """Mean over frames and objects after the last round; 0 when no round ended in time."""
        return float(self.interactions[-1].values(metric).mean()) if self.interactions else 0.0


def record_to_dict(record: SampleRecord) -> dict[str, Any]:
    """Return plain JSON of a record, scores at full precision."""
    rounds = [
        vars(one) | {"jaccard": one.jaccard.tolist(), "contour": one.contour.tolist()} for one in record.interactions
    ]
    return vars(record) | {"interactions": rounds, "module_seconds": dict(record.module_seconds)}


def record_from_dict(content: Mapping[str, Any]) -> SampleRecord:
    """Return the record that `record_to_dict` made plain."""
    rounds = tuple(
        InteractionScores(**{**one, "jaccard": np.array(one["jaccard"]), "contour": np.array(one["contour"])})
        for one in content["interactions"]
    )
    given = {
        **content,
        "object_ids": tuple(content["object_ids"]),
        "frames": tuple(content["frames"]),
        "interactions": rounds,
        "module_seconds": {name: (pair[0], pair[1]) for name, pair in content["module_seconds"].items()},
    }
    return SampleRecord(**given)


def csv_rows(records: Iterable[SampleRecord], session_id: str) -> Iterator[tuple[Any, ...]]:
    """Yield one row for each object, frame and interaction, in the order of `CSV_COLUMNS`."""
    for record in records:
        for number, one in enumerate(record.interactions, start=1):
            combined = one.values("J_AND_F")
            for column, object_id in enumerate(record.object_ids):
                for row, frame in enumerate(record.frames):
                    scores = (one.jaccard[row, column], one.contour[row, column], combined[row, column])
                    yield (
                        session_id,
                        record.sequence,
                        record.scribble_set,
                        number,
                        object_id,
                        frame,
                        *map(float, scores),
                        one.seconds,
                    )


def write_csv(path: Path, records: Sequence[SampleRecord], session_id: str) -> Path:
    """Write the rows of all records as the benchmark's CSV, whole or not at all; return the path."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    writer.writerows(csv_rows(records, session_id))
    atomic_write(path, text.getvalue().encode())
    return path
