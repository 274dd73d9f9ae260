"""How far a corpus is, from its manifests and its journal alone: also while it is rendered elsewhere."""

from __future__ import annotations

import dataclasses
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from ...datagen.storage.store import Store, open_store
from ...datagen.writing.journal import read_journal
from ..jobs.poison import PoisonLedger

RATE_WINDOW_SECONDS = 3600.0
READ_AT_ONCE = 256
"""Manifests read together; an object store answers many requests in the time of one."""
STALE_SECONDS = 600.0
"""Without a clip for so long, a run is no longer called running."""


@dataclass(frozen=True, kw_only=True)
class Status:
    """How far a corpus is.

    clips_done counts clips in shards and parts; frames and bytes are those of their tars, passes included. rejections:
    {class of the reason: scenes redrawn}; failures: {class of the reason: clips that failed, later ones included};
    missing: {key: the reason it failed last} of clips that are not there. rate: clips a hour over the last hour of the
    journal, 0 without one; eta_seconds at that rate, None without. hosts, devices: {name: clips}. age_seconds: since
    the last event, None without one. redo: keys of clips that may show an asset poisoned since; there or not, they are
    not done with.
    """

    name: str
    recipe: str
    clips_total: int
    clips_done: int
    shards_done: int
    shards_total: int
    parts: int
    frames: int
    bytes: int
    is_finished: bool
    rate_clips_per_hour: float
    eta_seconds: float | None
    age_seconds: float | None
    rejections: dict[str, int] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    poison: dict[str, str] = field(default_factory=dict)
    redo: list[str] = field(default_factory=list)
    hosts: dict[str, int] = field(default_factory=dict)
    devices: dict[str, int] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Every field by its name."""
        return dataclasses.asdict(self)


class StatusReader:
    """Reads the status of one corpus again and again; manifests are read once each.

    root: a folder or a URL. Raises ValueError when no corpus is made there.
    """

    def __init__(self, root: str, clock: Callable[[], float] = time.time) -> None:
        self._store: Store = open_store(root)
        self._clock = clock
        if self._store.size("journal/corpus.json") is None:
            raise ValueError(f"{self._store.url} holds no corpus: no journal/corpus.json; give what a run has as --out")
        self._manifests: dict[str, tuple[int, dict[str, Any]]] = {}

    def read(self) -> Status:
        """Count what is there now."""
        described = self._store.read_json("journal/corpus.json")
        shards, parts = self._records("shards"), self._records("parts")
        clips: dict[int, dict[str, int]] = {}
        for record in (*parts, *shards):  # a part whose shard is there already is the same clip
            for index, counts in record["clips"].items():
                clips[index] = counts
        total, per_shard = described["num_clips"], described["clips_per_shard"]
        events = list(read_journal(self._store))
        done_keys = {counts["key"] for counts in clips.values()}
        now = self._clock()
        rate = _rate(events)
        index, ledger = self._content("index.json"), PoisonLedger(self._store)
        absent = self._store.parse_json("index.json", index)["missing"] if index else ()
        listed = {entry["key"]: entry["reason"] for entry in absent}
        return Status(
            name=described["name"],
            recipe=described["recipe"],
            clips_total=total,
            clips_done=len(clips),
            shards_done=len(shards),
            shards_total=-(-total // per_shard),
            parts=len(parts),
            frames=sum(counts["frames"] for counts in clips.values()),
            bytes=sum(record["bytes"] for record in (*shards, *parts)),
            is_finished=index is not None and not ledger.redo,
            rate_clips_per_hour=rate,
            eta_seconds=3600.0 * (total - len(clips)) / rate if rate and total > len(clips) else None,
            age_seconds=now - max(event["time"] for event in events) if events else None,
            rejections=_count_rejections(events),
            failures=dict(Counter(str(e.get("kind", "error")) for e in events if e.get("event") == "clip failed")),
            missing=listed | _missing(events, done_keys),
            poison=ledger.reasons,
            redo=sorted(ledger.redo),
            hosts=_count(events, "host"),
            devices=_count(events, "device"),
        )

    def _records(self, folder: str) -> list[dict[str, Any]]:
        """{"bytes", "clips": {index: {"key", "frames"}}} of the manifests of a folder; only new ones are read."""
        sizes = self._store.sizes(folder)
        wanted = {f"{folder}/{name}": size for name, size in sizes.items() if name.endswith(".json")}
        for name in [name for name in self._manifests if name.startswith(f"{folder}/") and name not in wanted]:
            del self._manifests[name]
        fresh = [name for name, size in wanted.items() if self._manifests.get(name, (None,))[0] != size]
        for start in range(0, len(fresh), READ_AT_ONCE):
            names = fresh[start : start + READ_AT_ONCE]
            for name, content in zip(names, self._contents(names), strict=True):
                if content is not None:
                    self._manifests[name] = (wanted[name], _summary(self._store.parse_json(name, content)))
        return [self._manifests[name][1] for name in wanted if name in self._manifests]

    def _contents(self, names: list[str]) -> list[bytes | None]:
        """The contents of files; None for a part that has just become part of a shard."""
        try:
            return list(self._store.read_many(names))
        except FileNotFoundError:
            return [self._content(name) for name in names]

    def _content(self, name: str) -> bytes | None:
        try:
            return self._store.read_bytes(name)
        except FileNotFoundError:
            return None


def _summary(manifest: dict[str, Any]) -> dict[str, Any]:
    clips = manifest.get("clips", [manifest])
    num_bytes = manifest["bytes"] + sum(entry["bytes"] for entry in (manifest.get("passes") or {}).values())
    counts = {clip["index"]: {"key": clip["key"], "frames": clip["num_frames"]} for clip in clips}
    return {"bytes": num_bytes, "clips": counts}


def _rate(events: Iterable[dict[str, Any]]) -> float:
    """Clips an hour: those of the last hour before the last one, over the time from the start of the first of them."""
    made = [event for event in events if event.get("event") == "clip"]
    last = max((event["time"] for event in made), default=0.0)
    recent = [event for event in made if event["time"] > last - RATE_WINDOW_SECONDS]
    seconds = last - min((event["time"] - event.get("wall_seconds", 0.0) for event in recent), default=last)
    return 3600.0 * len(recent) / seconds if seconds > 0 else 0.0


def _count_rejections(events: Iterable[dict[str, Any]]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for event in events:
        if event.get("event") == "clip":
            # Each is [class, detail]; the classes are counted.
            counts.update(str(entry[0] if isinstance(entry, list) else entry) for entry in event.get("rejections", ()))
    return dict(counts.most_common())


def _count(events: Iterable[dict[str, Any]], name: str) -> dict[str, int]:
    counts = Counter(str(event[name]) for event in events if event.get("event") == "clip" and event.get(name))
    return dict(counts.most_common())


def _missing(events: Iterable[dict[str, Any]], done: set[str]) -> dict[str, str]:
    """Why clips that are not there failed last."""
    reasons: dict[str, str] = defaultdict(str)
    for event in events:
        if event.get("event") == "clip failed":
            reasons[event["key"]] = str(event.get("reason", ""))
    return {key: reason for key, reason in sorted(reasons.items()) if key not in done}
