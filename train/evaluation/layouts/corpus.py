"""Clips of a corpus as annotated sequences."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ....datagen.corpus.reader import Corpus
from ....datagen.corpus.records import ClipEntry
from ..errors import EvaluationError, as_evaluation_errors
from ..sequences import AnnotatedSequence, Protocol, SequenceSet, listed


def open_corpus(
    root: Path | str, split: str, *, from_first: bool = True, sparse: bool = False, protocol: Protocol = "davis"
) -> SequenceSet:
    """Open the clips of a split ("train", "val" or "all"); see `open_sequences`.

    Left out are clips without anything to follow: with from_first those that show no object in frame 0, by the
    YouTube-VOS protocol those without objects at all.
    Raises EvaluationError for a damaged corpus, a split without clips and, unless `sparse`, frames that have no ids.
    """
    with as_evaluation_errors():
        # Absolute, as workers may have another current directory.
        corpus = Corpus.open(root if "://" in str(root) else Path(root).absolute())
        clips = corpus.split(split)
    if not clips:
        sizes = {s: len(corpus.split(s)) for s in ("train", "val")}
        raise EvaluationError(
            f"corpus {root} has no clip in split {split}: train holds {sizes['train']} clips, val {sizes['val']}; "
            "choose another --split, or render with clips set apart for validation"
        )
    sequences = [_sequence(corpus, clip, sparse, protocol) for clip in clips]
    shown = [sequence for sequence in sequences if _can_be_followed(sequence, from_first)]
    if not shown:
        raise EvaluationError(f"corpus {root}: no clip of split {split} shows an object in its first frame")
    return SequenceSet(
        root=root,
        kind="corpus",
        split=split,
        sequences=tuple(shown),
        left_out=tuple(sequence.name for sequence in sequences if sequence not in shown),
    )


def _can_be_followed(sequence: AnnotatedSequence, from_first: bool) -> bool:
    if sequence.first_frames is not None:
        return bool(sequence.first_frames)
    return not from_first or (0 in sequence.annotated_frames and bool(sequence.read_truth(0).any()))


@dataclass(frozen=True)
class _Clip:
    """Frames and labels of one clip; it travels as place and key, not with the tables of all clips."""

    corpus: Corpus
    key: str

    def __reduce__(self) -> tuple:
        return _clip_of, (self.corpus.root, self.key)

    def read_frame(self, t: int) -> np.ndarray:
        with as_evaluation_errors():
            return self.corpus.read_rgb(self.key, t)

    def read_luma(self, t: int) -> np.ndarray:
        return cv2.cvtColor(self.read_frame(t), cv2.COLOR_RGB2GRAY)

    def read_labels(self, t: int) -> np.ndarray:
        with as_evaluation_errors():
            return self.corpus.read_ids(self.key, t)


def _clip_of(root: Path | str, key: str) -> _Clip:
    return _Clip(_opened(root), key)


@functools.lru_cache(maxsize=4)
def _opened(root: Path | str) -> Corpus:
    """The corpus in a process that sequences were sent to."""
    return Corpus.open(root)


def _sequence(corpus: Corpus, clip: ClipEntry, sparse: bool, protocol: Protocol) -> AnnotatedSequence:
    annotated = None
    if not corpus.has_all_ids(clip.key):
        annotated = tuple(corpus.annotated_frames(clip.key).tolist())
        if not sparse or not annotated:
            unannotated = [str(t) for t in range(clip.num_frames) if t not in annotated]
            raise EvaluationError(f"clip {clip.key}: frames {listed(unannotated)} have no ids, so it cannot be scored")
    first_frames, categories = None, {}
    if protocol == "youtube-vos":
        # The metadata of every clip is read for this protocol alone: it is a read each, maybe from a distant store.
        with as_evaluation_errors():
            objects = corpus.metadata(clip.key)["objects"]
        frames = range(clip.num_frames) if annotated is None else annotated
        shown = {entry["id"]: [t for t in frames if entry["area"][t]] for entry in objects}
        first_frames = {i: seen[0] for i, seen in shown.items() if seen}
        categories = {entry["id"]: entry["category"] for entry in objects if entry.get("category")}
    files = _Clip(corpus, clip.key)
    return AnnotatedSequence(
        name=clip.key,
        frame_names=tuple(f"{t:05d}" for t in range(clip.num_frames)),
        read_frame=files.read_frame,
        read_luma=files.read_luma,
        read_labels=files.read_labels,
        annotated=annotated,
        first_frames=first_frames,
        categories=categories,
    )
