"""`vosforge-data pack`: a published data set into a corpus; the same command resumes it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from ..sources.table import SOURCES
from .farm_options import FarmOptions
from .farm_run import run_clips

SourceName = Literal[tuple(SOURCES)]


@dataclass(frozen=True, kw_only=True)
class Pack(FarmOptions):
    """Pack a published data set, in the layout in which it is published, into a corpus; the same command resumes it.

    Exit code 0 when every clip is there, 1 when some are missing (each is named with its reason), 2 for a mistake.
    """

    source: SourceName
    """the data set"""
    root: Path
    """folder of the data set; a wrong one is answered with the layout that was expected"""
    out: str
    """corpus folder, or a URL such as s3://bucket/prefix"""
    split: str | None = None
    """one split, in the data set's own words, e.g. train, val, valid, test-dev; the usual ones when left out"""
    option: Annotated[list[str], tyro.conf.UseAppendAction] = field(default_factory=list)
    """NAME=VALUE sets an option of the source, e.g. resolution=Full-Resolution (DAVIS, GyGO), all_frames=true
    (YouTube-VOS), num_frames=0 (BL30K); may be repeated"""
    short_side: int = 0
    """reduce larger pictures to this shorter side in pixels, e.g. 480; 0 keeps every size, and JPEGs byte for byte"""
    name: str | None = None
    """prefix of the clip keys; the source's name when left out"""
    limit: int | None = None
    """pack only the first clips of the listing, for a try"""
    clips_per_shard: int | None = None
    """clips in one shard; 8 videos or 1000 stills when left out"""


def run(command: Pack) -> int:
    """Pack a data set; returns 0 when every clip is there, 1 when some are missing."""
    from ..sources.pack import PackJob, pack_corpus
    from ..sources.source import open_source, source_class

    for option, value in (("--limit", command.limit), ("--clips-per-shard", command.clips_per_shard)):
        if value is not None and value < 1:
            raise ValueError(f"{option} {value}: must be at least 1")
    options = read_options(command.option, source_class(command.source))
    source = open_source(command.source, command.root, split=command.split, **options)
    job = PackJob(
        root=command.out,
        source=source,
        name=command.name or command.source,
        short_side=command.short_side,
        clips_per_shard=command.clips_per_shard,
        limit=command.limit,
    )
    farm = command.farm()
    return run_clips(
        lambda on_begin, on_clip: pack_corpus(job, farm, on_begin=on_begin, on_clip=on_clip),
        "packing",
        "clips packed",
        "mend or replace those files",
    )


def read_options(texts: list[str], source: type) -> dict[str, Any]:
    """Return name -> value of NAME=VALUE texts, in the types of the source's fields; ValueError names a wrong one."""
    taken = {entry.name: entry for entry in dataclasses.fields(source) if entry.name not in ("root", "split")}
    allowed = f"the options of {source.name} are {', '.join(taken)}" if taken else f"{source.name} has no options"
    found = {}
    for text in texts:
        name, sign, value = text.partition("=")
        name = name.strip().replace("-", "_")
        if name not in taken or not sign:
            raise ValueError(f"--option {text}: give NAME=VALUE; {allowed}")
        found[name] = _convert(text, value.strip(), type(taken[name].default))
    return found


def _convert(text: str, value: str, kind: type) -> Any:
    if kind is bool:
        if value.lower() not in ("true", "false"):
            raise ValueError(f"--option {text}: must be true or false")
        return value.lower() == "true"
    if kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            raise ValueError(f"--option {text}: must be {'a whole number' if kind is int else 'a number'}") from None
    return value
