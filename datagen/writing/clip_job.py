"""Make the clips of a corpus on a farm: whatever is not there yet, shards as their blocks fill up, the index last.

For clips that are made by one call each (packing, synthesis); running the same job again is the resume.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from ..farm.farm import FarmSettings, Outcome, run_tasks
from .writer import CorpusWriter

MakeClip = Callable[[Any, int, Any], Mapping[str, Any] | None]
"""(shared, index, payload) -> facts for the journal. It commits the part of the clip or raises; called from threads."""
COMMITS_AT_ONCE = 8
"""Threads that make the clips of a group: a small clip waits for the disk (fsync) or the store most of its time."""


@dataclass(frozen=True, kw_only=True)
class ClipJobReport:
    """How a job ended: clips made now and there already, why others are missing ({key: reason}), and the index."""

    made: int
    already_there: int
    missing: dict[str, str]
    index_path: str


def run_clip_job(
    writer: CorpusWriter,
    make_clip: MakeClip,
    payload_of: Callable[[int], Any],
    farm: FarmSettings,
    *,
    shared: Any = None,
    clips_per_task: int = 1,
    assets: Sequence[Mapping[str, Any]] = (),
    on_begin: Callable[[int], None] = lambda _num_clips: None,
    on_clip: Callable[[bool], None] = lambda _is_made: None,
) -> ClipJobReport:
    """Make every clip that is not there, write the index and close the writer; a finished corpus is left alone.

    make_clip: importable by name in another process, as `shared` and the payloads must be picklable. payload_of: index
    -> payload, called as places become free. clips_per_task: clips handed out together, worth it where one takes
    milliseconds; a group whose process is lost is handed out again one by one, so that one clip is to blame.
    assets: rows of the ledger assets.csv.
    on_begin: called with the number of clips to make; on_clip: with whether it was made, once a clip has ended.
    A clip that raises is missing with its reason and does not stop the others. Raises NoNodeLeft.
    """
    try:
        run = _Run(writer, payload_of, clips_per_task)
        on_begin(len(run.awaited))
        if not writer.is_finished():
            writer.write_assets(assets)
        if run.groups:
            for outcome in run_tasks(_make_group, run, farm, shared=(make_clip, shared)):
                for is_made in run.settle(outcome):
                    on_clip(is_made)
        index_path = writer.finish(run.missing)
        num_clips = writer.description.num_clips
        return ClipJobReport(
            made=run.made,
            already_there=num_clips - run.made - len(run.missing),
            missing={writer.key(index): reason for index, reason in sorted(run.missing.items())},
            index_path=str(index_path),
        )
    finally:
        writer.close()


def reason_of(error: Exception) -> str:
    """Return why a clip could not be made, in one line: the message of an error that was raised for a user."""
    text = " ".join(str(error).split())
    return text if text and isinstance(error, ValueError | OSError) else f"{type(error).__name__}: {text}"


def _make_group(shared: tuple[MakeClip, Any], group: Sequence[tuple[int, Any]]) -> list[tuple[int, dict[str, Any]]]:
    """Make the clips of a group; returns the index of each with the facts of it or, as "reason", why it failed."""
    make_clip, own = shared

    def make(entry: tuple[int, Any]) -> tuple[int, dict[str, Any]]:
        index, payload = entry
        try:
            return index, dict(make_clip(own, index, payload) or {})
        except Exception as error:
            return index, {"reason": reason_of(error)}

    if len(group) == 1:
        return [make(group[0])]
    with ThreadPoolExecutor(COMMITS_AT_ONCE) as threads:
        return list(threads.map(make, group))


class _Run(Sequence):
    """One run of a job: the groups to hand out, as tasks of the farm, and what has become of each clip."""

    def __init__(self, writer: CorpusWriter, payload_of: Callable[[int], Any], clips_per_task: int) -> None:
        self.writer, self.payload_of = writer, payload_of
        waiting = writer.waiting()
        self.groups = [waiting[first : first + clips_per_task] for first in range(0, len(waiting), clips_per_task)]
        self.awaited = set(waiting)
        self.made, self.missing = 0, {}
        self._open = defaultdict(int)
        for index in waiting:
            self._open[self._block(index)] += 1

    def __len__(self) -> int:
        return len(self.groups)

    def __getitem__(self, position: int) -> tuple[str, list[tuple[int, Any]]]:
        return str(position), [(index, self.payload_of(index)) for index in self.groups[position]]

    def settle(self, outcome: Outcome) -> Iterator[bool]:
        """Note what became of the clips of a group; yields whether it was made for each that has ended."""
        group = self.groups[int(outcome.task_id)]
        if outcome.failure is not None and len(group) > 1:
            self.groups += [[index] for index in group]
            return
        lost = outcome.failure is not None
        for index, facts in [(group[0], {"reason": outcome.failure.message})] if lost else outcome.value:
            yield self._settle_clip(index, facts, outcome.host)

    def _settle_clip(self, index: int, facts: dict[str, Any], host: str) -> bool:
        if "reason" not in facts and not self.writer.done(index):
            place = "its part is not in the output folder; nodes must share that folder"
            facts = {"reason": f"made on {host}, but {place}"}
        is_made = "reason" not in facts
        if is_made:
            self.made += 1
        else:
            self.missing[index] = facts["reason"]
        event = "clip" if is_made else "clip failed"
        self.writer.journal({"event": event, "key": self.writer.key(index), "host": host, **facts})
        self.awaited.discard(index)
        self._open[self._block(index)] -= 1
        if not self._open[self._block(index)]:
            self.writer.assemble_ready(self.missing.keys(), index)
        return is_made

    def _block(self, index: int) -> int:
        return index // self.writer.description.clips_per_shard
