"""The order of samples, epoch after epoch: a permutation of a weighted mixture, the same for any number of workers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# One stream per use: a new draw in one must not reshuffle the others. Stream 2 and on belong to numbered.py.
_ORDER_STREAM, _ITEM_STREAM = range(2)
_PERMUTATIONS_KEPT = 64


@dataclass(frozen=True, kw_only=True)
class SamplePlace:
    """Where sample number g lies: epoch, position in it, and the item of a part of the mixture that is drawn there."""

    epoch: int
    position: int
    part: int
    item: int


class EpochOrder:
    """The order of the items (clips, stills) of a weighted mixture of parts.

    An epoch holds round(weight * items) draws of each part (at least one): weight 2 draws each item twice, weight 0.5
    half of the items, the other half in the next epoch. Within an epoch the order is a permutation keyed by (seed,
    epoch). It does not depend on the number of workers or of GPUs.

    sizes: number of items of each part. ValueError for a part without items or a weight that is not above 0.
    """

    def __init__(self, sizes: Sequence[int], weights: Sequence[float], seed: int) -> None:
        if not sizes:
            raise ValueError("the mixture has no parts; give at least one corpus or source of stills")
        for number, (size, weight) in enumerate(zip(sizes, weights, strict=True)):
            if size < 1:
                raise ValueError(f"part {number} of the mixture has nothing to draw from")
            if not weight > 0:
                raise ValueError(f"the weight of part {number} of the mixture is {weight}, it must be above 0")
        self._sizes, self._seed = list(sizes), seed
        self._num_draws = [max(1, round(weight * size)) for size, weight in zip(sizes, weights, strict=True)]
        self._owners = np.repeat(np.arange(len(sizes)), self._num_draws)
        self._starts = np.concatenate([[0], np.cumsum(self._num_draws)])
        self._permutations: dict[tuple[int, ...], np.ndarray] = {}

    @property
    def epoch_size(self) -> int:
        """Number of samples in an epoch."""
        return len(self._owners)

    def place(self, number: int) -> SamplePlace:
        """Return where sample `number` (0, 1, 2, ... over all epochs) lies."""
        epoch, position = divmod(number, self.epoch_size)
        slot = int(self._permutation((_ORDER_STREAM, epoch), self.epoch_size)[position])
        part = int(self._owners[slot])
        # Items are dealt without replacement: the draws of a part walk through one permutation after another.
        draw = epoch * self._num_draws[part] + slot - int(self._starts[part])
        cycle, dealt = divmod(draw, self._sizes[part])
        order = self._permutation((_ITEM_STREAM, part, cycle), self._sizes[part])
        return SamplePlace(epoch=epoch, position=position, part=part, item=int(order[dealt]))

    def _permutation(self, spawn_key: tuple[int, ...], length: int) -> np.ndarray:
        if spawn_key not in self._permutations:
            # A large weight walks through many cycles in one epoch, in any order.
            if len(self._permutations) >= _PERMUTATIONS_KEPT * (1 + len(self._sizes)):
                self._permutations.clear()
            rng = np.random.default_rng(np.random.SeedSequence(self._seed, spawn_key=spawn_key))
            self._permutations[spawn_key] = rng.permutation(length)
        return self._permutations[spawn_key]
