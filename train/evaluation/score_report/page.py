"""The report of semi-supervised scores as one HTML page: tables, J&F over the frames, bars, the worst cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import EvaluationError
from ..pictures import ReadPrediction, evenly_spaced, strip
from ..report_page.page import write_page
from ..report_page.parts import Bars, Chart, EvaluationPage, Strip, Table
from ..scores import COLUMNS, SequenceScores
from ..sequences import AnnotatedSequence, SequenceSet
from .numbers import CLASSES

NUM_CHARTS = 30
NUM_STRIPS = 8
# A strip with more rows shows each frame too small.
MAX_STRIP_METHODS = 4
STRIP_FRAMES = 4
STRIP_TILE_WIDTH = 290
NOTHING = np.full((8, 640, 3), 200, np.uint8)
MEASURE = "J&F-Mean"
# Sequences differ in length: their curves are averaged at these shares of it.
PLACES = np.linspace(0, 1, 21)

Scores = Mapping[str, Sequence[SequenceScores]]
Summaries = Mapping[str, Mapping[str, Any]]


def write_score_report(
    path: Path,
    *,
    title: str,
    chosen: SequenceSet,
    scores: Scores,
    summaries: Summaries,
    read_prediction: ReadPrediction,
    facts: Mapping[str, str],
    include_ends: bool = False,
    extra: Mapping[str, Mapping[str, float | None]] | None = None,
) -> Path:
    """Write the page of one or more methods and return its path; the first method decides what the worst cases are.

    scores: label -> the scores of each sequence of `chosen`, in order. summaries: label -> `scores.summarise` of them.
    include_ends: as of `summarise`; curves and strips show the frames that count. extra: further columns of the overall
    table, column -> label -> number.
    """
    main = next(iter(summaries))
    unscored, num = summaries[main].get("unscored", ()), summaries[main].get("without_class")
    without_class = {"objects without a class": f"{num}, neither seen nor unseen"} if num else {}
    worst = sorted(summaries[main]["sequences"], key=lambda name: summaries[main]["sequences"][name][MEASURE])
    by_name = {
        name: {label: found[k].counted(include_ends) for label, found in scores.items()}
        for k, name in enumerate(_names(chosen))
    }
    page = EvaluationPage(
        title=title,
        summary=_summary(chosen, summaries[main]),
        headline=_headline(main, summaries),
        facts={**facts, **({"no frame to score": ", ".join(unscored)} if unscored else {}), **without_class},
        tables=_tables(summaries, worst, extra or {}),
        curves=_charts(by_name, worst, summaries),
        bars=[_bars(summaries, worst)],
        strips=_strips(chosen, by_name, worst, summaries[main], read_prediction),
    )
    return write_page(path, page)


def _names(chosen: SequenceSet) -> list[str]:
    return [sequence.name for sequence in chosen.sequences]


def _summary(chosen: SequenceSet, summary: Mapping[str, Any]) -> str:
    num_objects = sum(len(sequence["objects"]) for sequence in summary["sequences"].values())
    num_frames = sum(sequence.num_frames for sequence in chosen.sequences)
    return (
        f"{len(chosen.sequences):,} sequences with {num_frames:,} frames and {num_objects:,} objects. J is the overlap "
        "of the regions, F the agreement of the boundaries, J&F their mean; the worst sequences stand first."
    )


def _headline(main: str, summaries: Summaries) -> dict[str, str]:
    of = f" of {main}" if len(summaries) > 1 else ""
    row = summaries[main]["global"]
    return {f"{name}{of}": f"{row[f'{name}-Mean']:.3f}" for name in ("J&F", "J", "F")}


def _tables(summaries: Summaries, worst: Sequence[str], extra: Mapping[str, Mapping[str, float | None]]) -> list[Table]:
    best = {name: "lowest" if name.endswith("Decay") else "highest" for name in COLUMNS}
    rows = [
        [label, *(summary["global"][name] for name in COLUMNS), *(column.get(label) for column in extra.values())]
        for label, summary in summaries.items()
    ]
    tables = [Table(name="All objects", columns=["method", *COLUMNS, *extra], rows=rows, best=best)]
    tables += _classes_tables(summaries)
    tables.append(
        Table(
            name="Sequences",
            columns=["sequence", "objects", *_columns_of_methods(summaries)],
            rows=[
                [
                    name,
                    len(next(iter(summaries.values()))["sequences"][name]["objects"]),
                    *_measures(summaries, lambda summary, name=name: summary["sequences"][name]),
                ]
                for name in worst
            ],
        )
    )
    objects = [
        (name, i)
        for name in worst
        for i in next(iter(summaries.values()))["sequences"][name]["objects"]
        if len(next(iter(summaries.values()))["sequences"][name]["objects"]) > 1
    ]
    tables.append(
        Table(
            name="Objects of sequences with several",
            columns=["sequence", "object", *_columns_of_methods(summaries)],
            rows=[
                [name, i, *_measures(summaries, lambda summary, n=name, i=i: summary["sequences"][n]["objects"][i])]
                for name, i in objects
            ],
        )
    )
    return tables


def _classes_tables(summaries: Summaries) -> list[Table]:
    """Seen and unseen classes apart, where the layout tells them."""
    rows = [
        [label, kind, summary[kind]["objects"], *(summary[kind][name] for name in COLUMNS)]
        for label, summary in summaries.items()
        for kind in CLASSES
        if kind in summary
    ]
    means = [f"{label} {summary['G']:.3f}" for label, summary in summaries.items() if "G" in summary]
    return [
        Table(
            name="Classes seen in training, and others",
            columns=["method", "classes", "objects", *COLUMNS],
            rows=rows,
            note=f"G, the mean of J and F of both: {', '.join(means)}." if means else "",
        )
    ]


def _columns_of_methods(summaries: Summaries) -> list[str]:
    return ["J", "F", "J&F"] if len(summaries) == 1 else [f"J&F, {label}" for label in summaries]


def _measures(summaries: Summaries, row_of) -> list[float]:
    names = ("J", "F", "J&F") if len(summaries) == 1 else ("J&F",)
    return [row_of(summary)[f"{name}-Mean"] for summary in summaries.values() for name in names]


def _charts(
    by_name: Mapping[str, Mapping[str, SequenceScores]], worst: Sequence[str], summaries: Summaries
) -> list[Chart]:
    charts = []
    if len(by_name) > 1:
        lines = {
            label: (100 * PLACES, np.nanmean([_at_places(found[label]) for found in by_name.values()], axis=0))
            for label in summaries
        }
        charts.append(
            Chart(name="Mean of all sequences", x_label="% of the frames", y_label="J&F", lines=lines, y_range=(0, 1))
        )
    for name in worst[:NUM_CHARTS]:
        lines = {label: (found.frames, _per_frame(found)) for label, found in by_name[name].items()}
        means = {label: summary["sequences"][name][MEASURE] for label, summary in summaries.items()}
        charts.append(
            Chart(name=name, x_label="frame", y_label="J&F", lines=lines, y_range=(0, 1), legend=means, from_zero=True)
        )
    return charts


def _per_frame(scores: SequenceScores) -> np.ndarray:
    """J&F of each scored frame, the mean over the objects: float64 (T,)."""
    return (scores.frame_means("J") + scores.frame_means("F")) / 2


def _at_places(scores: SequenceScores) -> np.ndarray:
    frames, values = np.asarray(scores.frames, np.float64), _per_frame(scores)
    known = np.isfinite(values)
    if not known.any():
        return np.full(len(PLACES), np.nan)
    return np.interp(PLACES * (scores.num_frames - 1), frames[known], values[known])


def _bars(summaries: Summaries, worst: Sequence[str]) -> Bars:
    values = {
        label: {name: summary["sequences"][name][MEASURE] for name in worst} for label, summary in summaries.items()
    }
    return Bars(name="J&F of each sequence", values=values, top=1.0)


def _strips(
    chosen: SequenceSet,
    by_name: Mapping[str, Mapping[str, SequenceScores]],
    worst: Sequence[str],
    summary: Mapping[str, Any],
    read_prediction: ReadPrediction,
) -> list[Strip]:
    sequences = {sequence.name: sequence for sequence in chosen.sequences}
    strips = []
    for name in worst[:NUM_STRIPS]:
        shown = dict(list(by_name[name].items())[:MAX_STRIP_METHODS])
        frames = _frames_to_show(sequences[name], next(iter(shown.values())))
        try:
            picture = np.asarray(strip(sequences[name], shown, read_prediction, frames, STRIP_TILE_WIDTH))
        except EvaluationError as error:
            # Masks can be scored without the frames themselves: one that is broken costs its picture, not the scores.
            strips.append(Strip(name=name, caption=f"no picture: {error}", picture=NOTHING))
            continue
        caption = f"J&F {summary['sequences'][name][MEASURE]:.3f}; the worst frame is among those shown"
        strips.append(Strip(name=name, caption=caption, picture=picture))
    return strips


def _frames_to_show(sequence: AnnotatedSequence, scores: SequenceScores) -> list[int]:
    """The worst frame, and others evenly spaced."""
    frames, values, first = scores.frames, _per_frame(scores), sequence.annotated_frames[0]
    ranked = sorted((value, t) for t, value in zip(frames, values, strict=True) if t != first and np.isfinite(value))
    shown = evenly_spaced(frames, STRIP_FRAMES, without=first)
    if not ranked or ranked[0][1] in shown:
        return shown
    worst = ranked[0][1]
    nearest = min(shown, key=lambda t: abs(t - worst))
    return sorted({*shown, worst} - {nearest})
