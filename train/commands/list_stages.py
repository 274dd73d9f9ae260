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

    table = Table("stage", "network", "steps", "starts from", "what")
    for stage in STAGES.values():
        network = f"{stage.network.name}, {stage.size}"
        table.add_row(stage.name, network, f"{stage.num_steps:,}", stage.start_from, stage.summary)
    Console().print(table)
    return 0
