"""The poison ledger of a corpus: assets that break Blender, and the clips to make again because one became known late.

    journal/poison.json   {asset name: reason}
    journal/redo.json     keys of clips that may have been drawn before the ledger was as it is now

A clip is drawn with the assets of the ledger passed over, so a corpus depends on the ledger as it stands at the end and
not on when an asset entered it: clips whose draw an entry changes are taken out again and made anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ...datagen.storage.store import Store
from ..checks import RejectedScene
from .job import RenderJob

LEDGER = "journal/poison.json"
REDO = "journal/redo.json"


class PoisonLedger:
    """The two files of a corpus; only the process that writes the corpus changes them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.reasons: dict[str, str] = store.read_json(LEDGER) if store.size(LEDGER) is not None else {}
        self.redo: set[str] = set(store.read_json(REDO)) if store.size(REDO) is not None else set()

    @property
    def names(self) -> frozenset[str]:
        """The poisoned assets."""
        return frozenset(self.reasons)

    def add(self, reasons: Mapping[str, str], redo: Iterable[str]) -> None:
        """Enter assets, and the clips whose draw this changes or may change."""
        self.redo |= set(redo)
        # In this order: a kill between the two costs a clip that is made twice, never one that is left as it was.
        self._store.write_json(REDO, sorted(self.redo))
        self.reasons = {**reasons, **self.reasons}
        self._store.write_json(LEDGER, self.reasons)

    def settle(self, key: str) -> None:
        """A clip is as the ledger wants it."""
        if key in self.redo:
            self.redo.discard(key)
            self._store.write_json(REDO, sorted(self.redo))


def draw_changes(job: RenderJob, index: int, last_attempt: int, old: frozenset[str], new: frozenset[str]) -> bool:
    """Whether any attempt at a clip up to `last_attempt` is drawn otherwise when `new` is passed over, not `old`."""
    attempts = range(last_attempt + 1)
    return any(_drawn(job, index, attempt, old) != _drawn(job, index, attempt, new) for attempt in attempts)


def _drawn(job: RenderJob, index: int, attempt: int, poisoned: frozenset[str]) -> object:
    try:
        return job.draw(index, attempt, poisoned)
    except (RejectedScene, ValueError) as refusal:  # ValueError: no asset of a kind is left; the clip goes missing
        return str(refusal)


def changed_clips(
    job: RenderJob, made: Iterable[tuple[int, Mapping]], old: frozenset[str], new: frozenset[str]
) -> list[int]:
    """The indices of the clips in `made`, (index, statistics), that must be made again for the poison in `new`."""
    changed = []
    for index, statistics in made:
        attempt = statistics["attempt"]
        # Most clips were made at the first attempt: their assets alone tell, without a draw.
        if (attempt or (new - old) & set(statistics["assets"])) and draw_changes(job, index, attempt, old, new):
            changed.append(index)
    return changed
