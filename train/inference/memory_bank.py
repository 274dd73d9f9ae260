"""A bank of memorised frames of a bounded size. N objects, C channels, T memory frames, h w stride-16 cells."""

from torch import Tensor


class MemoryBank:
    """Permanent frames, in no certain order, and at most one temporary frame behind them.

    With more than `max_frames` permanent frames one is dropped: the oldest behind the first `num_given`, whose masks
    were given. The order of frames has no meaning to the read, so a new frame takes the dropped one's place and nothing
    is moved. Raises ValueError when max_frames leaves no room beside the given ones.
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
        self._oldest = num_given
        self._keys: Tensor | None = None
        self._values: Tensor | None = None

    def add(self, key: Tensor, value: Tensor, permanent: bool) -> None:
        """Add one frame, key (N, Ck, h, w) and value (N, Cv, h, w); the temporary frame goes."""
        slot = self.num_permanent
        if permanent and slot == self.max_frames:
            slot = self._oldest
            self._oldest = self.num_given + (slot + 1 - self.num_given) % (self.max_frames - self.num_given)
        self._keys = self._with_room(self._keys, key, slot)
        self._values = self._with_room(self._values, value, slot)
        self._keys[:, :, slot] = key
        self._values[:, :, slot] = value
        self.num_permanent = min(self.num_permanent + permanent, self.max_frames)
        self.has_temporary = not permanent

    def read(self) -> tuple[Tensor, Tensor]:
        """Keys (N, Ck, T, h, w) and values (N, Cv, T, h, w) of all frames, as views."""
        count = self.num_permanent + self.has_temporary
        return self._keys[:, :, :count], self._values[:, :, :count]

    def _with_room(self, store: Tensor | None, entry: Tensor, slot: int) -> Tensor:
        if store is not None and slot < store.shape[2]:
            return store
        # Doubling keeps the copies of a long video linear in its length; the temporary frame needs one place more.
        capacity = min(4 if store is None else 2 * store.shape[2], self.max_frames + 1)
        grown = entry.new_zeros(*entry.shape[:2], max(capacity, slot + 1), *entry.shape[2:])
        if store is not None:
            grown[:, :, : store.shape[2]] = store
        return grown
