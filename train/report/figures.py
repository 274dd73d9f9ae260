"""Figures of a page: a chart under its title and legend, a picture under its caption."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from .embedded_pictures import data_uri
from .line_chart import NUM_COLOURS


@dataclass(frozen=True, kw_only=True)
class LegendEntry:
    """One colour of a chart: its label and, where there is one, the number that stands for the whole, as text."""

    label: str
    colour: int
    value: str = ""


def chart_figure(
    title: str, legend: Sequence[LegendEntry], drawing: str, *, y_label: str = "", x_label: str = ""
) -> str:
    """Return a <figure> with title and legend above a drawing, HTML; the names of its axes at their ends."""
    above = f'<p class="axis">{escape(y_label)}</p>' if y_label else ""
    below = f'<p class="axis below">{escape(x_label)}</p>' if x_label else ""
    return (
        f'<figure class="chart"><figcaption>{escape(title)}{legend_list(legend)}</figcaption>'
        f"<div>{above}{drawing}{below}</div></figure>"
    )


def legend_list(legend: Sequence[LegendEntry]) -> str:
    """The colours with their labels and values; "" without an entry."""
    entries = "".join(f"<li>{_entry(entry, alone=len(legend) == 1)}</li>" for entry in legend)
    return f"<ul>{entries}</ul>" if entries else ""


def picture_figure(rgb, caption: str, alt: str) -> tuple[str, int]:
    """Return a <figure> of a picture uint8 (H, W, 3) under its caption, and its width on the page in pixels."""
    uri, width = data_uri(rgb)
    drawn = f'<img src="{uri}" width="{width}" alt="{escape(alt, quote=True)}">'
    return f'<figure class="picture"><figcaption>{escape(caption)}</figcaption>{drawn}</figure>', width


def _entry(entry: LegendEntry, alone: bool) -> str:
    dashed = " class=dashed" if entry.colour >= NUM_COLOURS else ""
    swatch = f'<i{dashed} style="--c: var(--line-{entry.colour % NUM_COLOURS})"></i>'
    # A single line with a number needs no name: the title is its name.
    label = "" if alone and entry.value else escape(entry.label)
    value = f"<b>{escape(entry.value)}</b>" if entry.value else ""
    return f"{swatch}{label}{' ' if label and value else ''}{value}"
