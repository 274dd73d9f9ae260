"""Render jobs: clip index -> scene -> Blender child process -> committed part -> shard -> index.

Running the same job again is the resume.
"""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ...datagen.farm.farm import FarmSettings, NoNodeLeft, Outcome, run_tasks
from ...datagen.storage.store import open_store
from ...datagen.writing.writer import CorpusWriter
from ..assets.pool import ledger_rows
from ..checks import RejectedScene
from .clip import ClipFailed, render_clip
from .job import JobReport, RenderJob
from .poison import PoisonLedger, changed_clips, draw_changes
from .probe import check_renderer

__all__ = ["ClipFailed", "JobReport", "NoNodeLeft", "RenderJob", "render_clip", "render_corpus"]

ASSET_CACHE = "journal/assets.json"
WORTH_ANOTHER_NODE = ("crash", "memory", "gpu")
"""Failures of a clip that may be the fault of the node on which it ran."""


def render_corpus(
    job: RenderJob,
    farm: FarmSettings,
    measured: Mapping[str, dict] | None = None,
    on_clip: Callable[[bool], None] = lambda _is_made: None,
    on_begin: Callable[[int], None] = lambda _num_clips: None,
) -> JobReport:
    """Make every clip that is not there yet, assemble shards as blocks fill up, write the index last.

    measured: model measurements to keep in the journal for the next scan. on_begin: called with the number of clips to
    make. on_clip: called with whether it was made, once a clip has ended.
    A failing clip is recorded with its reason and does not stop the others; a finished corpus is left alone. Raises
    ValueError, before the output is touched, for a device that is not there; CorpusMismatch (a ValueError) when the
    folder holds another corpus; NoNodeLeft when no node can go on.
    """
    if open_store(job.root).size("index.json") is None:
        check_renderer(job, farm)
    writer = CorpusWriter(job.root, job.description())
    try:
        run = _Run(job, farm, writer)
        if writer.is_finished() and run.is_settled():
            on_begin(0)
            return run.report(writer.store.local_path("index.json") or writer.store.full_name("index.json"))
        writer.store.write_json(ASSET_CACHE, dict(measured or {}))
        run.begin()
        on_begin(len(run.queue))
        for is_made in run.clips():
            on_clip(is_made)
        return run.finish()
    finally:
        writer.close()


class ClipQueue(Sequence):
    """The clips to hand out, in order; it grows when one must be made again. Each goes out with the poison of then.

    handed: {clip in the hands of the farm: the poison it went out with}. awaited: clips that are to come (again).
    """

    def __init__(self, writer: CorpusWriter, ledger: PoisonLedger) -> None:
        self._writer, self._ledger = writer, ledger
        self._indices: list[int] = []
        self.handed: dict[int, frozenset[str]] = {}
        self.awaited: set[int] = set()

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, position: int) -> tuple[str, tuple[int, tuple[str, ...]]]:
        index = self._indices[position]
        self.handed[index] = self._ledger.names
        return self._writer.key(index), (index, tuple(sorted(self._ledger.names)))

    def add(self, index: int) -> None:
        """Hand out a clip (again) after all others."""
        self._indices.append(index)
        self.awaited.add(index)


class _Run:
    """One run of a job: what has become of each clip so far."""

    def __init__(self, job: RenderJob, farm: FarmSettings, writer: CorpusWriter) -> None:
        self.job, self.farm, self.writer = job, farm, writer
        self.ledger = PoisonLedger(writer.store)
        self.queue = ClipQueue(writer, self.ledger)
        self.made: set[int] = set()
        self.missing: dict[int, str] = {}
        self.last_attempts: dict[int, int] = {}
        self.failures: Counter[int] = Counter()
        self.rejections: Counter[str] = Counter()

    def is_settled(self) -> bool:
        """Whether the ledger asks for no clip to be made again."""
        return not self.ledger.redo and self.ledger.names >= set(self.job.poison)

    def begin(self) -> None:
        """Take out what the poison ledger no longer allows, and queue every clip that is not there."""
        fresh = {name: reason for name, reason in self.job.poison.items() if name not in self.ledger.names}
        if fresh:
            self._check_enough_is_left(self.ledger.names | set(fresh))
            self._poison(fresh)
        for key in sorted(self.ledger.redo):
            index = self.writer.description.index_of(key)
            if index is not None and self.writer.done(index):
                self.writer.drop(index)
        for index in self.writer.waiting():
            self.queue.add(index)

    def clips(self) -> Iterator[bool]:
        """Make the queued clips; yields whether a clip was made, each time one has ended."""
        if not len(self.queue):
            return
        for outcome in run_tasks(render_clip, self.queue, self.farm, shared=self.job):
            index = self.writer.description.index_of(outcome.task_id)
            snapshot = self.queue.handed.pop(index)
            is_made = self._settle(index, outcome, snapshot)
            if is_made is not None:
                self.queue.awaited.discard(index)
                self._assemble_around(index)
                yield is_made

    def finish(self) -> JobReport:
        """Write what describes the whole corpus, the index last."""
        self.writer.assemble_ready(self.missing.keys())
        used = {name for _, statistics in self.writer.clip_records() for name in statistics["assets"]}
        rows = ledger_rows(self.job.pool(self.ledger.names), used)
        for row in rows:
            if row["asset"] in self.ledger.reasons:
                row |= {"status": "quarantined", "reason": self.ledger.reasons[row["asset"]]}
        self.writer.write_assets(rows)
        return self.report(self.writer.finish(self.missing))

    def _check_enough_is_left(self, poisoned: frozenset[str]) -> None:
        """Raise ValueError, before a clip is taken out, when the poison leaves nothing to draw a split from."""
        for index in {0, self.job.val_every - 1} & set(range(self.job.num_clips)):
            with contextlib.suppress(RejectedScene):
                self.job.draw(index, 0, poisoned)

    def _assemble_around(self, index: int) -> None:
        """Assemble the shard of a clip that has ended, once no other clip of it is awaited.

        Only that shard is looked at: a listing after each of 30,000 clips would keep an object store busy.
        """
        first = index - index % self.job.clips_per_shard
        if self.queue.awaited.isdisjoint(range(first, first + self.job.clips_per_shard)):
            self.writer.assemble_ready(self.missing.keys(), index)

    def report(self, index_path: object) -> JobReport:
        """How it ended."""
        return JobReport(
            made=len(self.made),
            already_there=self.job.num_clips - len(self.made) - len(self.missing),
            missing={self.writer.key(index): reason for index, reason in sorted(self.missing.items())},
            rejections=dict(self.rejections),
            poisoned=dict(self.ledger.reasons),
            index_path=str(index_path),
        )

    def _settle(self, index: int, outcome: Outcome, snapshot: frozenset[str]) -> bool | None:
        """Note what became of a clip; True when it was made, False when it is missing, None when it goes out again."""
        key, value = outcome.task_id, outcome.value or {}
        self.last_attempts[index] = value.get("attempt", 0)
        found = {name: reason for name, reason in value.get("poison", {}).items() if name not in snapshot}
        if found:
            self._again(index, f"drawn with {', '.join(found)}")
            fresh = {name: reason for name, reason in found.items() if name not in self.ledger.names}
            for changed in self._poison(fresh) if fresh else ():
                self._again(changed, "drawn before an asset was poisoned")
            return None
        kind, reason = _failure(outcome, self.writer.done(index))
        changed = key in self.ledger.redo and draw_changes(
            self.job, index, self.last_attempts[index], snapshot, self.ledger.names
        )
        if changed:
            if reason is None:
                self.writer.drop(index)
            self._again(index, "drawn before an asset was poisoned")
            return None
        if reason is None:
            self.made.add(index)
            self.rejections.update(rejected for rejected, _ in value["rejections"])
            self.writer.journal(_entry("clip", outcome, value))
            self.ledger.settle(key)
            return True
        if kind in WORTH_ANOTHER_NODE and self.failures[index] < self.job.clip_retries:
            self.failures[index] += 1
            self._again(index, reason)
            return None
        self.missing[index] = reason
        self.writer.journal(_entry("clip failed", outcome, {"reason": reason, "kind": kind}))
        return False

    def _again(self, index: int, reason: str) -> None:
        self.writer.journal({"event": "clip again", "key": self.writer.key(index), "reason": reason})
        self.queue.add(index)

    def _poison(self, reasons: Mapping[str, str]) -> list[int]:
        """Enter assets into the ledger; take out the clips that this changes and return their indices."""
        old, new = self.ledger.names, self.ledger.names | set(reasons)
        made = changed_clips(self.job, self.writer.clip_records(), old, new)
        doubtful = [*made, *self.queue.handed]
        self.ledger.add(reasons, [self.writer.key(index) for index in doubtful])
        for name, reason in reasons.items():
            self.writer.journal({"event": "poison", "asset": name, "reason": reason})
        for index in made:
            self.writer.drop(index)
            self.made.discard(index)
        failed = [i for i in self.missing if draw_changes(self.job, i, self.last_attempts[i], old, new)]
        for index in failed:
            del self.missing[index]
        return [*made, *failed]


def _failure(outcome: Outcome, is_done: bool) -> tuple[str, str | None]:
    """(class, reason) of what kept a clip from being made; the reason is None when it was made."""
    if outcome.failure is not None:
        return outcome.failure.kind, outcome.failure.message
    if "poison" in outcome.value:
        return "asset", f"drawn again with what was to be passed over: {json.dumps(outcome.value['poison'])}"
    if "failure" in outcome.value:
        return outcome.value["failure"]["kind"], outcome.value["failure"]["message"]
    if not is_done:
        place = "its part is not in the output folder; nodes must share that folder"
        return "python", f"rendered on {outcome.host}, but {place}"
    return "", None


def _entry(event: str, outcome: Outcome, values: Mapping[str, Any]) -> dict[str, Any]:
    entry = {"event": event, "key": outcome.task_id, "host": outcome.host, "wall_seconds": round(outcome.seconds, 3)}
    return {**entry, "attempts": outcome.attempts, "node_losses": outcome.node_losses, **values}
