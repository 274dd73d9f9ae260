"""Line charts as inline SVG: axes with round numbers, a logarithmic one where it helps, light and dark by CSS.

Colours are CSS variables of the page, --line-0 and so on; text takes the page's colours.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

WIDTH, HEIGHT = 400, 220
LEFT, RIGHT, TOP, BOTTOM = 50, 10, 10, 24
NUM_COLOURS = 6
MAX_POINTS = 300
# Curves of more points than this are noise to the eye: they are drawn pale, with their running mean over them.
NOISY_FROM = 60
MAX_DOTS = 40
LOG_FROM_RATIO = 30

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, kw_only=True)
class Line:
    """One curve. colour: 0 to 5, from 6 on the same colours dashed. marked: a point to circle.

    dots: mark every point, for measures taken now and then. noisy: many points are smoothed.
    """

    label: str
    points: Points
    colour: int
    dots: bool = False
    noisy: bool = True
    marked: tuple[float, float] | None = None


def line_chart(
    title: str,
    lines: Sequence[Line],
    last_step: float,
    bounds: tuple[float, float] | None = None,
    *,
    first_step: float = 0,
    step_name: str = "step",
    whole: bool = False,
    linear: bool = False,
) -> str:
    """Return an <svg> of the lines over the steps first_step to last_step, or over what step_name says.

    bounds: values that the measure cannot leave, such as (0, 1); whole: the value axis shows all of them. The value
    axis is logarithmic when all values are positive and span a factor of 30 or more, unless it is bounded or linear.
    ValueError without a point.
    """
    values = [value for line in lines for _, value in line.points]
    if not values:
        raise ValueError(f"chart {title!r} has no point to draw")
    logarithmic = not linear and bounds is None and min(values) > 0 and max(values) / min(values) >= LOG_FROM_RATIO
    low, high = (min(values), max(values)) if logarithmic else _padded(values, bounds)
    if whole and bounds is not None:
        low, high = min(low, bounds[0]), max(high, bounds[1])
    if last_step <= first_step:
        last_step = first_step + 1
    ticks = _log_ticks(low, high) if logarithmic else _ticks(low, high)
    if not logarithmic:
        low, high = ticks[0], ticks[-1]
    scale = math.log if logarithmic else float
    span = scale(high) - scale(low)

    def x(step: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (step - first_step) / (last_step - first_step)

    def y(value: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (1 - (scale(value) - scale(low)) / span)

    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title, quote=True)}">']
    for value in ticks:
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{number(value)}</text>')
    whole_steps = all(float(step).is_integer() for line in lines for step, _ in line.points)
    for step in _ticks(first_step, last_step, 4, whole_steps):
        if first_step <= step <= last_step:
            anchor = "end" if x(step) > WIDTH - 3 * RIGHT else "middle"
            parts.append(f'<text x="{x(step):.1f}" y="{HEIGHT - 6}" text-anchor="{anchor}">{number(step)}</text>')
    # The first lines are the ones to look at, so they are drawn last, on top.
    parts += [_drawn(line, x, y, step_name) for line in reversed(lines) if line.points]
    return "".join(parts) + "</svg>"


def number(value: float, digits: int = 4) -> str:
    """A number for an axis or a table: significant digits, thousands as k, tiny ones with a power of ten."""
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 10_000:
        power, letter = (1e6, "M") if size >= 1e6 else (1e3, "k")
        return f"{value / power:.3g}{letter}"
    if size < 1e-3:
        mantissa, exponent = f"{value:.2e}".split("e")
        return f"{float(mantissa):g}e{int(exponent)}"
    return f"{value:.{digits}g}"


def _drawn(line: Line, x, y, step_name: str) -> str:
    points = _thinned(line.points)
    noisy = line.noisy and not line.dots and len(points) > NOISY_FROM
    dashed = ' class="dashed"' if line.colour >= NUM_COLOURS else ""
    parts = [f'<g{dashed} style="--c: var(--line-{line.colour % NUM_COLOURS})">']
    if noisy:
        parts.append(_path(points, x, y, "raw"))
        points = _running_mean(points)
    parts.append(_path(points, x, y, "line"))
    if len(points) <= (MAX_DOTS if line.dots else 1):
        parts += [
            f'<circle class="dot" cx="{x(step):.1f}" cy="{y(value):.1f}" r="2.6">'
            f"<title>{escape(line.label)}, {escape(step_name)} {_place(step)}: {number(value)}</title></circle>"
            for step, value in points
        ]
    if line.marked is not None:
        step, value = line.marked
        parts.append(
            f'<circle class="marked" cx="{x(step):.1f}" cy="{y(value):.1f}" r="5"><title>{escape(line.label)}, best: '
            f"{number(value)} at {escape(step_name)} {_place(step)}</title></circle>"
        )
    return "".join(parts) + "</g>"


def _place(step: float) -> str:
    return f"{step:,.0f}" if float(step).is_integer() else number(step)


def _path(points: Points, x, y, name: str) -> str:
    corners = " ".join(f"{x(step):.1f},{y(value):.1f}" for step, value in points)
    return f'<polyline class="{name}" points="{corners}"/>'


def _thinned(points: Points) -> Points:
    """At most 300 points: means of neighbours."""
    if len(points) <= MAX_POINTS:
        return points
    groups = np.array_split(np.asarray(points, dtype=np.float64), MAX_POINTS)
    return [tuple(group.mean(axis=0)) for group in groups]


def _running_mean(points: Points) -> Points:
    """Each value with its neighbours within a fortieth of the curve; the ends have fewer."""
    reach = max(2, len(points) // 40)
    values = [value for _, value in points]
    return [(step, float(np.mean(values[max(0, k - reach) : k + reach + 1]))) for k, (step, _) in enumerate(points)]


def _padded(values: Sequence[float], bounds: tuple[float, float] | None) -> tuple[float, float]:
    low, high = min(values), max(values)
    if low == high:
        low, high = (0.0, 1.0) if high == 0 else (min(0.0, 2 * high), max(0.0, 2 * high))
    return low, high if bounds is None else min(high, bounds[1])


def _ticks(low: float, high: float, count: int = 5, whole: bool = False) -> list[float]:
    """Round numbers from at or below `low` to at or above `high`; whole: without fractions."""
    raw = max((high - low) / count, 1 if whole else 0)
    power = 10.0 ** math.floor(math.log10(raw))
    factors = (1, 2, 5, 10) if whole else (1, 2, 2.5, 5, 10)
    step = next(factor * power for factor in factors if factor * power >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [k * step for k in range(first, last + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten and, over fewer than three decades, 2 and 5 times them, inside the range."""
    decades = math.log10(high / low)
    factors = (1, 2, 5) if decades < 3 else (1,)
    every = max(1, round(decades / 6))
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    ticks = [f * 10.0**k for k in range(first, last + 1) if k % every == 0 for f in factors]
    return [tick for tick in ticks if low * 0.999 <= tick <= high * 1.001]
