"""The scores of clicks as a CSV with a row for each object, and as a table for the terminal."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....datagen.storage.files import atomic_write
from .protocol import ClicksSettings
from .scores import RunsOfMethods, clicks_to, target_name

if TYPE_CHECKING:
    from rich.console import Console

SHOWN_IOUS = (1, 3, 5, 10, 20)
"""Numbers of clicks whose mean IoU stands in tables."""


def write_csv(path: Path, runs: RunsOfMethods, settings: ClicksSettings) -> Path:
    """Write one row for each method, strategy and object: clicks to each target, whether reached, IoU click by click.

    IoU after a click that was not needed any more is left empty.
    """
    targets = [(target_name(target), target) for target in settings.targets]
    header = ["method", "strategy", "picture", "object", "area"]
    header += [column for name, _ in targets for column in (f"NoC@{name}", f"reached@{name}")]
    header += ["seconds"] + [f"IoU@{number}" for number in range(1, settings.max_clicks + 1)]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    for (label, strategy), some in runs.items():
        for run in some:
            found = [clicks_to(run, target, settings.max_clicks) for _, target in targets]
            row = [label, strategy, run.picture, run.object_id, run.area]
            row += [value for number, reached in found for value in (number, int(reached))]
            row.append(f"{sum(run.seconds):.3f}")
            row += [f"{iou:.6f}" for iou in run.ious] + [""] * (settings.max_clicks - len(run.ious))
            writer.writerow(row)
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, text.getvalue().encode())
    return path


def summary_columns(results: Mapping[str, Any]) -> list[str]:
    """The columns of `summary_rows`."""
    targets = [target_name(target) for target in results["settings"]["targets"]]
    max_clicks = results["settings"]["max_clicks"]
    ious = [f"IoU@{number}" for number in SHOWN_IOUS if number <= max_clicks]
    return [
        "method",
        "strategy",
        *(f"NoC@{name}" for name in targets),
        *(f"NoF@{name}" for name in targets),
        *ious,
        "s a click",
    ]


def summary_rows(results: Mapping[str, Any]) -> list[list[str | float | int]]:
    """One row for each method and strategy: clicks to the targets, failures, mean IoU, seconds."""
    targets = [target_name(target) for target in results["settings"]["targets"]]
    rows = []
    for label, method in results["methods"].items():
        for strategy, one in method["strategies"].items():
            row = [label, strategy, *(one[f"NoC@{name}"] for name in targets)]
            row += [one[f"NoF@{name}"] for name in targets]
            row += [one["mIoU"][number - 1] for number in SHOWN_IOUS if number <= len(one["mIoU"])]
            rows.append([*row, one["seconds_per_click"]])
    return rows


def print_table(results: Mapping[str, Any], console: Console) -> None:
    """Print the summary."""
    from rich.table import Table

    dataset = results["dataset"]
    split = f", {dataset['split']}" if dataset["split"] else ""
    counts = f"{dataset['num_pictures']} pictures, {dataset['num_objects']} objects"
    table = Table(title=f"{dataset['root']} ({dataset['layout']}{split}): {counts}", title_justify="left")
    columns = summary_columns(results)
    for column in columns:
        table.add_column(column, justify="left" if column in ("method", "strategy") else "right")
    for row in summary_rows(results):
        shown = zip(columns, row, strict=True)
        table.add_row(*(_text(column, value) for column, value in shown))
    console.print(table)


def _text(column: str, value: str | float | int) -> str:
    if isinstance(value, str | int):
        return str(value)
    return f"{value:.2f}" if column.startswith("NoC") else f"{value:.3f}"
