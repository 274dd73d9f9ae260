"""Samples by number: sample number n of the endless sequence is a pure function of the seed and of n."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..corpus.opening import OnDamage
from ..corpus.shards import DamagedFile
from .order import EpochOrder, SamplePlace
from .parts import Draw, Sample, SamplePart

# Streams 0 and 1 belong to order.py.
_SAMPLE_STREAM, _SUBSTITUTE_STREAM = 2, 3
_MAX_SUBSTITUTES = 50


class Dealt(NamedTuple):
    """A sample, and what was found damaged on the way to it, one line each (then it is a substitute)."""

    sample: Sample
    damage: tuple[str, ...]


class NumberedSamples:
    """The samples of a mixture, by number.

    on_damage: what happens when stored bytes are damaged. "stop" raises DamagedFile, which names them. "skip" draws a
    substitute from the same part, by a stream of its own: the same one in every run, and no other sample changes.

    ValueError for a mixture whose parts differ in crop size or number of frames.
    """

    def __init__(self, parts: Sequence[SamplePart], seed: int, on_damage: OnDamage = "stop") -> None:
        if on_damage not in ("stop", "skip"):
            raise ValueError(f"on_damage is {on_damage!r}, it must be 'stop' or 'skip'")
        self.order = EpochOrder([len(part) for part in parts], [part.weight for part in parts], seed)
        for name in ("crop_size", "num_frames"):
            values = [getattr(part, name) for part in parts]
            if len(set(values)) > 1:
                raise ValueError(f"the parts of a mixture have {name} {values}; they must all have the same")
        self._parts, self._seed, self._on_damage = list(parts), seed, on_damage

    def sample(self, number: int, max_jump: int) -> Dealt:
        """Return sample `number`: position number % epoch_size of epoch number // epoch_size."""
        place = self.order.place(number)
        part = self._parts[place.part]
        return self._deal(place, 0, max_jump, lambda rng, jump: part.sample(rng, place.item, jump))

    def samples_of_visit(self, number: int, draws: Sequence[tuple[int, int]]) -> list[Dealt]:
        """Return several samples of the item at position `number`, which is fetched once.

        draws: (draw, max_jump); draw 0 is `sample(number, max_jump)`, the others are further samples of the item.
        """
        place = self.order.place(number)
        fetched: list[Draw] = []

        def draw_fetched(rng: np.random.Generator, max_jump: int) -> Sample:
            if not fetched:
                fetched.append(self._parts[place.part].fetch(place.item))
            return fetched[0](rng, max_jump)

        return [self._deal(place, draw, max_jump, draw_fetched) for draw, max_jump in draws]

    def _deal(self, place: SamplePlace, draw: int, max_jump: int, sample: Draw) -> Dealt:
        damage = []
        try:
            return Dealt(sample(self._rng(_SAMPLE_STREAM, place, draw), max_jump), ())
        except DamagedFile as error:
            if self._on_damage == "stop":
                raise
            damage.append(str(error))
        part = self._parts[place.part]
        for attempt in range(_MAX_SUBSTITUTES):
            rng = self._rng(_SUBSTITUTE_STREAM, place, draw, attempt)
            try:
                return Dealt(part.sample(rng, int(rng.integers(len(part))), max_jump), tuple(damage))
            except DamagedFile as error:
                damage.append(str(error))
                name = error.name
        what = f"{_MAX_SUBSTITUTES} substitutes for a damaged sample were damaged too, the last: {damage[-1]}"
        raise DamagedFile(what, name)

    def _rng(self, stream: int, place: SamplePlace, draw: int, *attempt: int) -> np.random.Generator:
        # Draw 0 has the key that it has without streaming.
        further = (draw, *attempt) if draw or attempt else ()
        spawn_key = (stream, place.epoch, place.position, *further)
        return np.random.default_rng(np.random.SeedSequence(self._seed, spawn_key=spawn_key))
