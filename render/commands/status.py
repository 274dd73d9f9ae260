"""`vosforge-render status`: how far a corpus is, from its manifests alone."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

if TYPE_CHECKING:
    from ..operations.status import Status as Found


@dataclass(frozen=True, kw_only=True)
class Status:
    """Say how far a corpus is, also while it is rendered elsewhere; reads manifests and journal, changes nothing.

    Exit code 0 when every clip is there, 1 when some are not.
    """

    dir: tyro.conf.Positional[str]
    """corpus: a folder or a URL"""
    json: Path | None = None
    """file for the status as JSON"""
    watch: float = 0.0
    """look again every so many seconds until every clip is there; 0 looks once"""


def run(arguments: Status) -> int:
    """Print the status; returns 0 when every clip is there, else 1."""
    from rich.console import Console
    from rich.live import Live

    from ...datagen.storage.files import atomic_write_json
    from ..operations.status import StatusReader
    from .options import check_least, place_of

    check_least("--watch", arguments.watch, 0.0)
    reader = StatusReader(place_of(arguments.dir))
    console = Console(markup=False, highlight=False, soft_wrap=True)
    found = reader.read()
    if arguments.watch:
        with Live(_text(found), console=console, auto_refresh=False) as live:
            while not (found.is_finished and _has_every_clip(found)):
                time.sleep(arguments.watch)
                found = reader.read()
                live.update(_text(found), refresh=True)
    else:
        console.print(_text(found))
    if arguments.json is not None:
        atomic_write_json(arguments.json, found.as_json())
    return 0 if _has_every_clip(found) else 1


def _has_every_clip(found: Found) -> bool:
    return found.clips_done == found.clips_total and not found.redo


def _text(found: Found) -> str:
    """The status in lines for people."""
    from ..operations.status import STALE_SECONDS

    if found.is_finished:
        state = "finished"
    elif found.age_seconds is None:
        state = "begun, no clip yet"
    else:
        is_running = found.age_seconds < STALE_SECONDS
        state = f"{'running' if is_running else 'not finished'}, last event {_duration(found.age_seconds)} ago"
    lines = [
        f"{found.name} ({found.recipe}): {state}",
        f"clips      {found.clips_done} of {found.clips_total} ({found.clips_done / found.clips_total:.1%}), "
        f"{found.frames} frames, {found.bytes / 1e9:.3f} GB",
        f"shards     {found.shards_done} of {found.shards_total}, {found.parts} parts waiting",
    ]
    if found.rate_clips_per_hour:
        left = f", {_duration(found.eta_seconds)} left" if found.eta_seconds is not None else ""
        lines.append(f"rate       {found.rate_clips_per_hour:.1f} clips/h over the last hour{left}")
    for title, counts in (
        ("redrawn", found.rejections),
        ("failures", found.failures),
        ("hosts", found.hosts),
        ("devices", found.devices),
    ):
        if counts:
            lines.append(f"{title:10s} " + ", ".join(f"{name}: {number}" for name, number in counts.items()))
    lines += [f"poisoned   {asset}: {reason}" for asset, reason in found.poison.items()]
    if found.redo:
        lines.append(f"to redo    {len(found.redo)} clips, drawn before an asset was poisoned; run the command again")
    lines += [f"missing    {key}: {reason}" for key, reason in found.missing.items()]
    return "\n".join(lines)


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172800 else f"{seconds / 86400:.1f} days"
