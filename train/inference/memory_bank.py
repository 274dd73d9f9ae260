"""A bank of memorised frames that grows in place. N objects, C channels, T memory frames, h w stride-16 cells."""

from torch import Tensor


class MemoryBank:
    """Permanent frames, oldest first, and at most one temporary frame behind them.

    With more than `max_frames` permanent frames one is dropped: the oldest behind the first `num_given`, whose masks
    were given.
    Raises ValueError when max_frames leaves no room beside them.
    """

    def __init__(self, max_frames: int, num_given: int = 1) -> None:
        if max_frames <= num_given:
            raise ValueError(
                f"max_memory_frames is {max_frames}; at least {num_given + 1} are needed, those with given masks "
                f"({num_given}) and one more"
            )
        self.max_frames = max_frames
        self.num_given = num_given
        self.num_permanent = 0
        self.has_temporary = False
        self._keys: Tensor | None = None
        self._values: Tensor | None = None

    def add(self, key: Tensor, value: Tensor, permanent: bool) -> None:
        """Add one frame, key (N, Ck, h, w) and value (N, Cv, h, w); it takes the place of the temporary frame."""
        if self.num_permanent == self.max_frames and permanent:
            for store in (self._keys, self._values):
                dropped = self.num_given
                store[:, :, dropped : self.num_permanent - 1] = store[:, :, dropped + 1 : self.num_permanent].clone()
            self.num_permanent -= 1
        slot = self.num_permanent
        self._keys = _with_room(self._keys, key, slot)
        self._values = _with_room(self._values, value, slot)
        self._keys[:, :, slot] = key
        self._values[:, :, slot] = value
        self.num_permanent += permanent
        self.has_temporary = not permanent

    def read(self) -> tuple[Tensor, Tensor]:
        """Keys (N, Ck, T, h, w) and values (N, Cv, T, h, w) of all frames, as views."""
        count = self.num_permanent + self.has_temporary
        return self._keys[:, :, :count], self._values[:, :, :count]


def _with_room(store: Tensor | None, entry: Tensor, slot: int) -> Tensor:
    if store is not None and slot < store.shape[2]:
        return store
    # Doubling keeps the copies of a long video linear in its length.
    capacity = 4 if store is None else 2 * store.shape[2]
    grown = entry.new_zeros(*entry.shape[:2], capacity, *entry.shape[2:])
    if store is not None:
        grown[:, :, : store.shape[2]] = store
    return grown
