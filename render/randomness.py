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


def stream(seed: int, kind: Stream, *key: int) -> np.random.Generator:
    """A generator that depends on (seed, kind, key) alone.

    `SeedSequence([a, b])` collides for padded entropy; `spawn_key` does not.
    """
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(int(kind), *key)))


@dataclass(frozen=True, kw_only=True)
class ClipRandomness:
    """The random streams of one attempt at one clip: a pure function of (seed, index, attempt)."""

    seed: int
    index: int
    attempt: int = 0

    def stream(self, kind: Stream) -> np.random.Generator:
        """A fresh generator of one concern; asking twice gives the same numbers twice."""
        return stream(self.seed, kind, self.index, self.attempt)
