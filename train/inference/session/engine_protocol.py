"""What a system's networks do for a session; one class per system implements it. N objects, H W pixels."""

from collections.abc import Iterator, Sequence, Set
from typing import Protocol

import numpy as np

from .draft import Draft
from .module_times import ModuleClock
from .passes import Pass
from .state import Waiting
from .store import View


class Engine(Protocol):
    """Corrects frames, and carries masks over frames into the session's store.

    The clock says how long it took. What it keeps in the session's folder besides the masks bears the revisions of the
    store, so that undoing and resuming find it: see `find`, `committed`, `forget_after`, `forget_before`.
    """

    clock: ModuleClock

    def passes(self, frame: int, given: Sequence[int], propagated: Sequence[int], num_frames: int) -> Sequence[Pass]:
        """Where a propagation from a frame goes.

        given: all frames with given masks, propagated: those of them that were carried before.
        """
        ...

    def correct(self, draft: Draft) -> np.ndarray:
        """The ids of a frame after the strokes and clicks on it, uint8 (H, W)."""
        ...

    def committed(self, draft: Draft, revision: int) -> None:
        """Keep what the user gave on a frame whose masks stand now in `revision`."""
        ...

    def carry(
        self, one: Pass, item: Waiting, given: Sequence[int], base: View, revision: int
    ) -> Iterator[tuple[int, np.ndarray]]:
        """Set the frames of a pass in `revision` of the store and yield them with their ids, uint8 (H, W).

        item: the frame that the pass begins at. given: all frames with given masks. base: what of the store stands.
        """
        ...

    def find(self, newest: int) -> None:
        """Take up what a session left in the folder, up to a revision."""
        ...

    def forget_after(self, revision: int) -> None:
        """Drop what is newer than a revision."""
        ...

    def forget_before(self, revision: int, hidden: Set[int]) -> None:
        """Drop what no view of `revision` or later shows; hidden: all that is hidden in any of them."""
        ...
