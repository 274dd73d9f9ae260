"""The page put together: one HTML file without scripts that needs no other."""

from __future__ import annotations

from html import escape
from pathlib import Path

from ....datagen.storage.files import atomic_write
from ...report.document import document, section, tiles
from ...report.figures import picture_figure
from .bars import bars_figure
from .curves import chart
from .parts import EvaluationPage, Strip
from .style import STYLE
from .tables import table

# Charts side by side are small; few of them may be larger.
FEW = 2


def write_page(path: Path, page: EvaluationPage) -> Path:
    """Write the page, under its name only when complete, its folder made where missing; return the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, html(page).encode())
    return path


def html(page: EvaluationPage) -> str:
    """Return the whole page as HTML."""
    charts = "".join(chart(one) for one in page.curves)
    # A chart without a point draws nothing.
    few = " few" if charts.count("<figure") <= FEW else ""
    parts = [
        _heading(page),
        section("Scores", "".join(table(one) for one in page.tables)),
        section("Curves", f'<div class="charts{few}">{charts}</div>\n' if charts else ""),
        section("One by one", "".join(bars_figure(one) for one in page.bars)),
        section("Pictures", "".join(_strip(one) for one in page.strips)),
        section("How it was measured", _facts(page)),
    ]
    return document(page.title, "".join(parts), STYLE)


def _heading(page: EvaluationPage) -> str:
    summary = f"<p>{escape(page.summary)}</p>\n" if page.summary else ""
    return f"<h1>{escape(page.title)}</h1>\n{summary}" + tiles(
        [(name, value, "") for name, value in page.headline.items()]
    )


def _strip(strip: Strip) -> str:
    drawn, _ = picture_figure(strip.picture, strip.caption, f"{strip.name}: {strip.caption}")
    return f'<h3>{escape(strip.name)}</h3><div class="scroll">{drawn}</div>\n'


def _facts(page: EvaluationPage) -> str:
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in page.facts.items())
    return f'<dl class="facts">{rows}</dl>\n' if rows else ""
