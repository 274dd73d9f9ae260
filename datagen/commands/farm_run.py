"""A job of clips on a farm, as a command runs it: a bar, the missing clips with their reasons, the exit code."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..writing.clip_job import ClipJobReport

SHOWN_REASONS = 50


def run_clips(
    job: Callable[[Callable[[int], None], Callable[[bool], None]], ClipJobReport], doing: str, done: str, way_out: str
) -> int:
    """Run job(on_begin, on_clip) and return 0 when every clip is there, 1 when some are missing.

    doing, done: e.g. "packing" and "clips packed". way_out: what to do about missing clips.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    from ..farm.farm import NoNodeLeft

    console = Console(stderr=True, markup=False, highlight=False)
    columns = (TextColumn(doing), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    try:
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
            bar = progress.add_task(doing, total=None)
            report = job(
                lambda num_clips: progress.update(bar, total=num_clips),
                lambda _is_made: progress.update(bar, advance=1),
            )
    except NoNodeLeft as error:
        print(f"{error}; what is finished is kept, the same command goes on from there", file=sys.stderr)
        return 1
    for key, reason in list(report.missing.items())[:SHOWN_REASONS]:
        console.print(f"missing {key}: {reason}", style="red", soft_wrap=True)
    if len(report.missing) > SHOWN_REASONS:
        console.print(f"and {len(report.missing) - SHOWN_REASONS} more; index.json lists them all", style="red")
    there, missing = f"{report.already_there} there already", f"{len(report.missing)} missing"
    print(f"{report.made} {done}, {there}, {missing}: {report.index_path}")
    if report.missing:
        print(f"{way_out} and run the same command again: it tries the missing clips alone")
    return 1 if report.missing else 0
