"""The page and the table of `vosforge-eval refine`: OSVOS from clicks, and its worst frame under more clicks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ....datagen.imaging.images import decode_jpeg
from ..report_page.page import write_page
from ..report_page.parts import Bars, Chart, EvaluationPage, Strip, Table
from .refinement import AFTER_REFINEMENT, FROM_CLICKS, FROM_TRUTH, SEGMENTATIONS, RefinementRow
from .refinement_work import strip_path
from .strips import num_clicks

if TYPE_CHECKING:
    import rich.table

NAMES = {
    "first_mask": "first frame's mask by clicks",
    FROM_TRUTH: "OSVOS from the true mask",
    FROM_CLICKS: "OSVOS from clicks",
    "worst": "its worst frame",
    AFTER_REFINEMENT: "OSVOS from both frames",
}
_SHORT = {FROM_TRUTH: "from truth", FROM_CLICKS: "from clicks", AFTER_REFINEMENT: "from both"}
PLACES = np.linspace(0, 1, 21)
"""Videos differ in length: their curves are averaged at these shares of it."""
_NOTE = (
    "Means over the objects. Published on DAVIS 2016 val: OSVOS from the true mask 0.838, from 8 clicks 0.806; its "
    "worst frame 0.504, after 1, 4 and 10 clicks 0.638, 0.757 and 0.822, by GrabCut 0.466, 0.535 and 0.688."
)


def write_refinement_page(
    out: Path, results: Mapping[str, Any], rows: Sequence[RefinementRow], num_pictures: int
) -> Path:
    """Write <out>/report.html; results: content of results.json; the strips that are shown lie below `out`."""
    dataset, settings, means = results["dataset"], results["settings"], results["means"]
    worst_first = sorted(rows, key=lambda row: (row.mean(FROM_CLICKS), row.name))
    page = EvaluationPage(
        title="Clicks, OSVOS and its worst frame",
        summary=(
            f"{settings['first_clicks']} clicks on the first frame make a mask, from which OSVOS learns the video; "
            "then the frame that is worst is clicked on, and OSVOS learns that one too. All numbers are J, the overlap "
            "of the regions."
        ),
        headline={f"J, {NAMES[name]}": f"{means[name]:.3f}" for name in SEGMENTATIONS},
        facts={
            "data": f"{dataset['root']}, {dataset['kind']}, split {dataset['split']}",
            "objects": f"{dataset['num_objects']} in {dataset['num_sequences']} sequences",
            **({"left out": ", ".join(dataset["left_out"])} if dataset["left_out"] else {}),
            "dense CRF": "behind the click network" if settings["crf"] else "none",
            "tuning": ", ".join(f"{name} {value}" for name, value in settings["tuning"].items()),
            "short side": str(settings["short_side"] or "as it is"),
            **{f"SHA-256 of {name}": value for name, value in settings["checkpoints_sha256"].items()},
        },
        tables=[
            Table(name="All objects", columns=["what", "J"], rows=_mean_rows(means), note=_NOTE),
            _object_table(worst_first),
        ],
        curves=[_clicks_chart(means), _frames_chart(rows)],
        bars=[_bars(worst_first)],
        strips=[_strip(out, row) for row in worst_first[:num_pictures]],
    )
    return write_page(out / "report.html", page)


def means_table(results: Mapping[str, Any]) -> rich.table.Table:
    """The means, for the terminal."""
    from rich.table import Table
    from rich.text import Text

    dataset = results["dataset"]
    counts = f"{dataset['num_sequences']} sequences, {dataset['num_objects']} objects"
    table = Table(title=Text(f"{dataset['root']}, {dataset['split']}: {counts}, mean J"), title_justify="left")
    table.add_column("what")
    table.add_column("J", justify="right")
    for name, value in _mean_rows(results["means"]):
        table.add_row(name, f"{value:.3f}")
    return table


def _mean_rows(means: Mapping[str, Any]) -> list[tuple[str, float]]:
    """In the order of the experiments."""
    refined = [
        (f"worst frame after {num_clicks(int(number))}, {method}", value)
        for method, by_count in means["refined"].items()
        for number, value in by_count.items()
    ]
    before = [(NAMES[name], means[name]) for name in ("first_mask", FROM_TRUTH, FROM_CLICKS, "worst")]
    return [*before, *refined, (NAMES[AFTER_REFINEMENT], means[AFTER_REFINEMENT])]


def _object_table(rows: Sequence[RefinementRow]) -> Table:
    refined = [(method, number) for method, by_count in rows[0].refined.items() for number in by_count]
    return Table(
        name="Objects",
        columns=[
            "object",
            "first mask",
            *(_SHORT[name] for name in SEGMENTATIONS),
            "worst frame",
            "J there",
            *(f"{method}, {number}" for method, number in refined),
        ],
        rows=[
            [
                row.name,
                row.first_mask,
                *(row.mean(name) for name in SEGMENTATIONS),
                row.worst_frame,
                row.worst,
                *(row.refined[method][number] for method, number in refined),
            ]
            for row in rows
        ],
        note=(
            "J of the first frame's clicked mask; of OSVOS from the true mask, from clicks and from both frames; in "
            "the worst frame, and there after so many clicks. Those worst from clicks stand first."
        ),
    )


def _clicks_chart(means: Mapping[str, Any]) -> Chart:
    lines = {
        method: ([0, *map(int, by_count)], [means["worst"], *by_count.values()])
        for method, by_count in means["refined"].items()
    }
    return Chart(name="The worst frame under clicks", x_label="clicks", y_label="J", lines=lines, y_range=(0, 1))


def _frames_chart(rows: Sequence[RefinementRow]) -> Chart:
    lines = {}
    for name in SEGMENTATIONS:
        curves = [np.interp(PLACES * row.frames[-1], row.frames, row.by_frame[name]) for row in rows]
        lines[NAMES[name]] = (100 * PLACES, np.mean(curves, axis=0))
    return Chart(
        name="J over the video", x_label="% of the frames", y_label="J", lines=lines, y_range=(0, 1), from_zero=True
    )


def _bars(rows: Sequence[RefinementRow]) -> Bars:
    values = {NAMES[name]: {row.name: row.mean(name) for row in rows} for name in SEGMENTATIONS}
    return Bars(name="J of each object", values=values, top=1.0)


def _strip(out: Path, row: RefinementRow) -> Strip:
    caption = f"J {row.mean(FROM_CLICKS):.3f} from clicks, {row.mean(AFTER_REFINEMENT):.3f} from both frames"
    return Strip(name=row.name, caption=caption, picture=decode_jpeg(strip_path(out, row).read_bytes()))
