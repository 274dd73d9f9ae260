"""The page of an evaluation by clicks: tables, curves over clicks, histograms, and the worst objects."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..report_page.page import write_page
from ..report_page.parts import Bars, Chart, EvaluationPage, Table
from .objects import PictureSet
from .protocol import ClicksSettings
from .scores import RunsOfMethods, badness, clicks_to, iou_curve, target_name
from .strips import worst_strips
from .tables import SHOWN_IOUS, summary_columns, summary_rows

MAX_ROWS = 200
"""Rows of the table of objects; clicks.csv has them all."""
_SUMMARY = (
    "A simulated user clicks on the pictures, one click at a time, until the mask of an object is good. NoC is the "
    "mean number of clicks to an intersection over union; an object that never gets there counts the most there may "
    "be, and NoF counts these."
)


def write_clicks_page(
    out: Path,
    results: Mapping[str, Any],
    runs: RunsOfMethods,
    found: PictureSet,
    settings: ClicksSettings,
    num_pictures: int,
) -> Path:
    """Write <out>/report.html; results: content of results.json; the masks that are shown lie below `out`."""
    dataset = results["dataset"]
    labels = {key: f"{key[0]}, {key[1]}" for key in runs}
    columns = summary_columns(results)
    best = {column: "lowest" for column in columns if column.startswith("No")}
    best |= {column: "highest" for column in columns if column.startswith("IoU")}
    page = EvaluationPage(
        title=f"Number of clicks: {Path(found.root).name or found.root}",
        summary=_SUMMARY,
        headline=_headline(results, settings),
        facts={
            "pictures": f"{found.root}, {found.layout}" + (f", split {found.split}" if found.split else ""),
            "objects": f"{dataset['num_objects']} in {dataset['num_pictures']} pictures, of {found.min_area} pixels or "
            f"more; {'all objects of a picture as one' if found.which == 'union' else 'each by itself'}",
            "ends": _ends(settings),
            "methods are given": f"{settings.start} mask, {settings.clicks} clicks",
            "seed": str(settings.seed),
            **{f"method {label}": _identity(method) for label, method in results["methods"].items()},
        },
        tables=[
            Table(name="Clicks to a target", columns=columns, rows=summary_rows(results), best=best),
            _object_table(runs, labels, settings),
        ],
        curves=[_iou_chart(runs, labels, settings), *_reached_charts(runs, labels, settings)],
        bars=[*_histograms(runs, labels, settings), *_group_bars(runs, labels, settings)],
        strips=worst_strips(out, runs, found, settings, num_pictures),
    )
    return write_page(out / "report.html", page)


def _headline(results: Mapping[str, Any], settings: ClicksSettings) -> dict[str, str]:
    """Of the first method and strategy."""
    label, method = next(iter(results["methods"].items()))
    strategy, one = next(iter(method["strategies"].items()))
    return {
        f"NoC@{name}, {label}, {strategy}": f"{one[f'NoC@{name}']:.2f}" for name in map(target_name, settings.targets)
    }


def _ends(settings: ClicksSettings) -> str:
    if settings.all_clicks:
        return f"after {settings.max_clicks} clicks, or when nothing is wrong"
    target = target_name(max(settings.targets))
    return f"at {target} % or after {settings.max_clicks} clicks; curves keep the value at the end"


def _identity(method: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in method.items() if name != "strategies" and value is not None)


def _iou_chart(runs: RunsOfMethods, labels: Mapping, settings: ClicksSettings) -> Chart:
    numbers = list(range(1, settings.max_clicks + 1))
    lines = {
        labels[key]: (numbers, np.mean([iou_curve(run, settings.max_clicks) for run in some], axis=0).tolist())
        for key, some in runs.items()
    }
    legend = {label: ys[-1] for label, (_, ys) in lines.items()}
    return Chart(name="Mean IoU", x_label="clicks", y_label="mean IoU", lines=lines, y_range=(0, 1), legend=legend)


def _reached_charts(runs: RunsOfMethods, labels: Mapping, settings: ClicksSettings) -> list[Chart]:
    """For each target the share of the objects that have reached it."""
    numbers = np.arange(1, settings.max_clicks + 1)
    charts = []
    for target in settings.targets:
        lines = {}
        for key, some in runs.items():
            found = [clicks_to(run, target, settings.max_clicks) for run in some]
            first = np.array([number if reached else np.inf for number, reached in found])
            lines[labels[key]] = (numbers.tolist(), (first[None] <= numbers[:, None]).mean(axis=1).tolist())
        name = f"Objects at {target_name(target)} % IoU"
        charts.append(Chart(name=name, x_label="clicks", y_label="share of objects", lines=lines, y_range=(0, 1)))
    return charts


def _histograms(runs: RunsOfMethods, labels: Mapping, settings: ClicksSettings) -> list[Bars]:
    """For each target how many objects took how many clicks."""
    bars = []
    for target in settings.targets:
        values = {}
        for key, some in runs.items():
            found = [clicks_to(run, target, settings.max_clicks) for run in some]
            counts = {str(number): 0 for number in range(1, settings.max_clicks + 1)} | {"never": 0}
            for number, reached in found:
                counts[str(number) if reached else "never"] += 1
            values[labels[key]] = counts
        name = f"Objects by number of clicks to {target_name(target)} % IoU"
        bars.append(Bars(name=name, values=values, histogram=True))
    return bars


def _group_bars(runs: RunsOfMethods, labels: Mapping, settings: ClicksSettings) -> list[Bars]:
    """Mean number of clicks to the highest target, by sequence, or by picture where there is none."""
    target = max(settings.targets)
    values = {}
    for key, some in runs.items():
        groups = defaultdict(list)
        for run in some:
            groups[run.picture.rpartition("/")[0] or run.picture].append(clicks_to(run, target, settings.max_clicks)[0])
        values[labels[key]] = {name: float(np.mean(numbers)) for name, numbers in groups.items()}
    name = f"Clicks to {target_name(target)} % IoU, one by one"
    return [Bars(name=name, values=values, top=settings.max_clicks, note="Means over the objects; fewer is better.")]


def _object_table(runs: RunsOfMethods, labels: Mapping, settings: ClicksSettings) -> Table:
    """One row an object and method, those that took most clicks first."""
    targets = [(f"NoC@{target_name(target)}", target) for target in settings.targets]
    ious = [number for number in SHOWN_IOUS if number <= settings.max_clicks]
    rows = []
    for key, some in runs.items():
        for run in some:
            found = [clicks_to(run, target, settings.max_clicks) for _, target in targets]
            curve = iou_curve(run, settings.max_clicks)
            clicks = [number if reached else "never" for number, reached in found]
            rows.append(
                (badness(run, settings), [run.name, labels[key], *clicks, *(float(curve[n - 1]) for n in ious)])
            )
    rows.sort(key=lambda pair: pair[0])
    note = f"The {MAX_ROWS} that took most; clicks.csv has all {len(rows)}." if len(rows) > MAX_ROWS else ""
    return Table(
        name="Objects",
        columns=["object", "method", *(name for name, _ in targets), *(f"IoU@{number}" for number in ious)],
        rows=[row for _, row in rows[:MAX_ROWS]],
        note=note,
    )
