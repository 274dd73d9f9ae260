"""What an evaluation's page is made of, as plain data: tables, charts, bars, strips, facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from ..errors import EvaluationError

Number = float | int


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table; a cell is text, a number, or None where there is none (so is a number that is not finite).

    A column of numbers is written with equal decimals: by default three below 10, fewer above; whole numbers as they
    are. best: column -> which of its values is set in bold. note: a line below.
    """

    name: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str | Number | None]]
    best: Mapping[str, Literal["highest", "lowest"]] = field(default_factory=dict)
    note: str = ""

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise EvaluationError(
                    f"table {self.name!r} has {len(self.columns)} columns ({', '.join(self.columns)}), "
                    f"but a row of {len(row)} cells: {list(row)}"
                )
        unknown = [name for name in self.best if name not in self.columns]
        if unknown:
            raise EvaluationError(f"table {self.name!r} has no column {unknown[0]!r} to mark the best of")


@dataclass(frozen=True, kw_only=True)
class Chart:
    """Curves over one axis. lines: label -> (xs, ys), both of one length; points that are not finite are left out.

    y_range: the value axis shows at least this, such as (0, 1); without it the axis fits the values. legend: label ->
    a number that stands for the curve, such as its mean. from_zero: the horizontal axis begins at 0, not at the first
    point.
    """

    name: str
    x_label: str
    y_label: str
    lines: Mapping[str, tuple[Sequence[float], Sequence[float]]]
    y_range: tuple[float, float] | None = None
    legend: Mapping[str, float] = field(default_factory=dict)
    from_zero: bool = False

    def __post_init__(self) -> None:
        for label, (xs, ys) in self.lines.items():
            if len(xs) != len(ys):
                raise EvaluationError(f"chart {self.name!r}: {label} has {len(xs)} places but {len(ys)} values")


@dataclass(frozen=True, kw_only=True)
class Bars:
    """Bars beside each other, one for each label, in rows: label -> row (a sequence, a bin) -> value from 0 up.

    Rows stand in the order of their first appearance. top: the value of a full bar; without it 1 for values that do not
    pass it, else the largest value. note: a line below the title. histogram: rows stand in one column, so that their
    shape is seen.
    """

    name: str
    values: Mapping[str, Mapping[str, Number | None]]
    top: float | None = None
    note: str = ""
    histogram: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class Strip:
    """A picture uint8 (H, W, 3) under its name, the caption below it."""

    name: str
    caption: str
    picture: np.ndarray

    def __post_init__(self) -> None:
        if self.picture.dtype != np.uint8 or self.picture.ndim != 3 or self.picture.shape[2] != 3:
            raise EvaluationError(
                f"strip {self.name!r} must be uint8 (H, W, 3), it is {self.picture.dtype} {self.picture.shape}"
            )


@dataclass(frozen=True, kw_only=True, eq=False)
class EvaluationPage:
    """A page: what is empty is left out. All text is plain and is escaped by the page.

    summary: one or two sentences below the title. headline: name -> text of the few numbers on top, such as
    {"J&F": "0.853"}. facts: how it was measured, name -> text.
    """

    title: str
    facts: Mapping[str, str]
    tables: Sequence[Table] = ()
    curves: Sequence[Chart] = ()
    bars: Sequence[Bars] = ()
    strips: Sequence[Strip] = ()
    summary: str = ""
    headline: Mapping[str, str] = field(default_factory=dict)
