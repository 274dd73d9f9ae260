"""Stills and where they come from: the protocol, any corpus (one frame of each clip), and mixtures."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import cv2
import numpy as np

from ..corpus.reader import Corpus
from ..corpus.records import IGNORE_ID


@dataclass(frozen=True, kw_only=True)
class Still:
    """One picture with its mask: rgb uint8 (H, W, 3), ids uint8 (H, W), 0 background, 1..254 objects, 255 ignore."""

    name: str
    rgb: np.ndarray
    ids: np.ndarray

    def object_ids(self) -> np.ndarray:
        """Return the ids of its objects, ascending."""
        areas = cv2.calcHist([self.ids], [0], None, [256], [0, 256]).ravel()
        areas[[0, IGNORE_ID]] = 0
        return np.flatnonzero(areas)


class StillSource(Protocol):
    """Numbered stills; implementations can be pickled and read from several processes."""

    def __len__(self) -> int: ...

    def read(self, rng: np.random.Generator, number: int) -> Still:
        """Return still `number`; rng chooses among its frames where it has several."""
        ...

    def name(self, number: int) -> str:
        """Return the name of still `number` without reading it."""
        ...

    def fingerprint(self) -> str:
        """Return a short text that is another one when the stills are others."""
        ...


class CorpusStills:
    """One frame of each clip of a corpus, drawn among the frames with ids; a packed still is a clip of one frame.

    ValueError when the split has no clip with objects.
    """

    def __init__(self, corpus: Corpus, split: Literal["train", "val", "all"] = "train") -> None:
        self._corpus = corpus
        self._clips = [clip for clip in corpus.split(split) if clip.object_ids]
        if not self._clips:
            raise ValueError(
                f'{corpus.root} has no clip with objects in its split "{split}"; give another split or corpus'
            )
        self._split = split

    def __len__(self) -> int:
        return len(self._clips)

    def name(self, number: int) -> str:
        """Return the key of the clip."""
        return self._clips[number].key

    def read(self, rng: np.random.Generator, number: int) -> Still:
        """Return a frame of clip `number` that shows an object, where one does.

        ValueError for damaged bytes, or a clip without any ids.
        """
        clip = self._clips[number]
        frames = [t for t in range(clip.num_frames) if self._corpus.is_annotated(clip.key, t)]
        if not frames:
            raise ValueError(f"no frame of clip {clip.key} of {self._corpus.root} has ids; give another corpus")
        for t in rng.permutation(frames) if len(frames) > 1 else frames:
            rgb, ids = self._corpus.read_frame(clip.key, int(t))
            still = Still(name=clip.key, rgb=rgb, ids=ids)
            if len(still.object_ids()):
                break
        return still

    def fingerprint(self) -> str:
        """Return a hash of the hashes of the shards."""
        hashes = [shard["sha256"] for shard in self._corpus.index["shards"]]
        return hashlib.sha256("\n".join([self._split, *hashes]).encode()).hexdigest()[:16]


class StillMixture:
    """Several sources as one, each repeated a whole number of times (BIG and HRSOD are, five times)."""

    def __init__(self, sources: Sequence[tuple[StillSource, int]]) -> None:
        for source, repeats in sources:
            if repeats < 1 or not len(source):
                raise ValueError(
                    f"a source of {len(source)} stills is repeated {repeats} times; both must be 1 or more"
                )
        self._sources = list(sources)
        self._ends = np.cumsum([repeats * len(source) for source, repeats in sources])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def name(self, number: int) -> str:
        """Return the name of the still in its source."""
        source, own = self._find(number)
        return source.name(own)

    def read(self, rng: np.random.Generator, number: int) -> Still:
        """Return still `number` of the mixture."""
        source, own = self._find(number)
        return source.read(rng, own)

    def has_repeats(self) -> bool:
        """Whether a still has more than one number."""
        return any(repeats > 1 for _, repeats in self._sources)

    def fingerprint(self) -> str:
        """Return the fingerprints of the sources with their repeats."""
        return ",".join(f"{source.fingerprint()}*{repeats}" for source, repeats in self._sources)

    def _find(self, number: int) -> tuple[StillSource, int]:
        place = int(np.searchsorted(self._ends, number, side="right"))
        source, _ = self._sources[place]
        return source, int(number - (self._ends[place - 1] if place else 0)) % len(source)
