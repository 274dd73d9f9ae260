"""Scores of every object and frame, and their means as the semi-supervised benchmarks take them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ...datagen.corpus.records import IGNORE_ID
from .errors import EvaluationError
from .metrics import statistics
from .sequences import values_in

MEASURES = ("J", "F")
COLUMNS = ("J&F-Mean", "J-Mean", "J-Recall", "J-Decay", "F-Mean", "F-Recall", "F-Decay")


@dataclass(frozen=True, kw_only=True)
class SequenceScores:
    """J and F of the frames of one sequence that were compared with the truth.

    objects: object id -> {"J": [one value for each of `frames`], "F": [likewise]}; NaN in the frames before the object
    is given. frames: their numbers, all of the sequence when left out. num_frames: of the sequence, scored or not.
    given: object id -> the frame whose mask of it was given, 0 where left out. seconds: time spent on predicting.
    last_is_scored: False in the DAVIS protocol, which skips the last frame of a sequence. categories: id -> class.
    """

    name: str
    objects: dict[int, dict[str, list[float]]]
    seconds: float = 0.0
    frames: tuple[int, ...] = ()
    num_frames: int = 0
    given: Mapping[int, int] = field(default_factory=dict)
    last_is_scored: bool = False
    categories: Mapping[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.frames:
            object.__setattr__(self, "frames", tuple(range(len(next(iter(self.objects.values()))["J"]))))
        if not self.num_frames:
            object.__setattr__(self, "num_frames", self.frames[-1] + 1 if self.frames else 0)

    def frame_means(self, measure: str) -> np.ndarray:
        """One value for each of `frames`, the mean over the objects there: float64 (T,), NaN where there is none."""
        values = np.array([values[measure] for values in self.objects.values()], dtype=np.float64)
        there = ~np.isnan(values)
        counts = there.sum(axis=0)
        return np.where(counts > 0, np.where(there, values, 0).sum(axis=0) / np.maximum(counts, 1), np.nan)

    def scored(self, i: int, include_ends: bool = False) -> dict[str, list[float]]:
        """The values of an object that count: behind its given frame, and without the last frame where that is skipped.

        include_ends: count the given frame and the last one too.
        """
        counts = self._counts(i, include_ends)
        return {measure: np.array(self.objects[i][measure])[counts].tolist() for measure in MEASURES}

    def counted(self, include_ends: bool = False) -> SequenceScores:
        """Itself with no other frames than those that count for some object; NaN in those that do not count for one."""
        counts = {i: self._counts(i, include_ends) for i in self.objects}
        kept = np.flatnonzero(np.any(list(counts.values()), axis=0))
        objects = {
            i: {measure: np.where(counts[i], values[measure], np.nan)[kept].tolist() for measure in MEASURES}
            for i, values in self.objects.items()
        }
        return replace(self, objects=objects, frames=tuple(self.frames[k] for k in kept))

    def _counts(self, i: int, include_ends: bool) -> np.ndarray:
        """Whether each of `frames` counts for an object: bool (T,)."""
        given, frames = self.given.get(i, 0), np.array(self.frames, dtype=int)
        there = ~np.isnan(np.array(self.objects[i]["J"], dtype=np.float64))
        if include_ends:
            return there & (frames >= given)
        return there & (frames > given) & (self.last_is_scored | (frames != self.num_frames - 1))


def object_ids(first_truth: np.ndarray) -> list[int]:
    """The ids a method is given in the first mask, the only ones it is scored on: not those that appear later."""
    return [i for i in values_in(first_truth) if i not in (0, IGNORE_ID)]


def summarise(
    scores: Sequence[SequenceScores], include_ends: bool = False, seen: Collection[str] | None = None
) -> dict[str, Any]:
    """Means, recalls and decays: {"global": {...}, "sequences": {name: {..., "objects": {id: {...}}}}}.

    Given frames and, by the DAVIS protocol, the last ones are skipped unless `include_ends`. The global numbers are
    means over the objects of all sequences, a sequence's over its own. Keys are those of `COLUMNS`. "unscored" lists
    objects without a frame to score, as "<sequence>_<id>", where there are any.
    seen: classes of the training data (YouTube-VOS); then "seen" and "unseen" hold the numbers of the objects of these
    and of other classes, each with "objects", their count, and "G" is the mean of the four J and F of both, as far as
    both have objects. Objects whose class is not told are in neither; "without_class" is their count, if there are any.
    """
    sequences, rows, categories, unscored = {}, [], [], []
    for sequence in scores:
        found = {i: _object_row(sequence, i, include_ends) for i in sequence.objects}
        unscored += [f"{sequence.name}_{i}" for i, row in found.items() if row is None]
        objects = {i: row for i, row in found.items() if row is not None}
        if not objects:
            raise nothing_scored(sequence.name, sequence.num_frames, not sequence.last_is_scored)
        sequences[sequence.name] = {
            **_mean_row(list(objects.values())),
            "objects": {str(i): row for i, row in objects.items()},
        }
        rows += objects.values()
        categories += [sequence.categories.get(i) for i in objects]
    summary: dict[str, Any] = {"global": _mean_row(rows), "sequences": sequences}
    if unscored:
        summary["unscored"] = unscored
    if seen is not None:
        summary |= _by_class(rows, categories, seen)
    return summary


def nothing_scored(name: str, num_frames: int, without_last: bool = True) -> EvaluationError:
    """The error of a sequence without a frame to score; without_last: the protocol skips the last frame (DAVIS)."""
    skipped = "given masks and the last frame are" if without_last else "given masks are"
    frames = "1 frame" if num_frames == 1 else f"{num_frames} frames"
    return EvaluationError(
        f"sequence {name} has {frames}; {skipped} not scored, so none is left: give --include-ends to score them all"
    )


def _by_class(rows: list[dict[str, float]], categories: list[str | None], seen: Collection[str]) -> dict[str, Any]:
    parts = {
        "seen": [row for row, category in zip(rows, categories, strict=True) if category in seen],
        "unseen": [row for row, category in zip(rows, categories, strict=True) if category not in {None, *seen}],
    }
    found: dict[str, Any] = {name: {**_mean_row(part), "objects": len(part)} for name, part in parts.items() if part}
    if len(found) == len(parts):
        found["G"] = float(np.mean([found[name][f"{measure}-Mean"] for name in parts for measure in MEASURES]))
    if None in categories:
        found["without_class"] = categories.count(None)
    return found


def _object_row(sequence: SequenceScores, i: int, include_ends: bool) -> dict[str, float] | None:
    row: dict[str, float] = {}
    for measure, values in sequence.scored(i, include_ends).items():
        if not values:
            return None
        found = statistics(values)
        row |= {f"{measure}-Mean": found.mean, f"{measure}-Recall": found.recall, f"{measure}-Decay": found.decay}
    return {"J&F-Mean": (row["J-Mean"] + row["F-Mean"]) / 2, **row}


def _mean_row(rows: list[dict[str, float]]) -> dict[str, float]:
    return {column: float(np.mean([row[column] for row in rows])) for column in COLUMNS}
