"""The journal of a corpus: what happened on the way, one JSON object a line, never needed to trust the result.

A folder has one file that every run appends to. Objects cannot be appended to: there each run writes objects of its own
and writes the last one again with every batch, so a killed run may lose its last few events.
"""

import json
import os
import secrets
import time
from collections.abc import Iterator, Mapping
from typing import Any

from ..storage.store import Store

BATCH_EVENTS = 100
BATCH_SECONDS = 10.0
# A new object after that much, so that writing the last one again stays cheap.
OBJECT_BYTES = 1 << 20


class Journal:
    """Takes the events of one run."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._path = store.local_path("journal/events.jsonl")
        self._run = f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{secrets.token_hex(4)}"
        self._number, self._lines, self._num_written, self._last_write = 0, [], 0, time.monotonic()

    def append(self, event: Mapping[str, Any]) -> None:
        """Add one event with the time (seconds since 1970)."""
        line = json.dumps({"time": round(time.time(), 3), **event}, allow_nan=False).encode() + b"\n"
        if self._path is not None:
            _append_line(self._path, line)
            return
        self._lines.append(line)
        waiting = len(self._lines) - self._num_written
        if waiting >= BATCH_EVENTS or time.monotonic() - self._last_write >= BATCH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write what waits; in a folder nothing ever does."""
        if len(self._lines) == self._num_written:
            return
        content = b"".join(self._lines)
        self._store.write_bytes(f"journal/events-{self._run}-{self._number:04d}.jsonl", content)
        self._num_written, self._last_write = len(self._lines), time.monotonic()
        if len(content) >= OBJECT_BYTES:
            self._number, self._lines, self._num_written = self._number + 1, [], 0


def read_journal(store: Store) -> Iterator[dict[str, Any]]:
    """Yield the events of all runs, run after run, also while one is going on; lines cut by a kill are left out."""
    for name in store.names("journal"):
        if not (name.startswith("events") and name.endswith(".jsonl")):
            continue
        for line in store.read_bytes(f"journal/{name}").splitlines():
            event = _parse(line)
            if event is not None:
                yield event


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None


def _append_line(path: os.PathLike, line: bytes) -> None:
    with open(path, "a+b") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":  # a line cut by a kill must not swallow this one
                line = b"\n" + line
        file.write(line)
