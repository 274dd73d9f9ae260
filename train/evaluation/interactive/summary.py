"""The benchmark's summary of sessions: a curve of quality against time, the area under it, and its value at 60 s.

Source: DAVIS interactive benchmark, evaluation service. K interactions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .protocol import Metric, ProtocolSettings
from .records import SampleRecord


@dataclass(frozen=True, kw_only=True, eq=False)
class Curve:
    """Quality against time: seconds and values, float64 (K + 2,) each, from the start to the end of the time given."""

    seconds: np.ndarray
    values: np.ndarray

    def area(self) -> float:
        """The area under the curve over the time given, so in [0, 1]; 0 without time."""
        span = self.seconds[-1]
        if not span > 0:
            return 0.0
        return float((np.diff(self.seconds) * (self.values[1:] + self.values[:-1]) / 2).sum() / span)

    def at(self, seconds: float) -> float:
        """The value at a time, interpolated linearly."""
        return float(np.interp(seconds, self.seconds, self.values))


def quality_curve(records: Sequence[SampleRecord], settings: ProtocolSettings, metric: Metric) -> Curve:
    """Return the curve over all sessions.

    Every object weighs the same, so a sequence of more objects weighs more; a round that did not happen has the value
    of the one before (0 before the first) and takes no time. The curve starts at (0, 0) and keeps its last value until
    the mean time limit of the sessions; without a limit, until all rounds have taken as long as the longest one.
    ValueError without a session.
    """
    if not records:
        raise ValueError("no session to summarise; give at least one record")
    per_object = np.concatenate([_object_curves(record, settings.num_interactions, metric) for record in records])
    values = per_object.mean(axis=0)
    taken = np.array([_round_seconds(record, settings.num_interactions) for record in records])
    limit = settings.time_limit(float(np.mean([len(record.object_ids) for record in records])))
    if limit is None:
        limit = settings.num_interactions * float(taken.max())
    return end_curve(np.cumsum(taken.mean(axis=0)), values, limit)


def end_curve(seconds: np.ndarray, values: np.ndarray, limit: float) -> Curve:
    """Return the curve of rounds that ended after these seconds, float64 (K,) both, with the benchmark's two ends."""
    return Curve(
        seconds=np.concatenate([[0.0], seconds, [limit]]),
        values=np.concatenate([[0.0], values, values[-1:]]),
    )


def summarise_session(records: Sequence[SampleRecord], settings: ProtocolSettings, metric: Metric) -> dict[str, Any]:
    """Return the summary in the benchmark's own form: auc, metric_at_threshold and curve."""
    return curve_summary(quality_curve(records, settings, metric), settings.threshold_seconds, metric)


def curve_summary(curve: Curve, threshold_seconds: float, metric: Metric) -> dict[str, Any]:
    """Return the benchmark's summary of a curve."""
    threshold = int(threshold_seconds) if float(threshold_seconds).is_integer() else threshold_seconds
    return {
        "auc": curve.area(),
        "metric_at_threshold": {"threshold": threshold, metric: curve.at(threshold_seconds)},
        "curve": {"time": curve.seconds.tolist(), metric: curve.values.tolist()},
    }


def _object_curves(record: SampleRecord, num_interactions: int, metric: Metric) -> np.ndarray:
    """The mean over the frames, float64 (N, K), rounds that did not happen filled with the one before."""
    found = [one.values(metric).mean(axis=0) for one in record.interactions]
    last = found[-1] if found else np.zeros(len(record.object_ids))
    return np.stack(found + [last] * (num_interactions - len(found)), axis=1)


def _round_seconds(record: SampleRecord, num_interactions: int) -> list[float]:
    seconds = [one.seconds for one in record.interactions]
    return seconds + [0.0] * (num_interactions - len(seconds))
