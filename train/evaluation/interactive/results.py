"""The numbers of a run, system by system: plain JSON, the benchmark's own files, a table for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ....datagen.storage.files import atomic_write_json
from .distances import quality_by_distance
from .protocol import METRICS, ProtocolSettings
from .records import SampleRecord, write_csv
from .summary import summarise_session

if TYPE_CHECKING:
    from rich.table import Table


def system_results(records: Sequence[SampleRecord], settings: ProtocolSettings) -> dict[str, Any]:
    """Return a system's numbers as plain JSON.

    The summary in the benchmark's form, and that of each metric; the last quality of every sequence, mean over its
    sessions; mean quality by distance after the first propagation and at the end; and what was measured on this
    machine, whatever the clock.
    """
    first = next(k for k in range(1, settings.num_interactions + 1) if settings.propagates_after(k))
    sequences = list(dict.fromkeys(record.sequence for record in records))
    return {
        **summarise_session(records, settings, settings.metric),
        "by_metric": {metric: summarise_session(records, settings, metric) for metric in METRICS},
        "sequences": {
            name: {
                metric: float(np.mean([record.final(metric) for record in records if record.sequence == name]))
                for metric in METRICS
            }
            for name in sequences
        },
        "num_sessions": len(records),
        "timed_out": [record.name for record in records if record.timed_out],
        "seconds_per_round": _mean([one.seconds for record in records for one in record.interactions]),
        "J_by_distance": {
            "after_first_propagation": _distances(records, first),
            "at_the_end": _distances(records, None),
        },
        "measured": {
            "robot_seconds_per_session": _mean([record.robot_seconds for record in records]),
            "modules": module_times(records),
        },
    }


def module_times(records: Sequence[SampleRecord]) -> dict[str, dict[str, float | int | None]]:
    """Module -> seconds in all, pairs of a frame and an object, and seconds for one of them; {} where none is known."""
    found = {}
    for module in dict.fromkeys(name for record in records for name in record.module_seconds):
        pairs = [record.module_seconds[module] for record in records if module in record.module_seconds]
        seconds, count = sum(pair[0] for pair in pairs), sum(pair[1] for pair in pairs)
        if count:
            found[module] = {"seconds": seconds, "frame_objects": count, "seconds_per_frame_object": seconds / count}
    return found


def write_system(folder: Path, label: str, records: Sequence[SampleRecord], settings: ProtocolSettings) -> None:
    """Write summary.json and result.csv as the benchmark has them."""
    folder.mkdir(parents=True, exist_ok=True)
    atomic_write_json(folder / "summary.json", summarise_session(records, settings, settings.metric))
    write_csv(folder / "result.csv", records, label)


def results_table(results: Mapping[str, Mapping[str, Any]], settings: ProtocolSettings, title: str) -> Table:
    """One row a system: the area under the curve, its value at the threshold, and the last J and F."""
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    name, threshold = METRICS[settings.metric], f"{settings.threshold_seconds:g}"
    table.add_column("system")
    for column in (f"AUC {name}", f"{name}@{threshold} s", "last J", "last F", "s a round", "out of time"):
        table.add_column(column, justify="right")
    for label, found in results.items():
        last = {name: found["by_metric"][name]["curve"][name][-1] for name in ("J", "F")}
        seconds = found["seconds_per_round"]
        table.add_row(
            label,
            f"{found['auc']:.3f}",
            f"{found['metric_at_threshold'][settings.metric]:.3f}",
            f"{last['J']:.3f}",
            f"{last['F']:.3f}",
            "" if seconds is None else f"{seconds:.2f}",
            f"{len(found['timed_out'])} of {found['num_sessions']}",
        )
    return table


def _distances(records: Sequence[SampleRecord], num_interactions: int | None) -> dict[str, list]:
    found = quality_by_distance(records, "J", num_interactions)
    return {"frames": found.distances.tolist(), "J": found.values.tolist(), "count": found.counts.tolist()}


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if len(values) else None
