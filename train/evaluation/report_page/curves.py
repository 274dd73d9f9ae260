"""Charts of an evaluation's page, drawn as those of a run's page are."""

from __future__ import annotations

import math

from ...report.figures import LegendEntry, chart_figure
from ...report.line_chart import Line, line_chart
from .decimals import written
from .parts import Chart

# So few points are measures of their own and are marked; more are a curve.
MAX_MARKED = 24


def chart(chart: Chart) -> str:
    """Return a <figure> of the lines; "" without a finite point."""
    lines = []
    for colour, (label, (xs, ys)) in enumerate(chart.lines.items()):
        points = [(float(x), float(y)) for x, y in zip(xs, ys, strict=True) if math.isfinite(x) and math.isfinite(y)]
        if points:
            dots = len(points) <= MAX_MARKED
            lines.append(Line(label=label, points=points, colour=colour, dots=dots, noisy=False))
    if not lines:
        return ""
    known = {label: value for label, value in chart.legend.items() if math.isfinite(value)}
    texts = dict(zip(known, written(list(known.values())), strict=True))
    legend = [LegendEntry(label=line.label, colour=line.colour, value=texts.get(line.label, "")) for line in lines]
    places = [x for line in lines for x, _ in line.points]
    drawing = line_chart(
        chart.name,
        lines,
        max(places),
        chart.y_range,
        first_step=min(0.0, *places) if chart.from_zero else min(places),
        step_name=chart.x_label,
        whole=chart.y_range is not None,
        linear=True,
    )
    return chart_figure(chart.name, legend, drawing, y_label=chart.y_label, x_label=chart.x_label)
