"""Write a run as one HTML page."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg


@dataclass(frozen=True, kw_only=True)
class Report:
    """Write a run, finished or not, as one HTML page with its settings, curves and predictions."""

    folder: Annotated[Positional[Path], arg(metavar="RUN")]
    """Folder of the run."""
    out: Path | None = None
    """The page; RUN/report.html when not given."""


def run(command: Report) -> int:
    """Write the page and say where it is."""
    from ..report.page import write_report
    from ..report.run_record import read_run

    record = read_run(command.folder)
    written = write_report(record, command.out or command.folder / "report.html")
    print(f"{written}: {record.last_step} of {record.num_steps} steps, {written.stat().st_size / 1e6:.1f} MB")
    return 0
