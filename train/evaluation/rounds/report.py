"""The report of `vosforge-eval rounds` as one HTML page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from ..report_page.page import write_page
from ..report_page.parts import Bars, Chart, EvaluationPage, Strip, Table
from .correction import Frame, MethodScores, Round
from .pictures import rounds_picture

NUM_STRIPS = 8
HIGH_J = 0.8
"""An object with at least this J counts as well cut out."""


def write_rounds_report(
    path: Path,
    *,
    scores: Mapping[str, MethodScores],
    frames: Sequence[Frame],
    shown: Mapping[str, Mapping[int, Sequence[Round]]],
    facts: Mapping[str, str],
) -> Path:
    """Write the page and return its path. shown: label -> place in `frames` -> rounds, of the worst frames at least."""
    main = next(iter(scores))
    last = {label: found.means("J")[-1] for label, found in scores.items()}
    num_rounds = len(scores[main].strokes)
    page = EvaluationPage(
        title="Frames corrected in rounds",
        summary=(
            f"{len(frames)} frames with {len(scores[main].objects)} objects. In each of {num_rounds} rounds the robot "
            "scribbles on what is wrong and a method answers; J is the overlap of the regions, F the agreement of the "
            "boundaries."
        ),
        headline={f"J after {num_rounds} rounds, {label}": f"{value:.3f}" for label, value in last.items()},
        facts=facts,
        tables=[_table(scores), _objects(scores)],
        curves=_charts(scores),
        bars=[_bars(scores, main)],
        strips=_strips(scores[main], frames, shown, main),
    )
    return write_page(path, page)


def _table(scores: Mapping[str, MethodScores]) -> Table:
    rows = []
    for label, found in scores.items():
        columns = zip(found.means("J"), found.means("F"), found.shares_above(HIGH_J), found.strokes, strict=True)
        for number, (region, boundary, share, strokes) in enumerate(columns, 1):
            rows.append([label if number == 1 else "", number, region, boundary, round(100 * share), strokes])
    columns = ["method", "round", "J", "F", f"J >= {HIGH_J:g}, % of objects", "strokes a frame"]
    return Table(name="All objects, round by round", columns=columns, rows=rows)


def _objects(scores: Mapping[str, MethodScores]) -> Table:
    first = next(iter(scores.values())).objects
    order = sorted(range(len(first)), key=lambda k: first[k].J[-1])
    return Table(
        name="J of each object after the last round",
        columns=["sequence", "frame", "object", "pixels", *scores],
        rows=[
            [first[k].sequence, first[k].frame, str(first[k].object_id), first[k].area]
            + [found.objects[k].J[-1] for found in scores.values()]
            for k in order
        ],
        note="The worst of the first method stand first.",
    )


def _charts(scores: Mapping[str, MethodScores]) -> list[Chart]:
    def lines(values: Callable[[MethodScores], Sequence[float]]) -> dict[str, tuple[Sequence[float], Sequence[float]]]:
        found = {label: values(one) for label, one in scores.items()}
        return {label: (range(1, len(ys) + 1), ys) for label, ys in found.items()}

    drawn = {
        "J": lines(lambda one: one.means("J")),
        "F": lines(lambda one: one.means("F")),
        f"share of objects with J >= {HIGH_J:g}": lines(lambda one: one.shares_above(HIGH_J)),
    }
    return [
        Chart(name=f"{name[0].upper()}{name[1:]} after each round", x_label="round", y_label=name, lines=found)
        for name, found in drawn.items()
    ]


def _bars(scores: Mapping[str, MethodScores], main: str) -> Bars:
    means: dict[str, dict[str, float]] = {}
    for label, found in scores.items():
        regions: dict[str, list[float]] = {}
        for one in found.objects:
            regions.setdefault(one.sequence, []).append(one.J[-1])
        means[label] = {name: float(np.mean(values)) for name, values in regions.items()}
    worst_first = sorted(means[main], key=means[main].__getitem__)
    values = {label: {name: found[name] for name in worst_first} for label, found in means.items()}
    return Bars(name="J of each sequence after the last round", values=values, top=1.0, note=f"Lowest of {main} first.")


def _strips(
    scores: MethodScores, frames: Sequence[Frame], shown: Mapping[str, Mapping[int, Sequence[Round]]], main: str
) -> list[Strip]:
    regions: dict[tuple[str, str], list[float]] = {}
    for one in scores.objects:
        regions.setdefault((one.sequence, one.frame), []).append(one.J[-1])
    places = [(frame.sequence.name, frame.sequence.frame_names[frame.number]) for frame in frames]
    means = [float(np.mean(regions[place])) for place in places]
    strips = []
    for number in sorted(shown[main], key=means.__getitem__)[:NUM_STRIPS]:
        sequence, frame = places[number]
        caption = f"J {means[number]:.3f} after the last round of {main}"
        picture = rounds_picture({label: [(frames[number], found[number])] for label, found in shown.items()})
        strips.append(Strip(name=f"{sequence}, frame {frame}", caption=caption, picture=picture))
    return strips
