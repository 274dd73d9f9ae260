"""What N clips will cost, from a few that were measured: totals with prediction intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

CONFIDENCE = 0.90


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A forecast of a sum: the expected value, and what it lies between with probability CONFIDENCE."""

    expected: float
    low: float
    high: float

    def scaled(self, factor: float) -> Interval:
        """The same forecast in another unit."""
        return Interval(expected=self.expected * factor, low=self.low * factor, high=self.high * factor)


def forecast_total(costs: Sequence[float], num_clips: int, confidence: float = CONFIDENCE) -> Interval:
    """Prediction interval for the summed cost of `num_clips` new clips, given the costs of k pilot clips.

    With mean m and standard deviation s of the k costs, the sum of N further ones is N m, within

        t(k - 1, (1 + confidence) / 2) * s * sqrt(N + N^2 / k)

    where N is the clip-to-clip variance of the sum and N^2 / k what is not known of the mean (Student's t prediction
    interval for a sum of N, of which N = 1 is the textbook case). Costs are taken as independent, of one distribution.
    One pilot gives no interval: ValueError. The low end is never below 0.
    """
    k = len(costs)
    if k < 2:
        raise ValueError(f"{k} pilot clips say nothing about the spread; at least 2 are needed")
    if num_clips < 1:
        raise ValueError(f"num_clips is {num_clips}, it must be at least 1")
    from scipy.stats import t

    mean = sum(costs) / k
    deviation = math.sqrt(sum((cost - mean) ** 2 for cost in costs) / (k - 1))
    margin = float(t.ppf((1 + confidence) / 2, k - 1)) * deviation * math.sqrt(num_clips + num_clips**2 / k)
    expected = num_clips * mean
    return Interval(expected=expected, low=max(0.0, expected - margin), high=expected + margin)


def extrapolate(short: tuple[int, float], long: tuple[int, float], num_frames: int) -> tuple[float, float]:
    """(cost of a clip of `num_frames`, cost of one frame) from two lengths of it, each (frames, cost).

    The line through both: what starting Blender and building the scene costs is the same for any length.
    """
    (short_frames, short_cost), (long_frames, long_cost) = short, long
    if long_frames <= short_frames:
        return long_cost, long_cost / long_frames
    per_frame = max(0.0, (long_cost - short_cost) / (long_frames - short_frames))
    return long_cost + (num_frames - long_frames) * per_frame, per_frame
