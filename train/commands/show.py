"""Print every number of a stage with its source."""

from dataclasses import dataclass
from typing import Annotated

from tyro.conf import Positional, arg


@dataclass(frozen=True, kw_only=True)
class Show:
    """Print every number of a stage with its source."""

    stage: Positional[str]
    """Name of the stage, see `list`."""
    size: Annotated[str | None, arg(metavar="small|full")] = None
    """Network size; the stage's own when not given."""


def run(command: Show) -> int:
    """Print the table of a stage."""
    from rich.console import Console

    from ..show import stage_table
    from ..stages.table import stage_named

    Console().print(stage_table(stage_named(command.stage), command.size))
    return 0
