"""What a corpus will cost before it is made: time, bytes, core- or GPU-hours and money, from pilot clips."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .forecast import Interval, forecast_total
from .pilot import Pilot


@dataclass(frozen=True, kw_only=True)
class Prices:
    """What a node has and costs. gpu_share: GPUs that one worker holds. price_per_hour: of one node; None: not said."""

    cores_per_node: int
    gpus_per_node: int = 1
    gpu_share: float = 1.0
    price_per_hour: float | None = None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The forecast for `num_clips` clips of `num_frames` frames; every interval is a 90 % prediction interval.

    cpu_hours: processor time. wall_hours: of one worker, clip after clip, on a machine as free as the one that ran the
    pilots. node_hours: of full nodes (see `make_plan`). money: node_hours at the price, None without a price.
    """

    num_clips: int
    num_frames: int
    unit: str
    seconds_per_frame: float
    startup_seconds: float
    cpu_hours: Interval
    wall_hours: Interval
    unit_hours: Interval
    node_hours: Interval
    money: Interval | None
    gigabytes: Interval
    rejections: dict[str, int]
    devices: dict[str, int]
    peak_memory_bytes: int
    pilots: tuple[Pilot, ...]

    def as_json(self) -> dict[str, Any]:
        """Every field by its name."""
        return dataclasses.asdict(self)


def make_plan(pilots: Sequence[Pilot], num_clips: int, num_frames: int, prices: Prices) -> Plan:
    """Forecast `num_clips` clips from pilot clips of the same job; the formula is that of `forecast_total`.

    On the CPU the unit is the core-hour: processor time, which neighbours on a busy machine change little; a full node
    gives `cores_per_node` of them an hour. On a GPU the unit is the GPU-hour: wall-clock time times the share of a GPU
    that a worker holds; a full node gives `gpus_per_node`.
    """
    is_gpu = any(pilot.device != "cpu" for pilot in pilots)
    cpu = forecast_total([pilot.cpu_seconds for pilot in pilots], num_clips).scaled(1 / 3600)
    wall = forecast_total([pilot.wall_seconds for pilot in pilots], num_clips).scaled(1 / 3600)
    unit_hours = wall.scaled(prices.gpu_share) if is_gpu else cpu
    nodes = unit_hours.scaled(1 / (prices.gpus_per_node if is_gpu else prices.cores_per_node))
    per_frame = [pilot.wall_seconds_per_frame if is_gpu else pilot.cpu_seconds_per_frame for pilot in pilots]
    per_clip = [pilot.wall_seconds if is_gpu else pilot.cpu_seconds for pilot in pilots]
    seconds_per_frame = sum(per_frame) / len(per_frame)
    return Plan(
        num_clips=num_clips,
        num_frames=num_frames,
        unit="GPU-hours" if is_gpu else "core-hours",
        seconds_per_frame=seconds_per_frame,
        startup_seconds=max(0.0, sum(per_clip) / len(per_clip) - num_frames * seconds_per_frame),
        cpu_hours=cpu,
        wall_hours=wall,
        unit_hours=unit_hours,
        node_hours=nodes,
        money=None if prices.price_per_hour is None else nodes.scaled(prices.price_per_hour),
        gigabytes=forecast_total([pilot.bytes for pilot in pilots], num_clips).scaled(1e-9),
        rejections=dict(Counter(reason for pilot in pilots for reason in pilot.rejections).most_common()),
        devices=dict(Counter(pilot.device for pilot in pilots).most_common()),
        peak_memory_bytes=max(pilot.peak_memory_bytes for pilot in pilots),
        pilots=tuple(pilots),
    )
