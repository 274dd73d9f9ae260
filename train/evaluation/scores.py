"""Per-frame scores of every object, and their means as the DAVIS semi-supervised benchmark takes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .errors import EvaluationError
from .metrics import boundary_accuracy, region_similarity, statistics

MEASURES = ("J", "F")
COLUMNS = ("J&F-Mean", "J-Mean", "J-Recall", "J-Decay", "F-Mean", "F-Recall", "F-Decay")


@dataclass(frozen=True, kw_only=True)
class SequenceScores:
    """J and F of every frame of one sequence, first and last included.

    objects: object id -> {"J": [one value a frame], "F": [one value a frame]}. seconds: time spent on predicting.
    """

    name: str
    objects: dict[int, dict[str, list[float]]]
    seconds: float = 0.0

    @property
    def num_frames(self) -> int:
        return len(next(iter(self.objects.values()))["J"])

    def frame_means(self, measure: str) -> np.ndarray:
        """One value a frame, the mean over the objects: float64 (T,)."""
        return np.mean([values[measure] for values in self.objects.values()], axis=0)


def object_ids(first_truth: np.ndarray) -> list[int]:
    """The ids a method is given in the first mask, the only ones it is scored on: not those that appear later."""
    return [int(i) for i in np.unique(first_truth) if i > 0]


def score_frame(truth: np.ndarray, prediction: np.ndarray, ids: Sequence[int]) -> dict[int, tuple[float, float]]:
    """(J, F) of each object of one frame; truth and prediction are uint8 ids (H, W)."""
    scores = {}
    for i in ids:
        true_mask, predicted_mask = truth == i, prediction == i
        scores[i] = (region_similarity(true_mask, predicted_mask), boundary_accuracy(true_mask, predicted_mask))
    return scores


def summarise(scores: Sequence[SequenceScores], include_ends: bool = False) -> dict[str, Any]:
    """Means, recalls and decays: {"global": {...}, "sequences": {name: {..., "objects": {id: {...}}}}}.

    The first frame is given and the last skipped, as in the published protocol, unless `include_ends`. The global
    numbers are means over the objects of all sequences, a sequence's over its own. Keys are those of `COLUMNS`.
    """
    sequences, rows = {}, []
    for sequence in scores:
        objects = {str(i): _object_row(sequence, i, include_ends) for i in sequence.objects}
        sequences[sequence.name] = {**_mean_row(list(objects.values())), "objects": objects}
        rows += objects.values()
    return {"global": _mean_row(rows), "sequences": sequences}


def check_length(name: str, num_frames: int, include_ends: bool) -> None:
    """Raise EvaluationError for a sequence without a frame to score."""
    if num_frames < 3 and not include_ends:
        raise EvaluationError(
            f"sequence {name} has {num_frames} frames; the first and the last are not scored, so none is left: "
            "give --include-ends to score them all"
        )


def _object_row(sequence: SequenceScores, i: int, include_ends: bool) -> dict[str, float]:
    check_length(sequence.name, sequence.num_frames, include_ends)
    row = {}
    for measure in MEASURES:
        values = sequence.objects[i][measure]
        found = statistics(values if include_ends else values[1:-1])
        row |= {f"{measure}-Mean": found.mean, f"{measure}-Recall": found.recall, f"{measure}-Decay": found.decay}
    return {"J&F-Mean": (row["J-Mean"] + row["F-Mean"]) / 2, **row}


def _mean_row(rows: list[dict[str, float]]) -> dict[str, float]:
    return {column: float(np.mean([row[column] for row in rows])) for column in COLUMNS}
