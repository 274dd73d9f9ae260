"""List the training stages."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class List:
    """List the training stages."""


def run(command: List) -> int:
    """Print one line a stage."""
    from rich.console import Console
    from rich.table import Table

    from ..stages.table import STAGES

    table = Table("stage", "size", "data", "steps", "starts from")
    table.columns[0].no_wrap = table.columns[3].no_wrap = True
    table.columns[4].overflow = "fold"
    for stage in STAGES.values():
        table.add_row(stage.name, stage.size, stage.data, f"{stage.num_steps:,}", stage.start_from)
    Console().print(table)
    return 0
