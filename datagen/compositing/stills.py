"""Stills and where they come from: the protocol, any corpus (one frame of each clip), and mixtures."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import cv2
import numpy as np

from ..corpus.instances import coco_mask
from ..corpus.reader import Corpus
from ..corpus.records import IGNORE_ID, ClipEntry


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
    """One frame of each clip of a corpus, drawn among the frames with ids or instances; a packed still has one frame.

    Instances (LVIS, COCO) become ids by `paint_instances`. ValueError when the split has no clip with objects, or has
    instances and the extra `coco` is missing.
    """

    def __init__(self, corpus: Corpus, split: Literal["train", "val", "all"] = "train") -> None:
        self._corpus = corpus
        self._clips = [clip for clip in corpus.split(split) if clip.object_ids or self._has_instances(clip)]
        if not self._clips:
            raise ValueError(
                f'{corpus.root} has no clip with objects in its split "{split}"; give another split or corpus'
            )
        if not all(clip.object_ids for clip in self._clips):
            coco_mask()  # says how to install it, where it is missing
        self._split = split

    def __len__(self) -> int:
        return len(self._clips)

    def name(self, number: int) -> str:
        """Return the key of the clip."""
        return self._clips[number].key

    def read(self, rng: np.random.Generator, number: int) -> Still:
        """Return a frame of clip `number` that shows an object, where one does.

        ValueError for damaged bytes, or a clip without any ids or instances.
        """
        clip = self._clips[number]
        with_instances = set(self._corpus.instance_frames(clip.key))
        frames = [t for t in range(clip.num_frames) if t in with_instances or self._corpus.is_annotated(clip.key, t)]
        if not frames:
            raise ValueError(f"no frame of clip {clip.key} of {self._corpus.root} has ids; give another corpus")
        for t in rng.permutation(frames) if len(frames) > 1 else frames:
            if t in with_instances:
                masks, facts = self._corpus.read_instances(clip.key, int(t))
                rgb = self._corpus.read_rgb(clip.key, int(t))
                ids = paint_instances(masks, [bool(fact["is_crowd"]) for fact in facts])
            else:
                rgb, ids = self._corpus.read_frame(clip.key, int(t))
            still = Still(name=clip.key, rgb=rgb, ids=ids)
            if len(still.object_ids()):
                break
        return still

    def fingerprint(self) -> str:
        """Return a hash of the hashes of the shards."""
        hashes = [shard["sha256"] for shard in self._corpus.index["shards"]]
        return hashlib.sha256("\n".join([self._split, *hashes]).encode()).hexdigest()[:16]

    def _has_instances(self, clip: ClipEntry) -> bool:
        # The index does not tell them from frames without annotation; the manifests do.
        return self._corpus.num_annotated(clip.key) < clip.num_frames and bool(self._corpus.instance_frames(clip.key))


def paint_instances(masks: np.ndarray, is_crowd: Sequence[bool]) -> np.ndarray:
    """Return the ids of instances, uint8 (H, W), as packing with `labels=ids` has them.

    masks: bool (N, H, W). Ids count from 1 in their order. Where masks overlap the smaller is on top, so that none but
    one that smaller ones cover whole is lost, and the larger lacks what they cover. Crowds lie below all, and the
    smallest beyond 254 above; both are 255, to be ignored.
    """
    areas = np.count_nonzero(masks, axis=(1, 2))
    objects = [n for n in np.argsort(-areas, kind="stable") if not is_crowd[n]]
    number_of = {n: number for number, n in enumerate(sorted(objects[: IGNORE_ID - 1]), start=1)}
    ids = np.zeros(masks.shape[1:], np.uint8)
    for n in [*np.flatnonzero(is_crowd), *objects]:
        ids[masks[n]] = number_of.get(n, IGNORE_ID)
    return ids


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
