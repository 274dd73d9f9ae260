"""Scores as files (full precision in JSON, the DAVIS benchmark's own CSVs) and as a table for the terminal."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ....datagen.storage.files import atomic_write
from ..scores import COLUMNS

SEQUENCE_COLUMNS = ("J-Mean", "F-Mean")
CLASSES = ("seen", "unseen")


def write_csvs(summary: Mapping[str, Any], folder: Path, split: str) -> list[Path]:
    """Write global_results-<split>.csv and per-sequence_results-<split>.csv as the DAVIS 2017 evaluation names them.

    summary: of `scores.summarise`. Rows of the second are <sequence>_<object id>. Returns both paths.
    """
    folder.mkdir(parents=True, exist_ok=True)
    overall = [[f"{summary['global'][column]:.3f}" for column in COLUMNS]]
    rows = [
        [f"{name}_{i}", *(f"{row[column]:.3f}" for column in SEQUENCE_COLUMNS)]
        for name, sequence in summary["sequences"].items()
        for i, row in sequence["objects"].items()
    ]
    paths = [folder / f"global_results-{split}.csv", folder / f"per-sequence_results-{split}.csv"]
    _write_csv(paths[0], COLUMNS, overall)
    _write_csv(paths[1], ("Sequence", *SEQUENCE_COLUMNS), rows)
    return paths


def _write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    atomic_write(path, text.getvalue().encode())


def print_tables(summaries: Mapping[str, Mapping[str, Any]], console: Console, title: str) -> None:
    """Print J, F and J&F of every method: overall with recall and decay, then sequence by sequence.

    summaries: method label -> summary of `scores.summarise`; seen and unseen classes apart where it tells them.
    """
    console.print(_overall_table(summaries, title))
    if any(kind in summary for summary in summaries.values() for kind in CLASSES):
        console.print(_classes_table(summaries))
    console.print(_sequence_table(summaries))
    unscored = list(dict.fromkeys(name for summary in summaries.values() for name in summary.get("unscored", ())))
    if unscored:
        console.print(f"no frame to score: {', '.join(unscored)}", highlight=False, markup=False)


def _overall_table(summaries: Mapping[str, Mapping[str, Any]], title: str) -> Table:
    table = Table(title=Text(title), title_justify="left")
    table.add_column("method")
    for column in COLUMNS:
        table.add_column(column.replace("-", "\n").lower().replace("j", "J").replace("f", "F"), justify="right")
    best = max(summary["global"]["J&F-Mean"] for summary in summaries.values())
    for label, summary in summaries.items():
        style = "bold" if len(summaries) > 1 and summary["global"]["J&F-Mean"] == best else None
        table.add_row(label, *(f"{summary['global'][column]:.3f}" for column in COLUMNS), style=style)
    return table


def _classes_table(summaries: Mapping[str, Mapping[str, Any]]) -> Table:
    """Objects of classes that the training data have, and of others (YouTube-VOS); G is the mean of J and F of both."""
    table = Table(title="classes of the training data, and others", title_justify="left")
    for column in ("method", "classes", "objects", "J", "F", "J&F", "G"):
        table.add_column(column, justify="left" if column in ("method", "classes") else "right")
    for label, summary in summaries.items():
        mean = f"{summary['G']:.3f}" if "G" in summary else ""
        for kind in CLASSES:
            if kind in summary:
                row = summary[kind]
                table.add_row(label, kind, str(row["objects"]), *_triple(row).split(), mean)
                label = mean = ""
    return table


def _sequence_table(summaries: Mapping[str, Mapping[str, Any]]) -> Table:
    """One row a sequence, J and F and J&F for each method; objects get their own rows where a sequence has several."""
    table = Table(title="each sequence: J, F, J&F", title_justify="left")
    table.add_column("sequence", no_wrap=True)
    for label in summaries:
        table.add_column(f"{label}\n  J     F    J&F")
    first = next(iter(summaries.values()))
    for name, sequence in first["sequences"].items():
        table.add_row(Text(name), *(_triple(summary["sequences"][name]) for summary in summaries.values()))
        if len(sequence["objects"]) > 1:
            for i in sequence["objects"]:
                rows = (summary["sequences"][name]["objects"][i] for summary in summaries.values())
                table.add_row(f"  object {i}", *map(_triple, rows), style="dim")
    table.add_section()
    table.add_row("all objects", *(_triple(summary["global"]) for summary in summaries.values()), style="bold")
    return table


def _triple(row: Mapping[str, float]) -> str:
    return f"{row['J-Mean']:.3f} {row['F-Mean']:.3f} {row['J&F-Mean']:.3f}"
