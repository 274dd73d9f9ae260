"""Numbers of one column as text, with equal decimals."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ...report.line_chart import number

MISSING = "–"
WIDE_RATIO = 100


def plain(cell):
    """A cell as text, a finite number of Python's own, or None for what is missing or not finite."""
    if cell is None or isinstance(cell, str):
        return cell
    value = cell.item() if hasattr(cell, "item") else cell
    return value if math.isfinite(value) else None


def written(values: Sequence[float | int]) -> list[str]:
    """Finite numbers as text: whole ones with thousands, others with the decimals that the largest of them needs.

    Three decimals below 10, two below 100, one below 1000, none above. When all are tiny or they span many powers of
    ten, each has significant digits of its own.
    """
    if all(float(value).is_integer() for value in values) and any(isinstance(value, int) for value in values):
        return [f"{value:,.0f}" for value in values]
    largest = max((abs(value) for value in values), default=0.0)
    smallest = min((abs(value) for value in values if value), default=0.0)
    if 0 < largest < 0.01 or (largest >= 1000 and largest / smallest > WIDE_RATIO):
        return [number(value, 3) for value in values]
    decimals = next((d for d, limit in ((3, 10), (2, 100), (1, 1000)) if largest < limit), 0)
    # A value just below zero would be written as -0.000.
    return [f"{round(value, decimals) + 0.0:,.{decimals}f}" for value in values]
