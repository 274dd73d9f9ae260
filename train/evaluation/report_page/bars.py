"""Bars by sequence or by bin: rows of text and coloured boxes, which stay readable on a phone."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from ...report.figures import LegendEntry, legend_list
from ...report.line_chart import NUM_COLOURS
from .decimals import MISSING, plain, written
from .parts import Bars

# More rows are folded away: a set of 500 videos has a page of its own length.
MAX_OPEN_ROWS = 60


def bars_figure(bars: Bars) -> str:
    """Return a title, a legend where there are several labels, and one row of bars each; "" without a row."""
    rows = list(dict.fromkeys(row for values in bars.values.values() for row in values))
    if not rows:
        return ""
    values = {label: {row: plain(value) for row, value in found.items()} for label, found in bars.values.items()}
    numbers = [value for found in values.values() for value in found.values() if value is not None]
    top = bars.top or (1.0 if max(numbers, default=0) <= 1 else float(max(numbers)))
    texts = dict(zip(numbers, written(numbers), strict=True))
    drawn = [_row(row, values, top, texts) for row in rows]
    legend = [LegendEntry(label=label, colour=colour) for colour, label in enumerate(bars.values)]
    note = f'<p class="soft">{escape(bars.note)}</p>' if bars.note else ""
    name = "bars histogram" if bars.histogram else "bars"
    shown = f'<div class="{name}">{"".join(drawn[:MAX_OPEN_ROWS])}</div>'
    if len(drawn) > MAX_OPEN_ROWS:
        rest = "".join(drawn[MAX_OPEN_ROWS:])
        more = f"<summary>{len(drawn) - MAX_OPEN_ROWS} more</summary>"
        shown += f'<details>{more}<div class="{name}">{rest}</div></details>'
    colours = f'<div class="chart bare">{legend_list(legend)}</div>' if len(legend) > 1 else ""
    return f"<h3>{escape(bars.name)}</h3>{note}{colours}{shown}\n"


def _row(row: str, values: Mapping[str, Mapping[str, float | None]], top: float, texts: Mapping[float, str]) -> str:
    drawn = []
    for colour, (label, found) in enumerate(values.items()):
        value = found.get(row)
        share = 0.0 if value is None else min(max(value / top, 0.0), 1.0)
        text = MISSING if value is None else texts[value]
        pale = " pale" if colour >= NUM_COLOURS else ""
        drawn.append(
            f'<div class="bar{pale}" title="{escape(f"{row}, {label}: {text}", quote=True)}">'
            f'<i style="--c: var(--line-{colour % NUM_COLOURS}); --share: {share:.3f}"></i><b>{text}</b></div>'
        )
    return f'<div class="row"><span>{escape(row)}</span><div>{"".join(drawn)}</div></div>'
