"""Where the commands print."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

WIDTH_WITHOUT_TERMINAL = 120


def console() -> Console:
    """The terminal, or a pipe or file at a width of its own: 80 columns would break the table of several methods."""
    from rich.console import Console

    found = Console()
    return found if found.is_terminal else Console(width=WIDTH_WITHOUT_TERMINAL)
