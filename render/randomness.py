"""One random stream for each concern of a clip, so that a new draw in one never reshuffles another."""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np


class Stream(enum.IntEnum):
    """Which concern a stream serves. Numbers are part of the corpus format: never renumber."""

    ASSETS = 0
    PATHS = 1
    LIGHTS = 2
    CAMERA = 3
    RENDER = 4
    DEALING = 5
    APPEARANCE = 6
    FEATURE_CHOICE = 7
    FEATURES = 8


def stream(seed: int, kind: Stream, *key: int) -> np.random.Generator:
    """A generator that depends on (seed, kind, key) alone.

    `SeedSequence([a, b])` collides for padded entropy; `spawn_key` does not.
    """
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(int(kind), *key)))


@dataclass(frozen=True, kw_only=True)
class ClipRandomness:
    """The random streams of one attempt at one clip: a pure function of (seed, index, attempt).

    split: train or val, which models the clip may show. ordinal: the clip's place among the clips of its split, by
    which models are dealt without replacement; None stands for the index.
    """

    seed: int
    index: int
    attempt: int = 0
    split: str = "train"
    ordinal: int | None = None

    @classmethod
    def of_clip(cls, *, seed: int, index: int, attempt: int = 0, val_every: int = 0) -> ClipRandomness:
        """The streams of a clip of a corpus whose every `val_every`-th clip is held out (0: none)."""
        if not val_every:
            return cls(seed=seed, index=index, attempt=attempt, ordinal=index)
        rounds, place = divmod(index, val_every)
        if place == val_every - 1:
            return cls(seed=seed, index=index, attempt=attempt, split="val", ordinal=rounds)
        return cls(seed=seed, index=index, attempt=attempt, ordinal=index - rounds)

    @property
    def place(self) -> int:
        """The clip's place among the clips of its split."""
        return self.index if self.ordinal is None else self.ordinal

    def stream(self, kind: Stream) -> np.random.Generator:
        """A fresh generator of one concern; asking twice gives the same numbers twice."""
        return stream(self.seed, kind, self.index, self.attempt)

    def lasting_stream(self, kind: Stream) -> np.random.Generator:
        """A fresh generator that is the same for every attempt at the clip."""
        return stream(self.seed, kind, self.index)
