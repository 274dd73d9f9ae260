"""What every page has: the shell of an HTML file that needs no other, sections, and the numbers on top."""

from collections.abc import Sequence
from html import escape

from .style import STYLE

Tile = tuple[str, str, str]


def document(title: str, content: str, style: str = "") -> str:
    """Return a whole page as HTML: no script, no other file, nothing from elsewhere.

    content: HTML. style: rules behind those that all pages share.
    """
    return (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}{style}</style>\n"
        f"<main>\n{content}</main>\n</html>\n"
    )


def section(title: str, content: str) -> str:
    """A section of HTML under its title; "" without content."""
    return f"<section><h2>{escape(title)}</h2>\n{content}</section>\n" if content else ""


def tiles(rows: Sequence[Tile]) -> str:
    """The numbers on top: name, value and a note below it, each as plain text; "" without a row."""
    drawn = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}<small>{escape(note)}</small></dd></div>"
        for name, value, note in rows
    )
    return f'<dl class="tiles">{drawn}</dl>\n' if rows else ""
