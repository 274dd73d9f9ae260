"""Where the commands print."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

WIDTH_WITHOUT_TERMINAL = 120


def console() -> Console:
    """The terminal, or a pipe or file at a width of its own: 80 columns would break the table of several methods.

    It takes brackets as they are: what is printed holds names and paths.
    """
    from rich.console import Console

    found = Console(markup=False)
    return found if found.is_terminal else Console(markup=False, width=WIDTH_WITHOUT_TERMINAL)
