"""The settings of a run as rows: value, the stage's own number where the run has another, and the source of it."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..sample_settings import dotted, names_set_by, whole_sample_settings
from .line_chart import number
from .run_record import RunRecord

# The stage's name stands in the heading; data and start have tables of their own.
NOT_SHOWN = ("name", "init_sha256")
# An em space, which a page does not swallow.
INDENT = "\u2003"
FIRST = ("size", "num_steps", "batch_size", "crop_size", "seed")


class Setting(NamedTuple):
    """One setting as text; own: the stage's own value where the run has another, else ""."""

    name: str
    value: str
    own: str
    source: str


def setting_rows(record: RunRecord) -> list[Setting]:
    """Rows for all settings that make the run what it is, the ones most often changed first.

    Sources are those in config.json, else those of the stage of this name in this version; a stage that is unknown here
    leaves them empty.
    """
    stage = stage_of(record)
    sources = record.config.get("sources") or ({} if stage is None else stage.sources)
    rows = []
    ordered = sorted(record.identity.items(), key=lambda pair: pair[0] not in FIRST)
    for name, value in ordered:
        if name in NOT_SHOWN or _is_table(value):
            continue
        if name == "sample_settings":
            rows += _sample_rows(value, stage, sources.get(name, ""))
            continue
        own = "" if stage is None else _own(stage, name, value)
        rows.append(Setting(name, readable(value), own, sources.get(name, "")))
    return rows


def _sample_rows(value: Mapping[str, Any], stage: Any | None, source: str) -> list[Setting]:
    """Return a heading with the source, and below it one row a number of the samples, by its dotted name."""
    own = {} if stage is None else json.loads(json.dumps(dict(dotted(whole_sample_settings(stage)))))
    set_by_stage = set() if stage is None else names_set_by(stage)
    rows = [Setting("sample_settings.", "" if value else "defaults", "", source)]
    for name, item in dotted(value or {}):
        different = readable(own[name]) if name in own and own[name] != item else ""
        origin = "of this run" if different else "set by the stage" if name in set_by_stage else "default"
        origin = "" if stage is None else origin
        rows.append(Setting(f"{INDENT}{name}", readable(item), different, origin))
    return rows


def stage_of(record: RunRecord) -> Any | None:
    """The stage that the run names, None when this version has no such stage."""
    from ..stages.table import STAGES

    return STAGES.get(record.config.get("stage"))


def readable(value: Any) -> str:
    """A value of config.json as text: numbers with thousands, mappings and lists as one line."""
    if isinstance(value, bool) or value is None:
        return "none" if value is None else str(value).lower()
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return number(value)
    if isinstance(value, Mapping):
        return "; ".join(f"{name} {readable(item)}" for name, item in value.items()) or "defaults"
    if isinstance(value, list | tuple):
        return ", ".join(readable(item) for item in value) or "none"
    return str(value)


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], Mapping)


def _own(stage: Any, name: str, value: Any) -> str:
    """The stage's own value as text, where it differs."""
    if not hasattr(stage, name):
        return ""
    # As config.json holds it: dataclasses as mappings, tuples as lists.
    own = json.loads(json.dumps(getattr(stage, name), default=vars))
    return "" if own == value else readable(own)
