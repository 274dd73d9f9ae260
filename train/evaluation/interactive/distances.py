"""How good masks are at a distance from the frames that a user drew on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .protocol import Metric
from .records import SampleRecord


@dataclass(frozen=True, kw_only=True, eq=False)
class QualityByDistance:
    """Mean quality at each distance.

    distances: in frames, ascending, int (D,). values: float64 (D,) in [0, 1]. counts: int (D,), objects, each counted
    once for every frame in which it is scored.
    """

    distances: np.ndarray
    values: np.ndarray
    counts: np.ndarray


def quality_by_distance(
    records: Sequence[SampleRecord], metric: Metric, num_interactions: int | None = None
) -> QualityByDistance:
    """Return the quality after so many interactions (all without it), by distance from the nearest interacted frame.

    A session of fewer interactions counts with its last; one without any does not count.
    """
    found: dict[int, list[np.ndarray]] = defaultdict(list)
    for record in records:
        rounds = record.interactions[:num_interactions]
        if not rounds:
            continue
        drawn_on = np.array(record.interacted_frames(num_interactions))
        distances = np.abs(np.array(record.frames)[:, None] - drawn_on).min(axis=1)
        for distance, values in zip(distances.tolist(), rounds[-1].values(metric), strict=True):
            found[distance].append(values)
    distances = sorted(found)
    values = [np.concatenate(found[distance]) for distance in distances]
    return QualityByDistance(
        distances=np.array(distances, np.int64),
        values=np.array([one.mean() for one in values]),
        counts=np.array([one.size for one in values], np.int64),
    )
