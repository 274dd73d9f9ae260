"""The HTML page of a run: a table of the systems, curves against time, rounds and distance, the worst sessions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ....datagen.imaging.images import decode_jpeg
from ..report_page.page import write_page
from ..report_page.parts import Bars, Chart, EvaluationPage, Strip, Table
from .job import strip_path
from .protocol import METRICS, ProtocolSettings
from .records import SampleRecord
from .systems import ORACLE

MIN_COUNT_SHARE = 0.01
"""Distances with fewer objects than this share of all are left out of the chart: their means are noise."""


def write_report(
    out: Path,
    results: Mapping[str, Mapping[str, Any]],
    records: Mapping[str, Sequence[SampleRecord]],
    settings: ProtocolSettings,
    facts: Mapping[str, str],
    num_pictures: int,
) -> Path:
    """Write out/report.html; num_pictures: the worst sessions of each system that are shown. Returns the path."""
    metric = METRICS[settings.metric]
    played = [label for label in results if not label.startswith(ORACLE)] or list(results)
    best = max(played, key=lambda label: results[label]["auc"])
    threshold = results[best]["metric_at_threshold"]
    page = EvaluationPage(
        title="Interactive segmentation",
        summary=(
            f"A robot draws scribbles in {settings.num_interactions} rounds; each system answers, and the quality of "
            "all frames is measured against time."
        ),
        headline={
            "best system": best,
            f"AUC {metric}": f"{results[best]['auc']:.3f}",
            f"{metric} at {threshold['threshold']:g} s": f"{threshold[settings.metric]:.3f}",
        },
        facts=facts,
        tables=[_systems_table(results, settings), _modules_table(results)],
        curves=_charts(results, settings),
        bars=[_bars(results, settings)],
        strips=[
            strip for label, found in records.items() for strip in _worst(out, label, found, settings, num_pictures)
        ],
    )
    return write_page(out / "report.html", page)


def _bars(results: Mapping[str, Mapping[str, Any]], settings: ProtocolSettings) -> Bars:
    """The last quality of each sequence, the worst on top."""
    values = {
        label: {name: row[settings.metric] for name, row in found["sequences"].items()}
        for label, found in results.items()
    }
    names = sorted(next(iter(values.values())), key=lambda name: np.mean([found[name] for found in values.values()]))
    return Bars(
        name=f"{METRICS[settings.metric]} after the last round, by sequence",
        values={label: {name: found[name] for name in names} for label, found in values.items()},
        top=1.0,
    )


def _systems_table(results: Mapping[str, Mapping[str, Any]], settings: ProtocolSettings) -> Table:
    metric = METRICS[settings.metric]
    area, at = f"AUC {metric}", f"{metric} at {settings.threshold_seconds:g} s"
    rows = [
        [
            label,
            found["auc"],
            found["metric_at_threshold"][settings.metric],
            *(found["by_metric"][name]["auc"] for name in ("J", "F")),
            *(found["by_metric"][name]["curve"][name][-1] for name in ("J", "F")),
            found["seconds_per_round"],
            len(found["timed_out"]),
        ]
        for label, found in results.items()
    ]
    columns = ["system", area, at, "AUC J", "AUC F", "last J", "last F", "seconds a round", "out of time"]
    return Table(
        name="Systems",
        columns=columns,
        rows=rows,
        best={area: "highest", at: "highest", "last J": "highest", "last F": "highest"},
        note=(
            "AUC is the area under the curve up to the time limit, as a share of it; oracle systems are given true "
            'masks instead of scribbles. What seconds are: see "clock" at the end.'
        ),
    )


def _modules_table(results: Mapping[str, Mapping[str, Any]]) -> Table:
    measured = {label: found["measured"] for label, found in results.items()}
    rows = [
        [label, module, 1000 * times["seconds_per_frame_object"], times["frame_objects"]]
        for label, found in measured.items()
        for module, times in found["modules"].items()
    ]
    robot = [found["robot_seconds_per_session"] for found in measured.values()]
    return Table(
        name="Time of each module",
        columns=["system", "module", "ms for an object of a frame", "objects of all frames"],
        rows=rows,
        note=(
            "Published for MiVOS at 480p on an RTX 2080 Ti: s2m 29 ms, propagation 44, fusion 9. Tuning (OSVOS) is for "
            f"one object and one time. The robot took {min(robot):.2g} to {max(robot):.2g} s a session."
        ),
    )


def _charts(results: Mapping[str, Mapping[str, Any]], settings: ProtocolSettings) -> list[Chart]:
    metric = METRICS[settings.metric]
    curves = {label: found["curve"] for label, found in results.items()}
    # The curve is flat from the last round to the limit, minutes later; what happens before is to be seen.
    shown = max(settings.threshold_seconds, *(curve["time"][-2] for curve in curves.values()))
    against_time = {}
    for label, curve in curves.items():
        end = min(shown, curve["time"][-1])
        against_time[label] = ([*curve["time"][:-1], end], curve[settings.metric])
    rounds = list(range(1, settings.num_interactions + 1))
    charts = [
        Chart(
            name=f"{metric} against time",
            x_label="seconds",
            y_label=metric,
            lines=against_time,
            y_range=(0, 1),
            legend={label: found["auc"] for label, found in results.items()},
            from_zero=True,
        ),
        Chart(
            name=f"{metric} against rounds",
            x_label="round",
            y_label=metric,
            lines={label: (rounds, curve[settings.metric][1:-1]) for label, curve in curves.items()},
            y_range=(0, 1),
        ),
    ]
    for key, name in (("after_first_propagation", "the first propagation"), ("at_the_end", "the last round")):
        charts.append(
            Chart(
                name=f"J by distance, after {name}",
                x_label="frames from the nearest drawn one",
                y_label="J",
                lines={label: _well_counted(found["J_by_distance"][key]) for label, found in results.items()},
                y_range=(0, 1),
                from_zero=True,
            )
        )
    return charts


def _well_counted(found: Mapping[str, Sequence[float]]) -> tuple[list[float], list[float]]:
    least = MIN_COUNT_SHARE * sum(found["count"])
    kept = [k for k, count in enumerate(found["count"]) if count >= least]
    return [found["frames"][k] for k in kept], [found["J"][k] for k in kept]


def _worst(
    out: Path, label: str, records: Sequence[SampleRecord], settings: ProtocolSettings, count: int
) -> list[Strip]:
    order = np.argsort([record.final(settings.metric) for record in records], kind="stable")[:count]
    strips = []
    for k in order:
        record = records[k]
        drawn = ", ".join(map(str, record.interacted_frames()))
        strips.append(
            Strip(
                name=f"{record.name}, {label}",
                caption=(
                    f"{METRICS[settings.metric]} {record.final(settings.metric):.3f} after {len(record.interactions)} "
                    f"rounds, drawn on: {drawn}{'; out of time' if record.timed_out else ''}"
                ),
                picture=decode_jpeg(strip_path(out, label, record.name).read_bytes()),
            )
        )
    return strips
