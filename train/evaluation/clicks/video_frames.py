"""Frames of videos, and pictures of corpora, to click on."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ....datagen.corpus.reader import Corpus
from ..errors import EvaluationError, as_evaluation_errors
from ..rounds.correction import spread_over
from ..sequences import AnnotatedSequence, SequenceSet
from .objects import ClickObject, Which, objects_of_ids, objects_of_instances


@dataclass(frozen=True, kw_only=True)
class SequenceFrame:
    """One frame of a DAVIS or YouTube-VOS tree."""

    name: str
    sequence: AnnotatedSequence
    number: int
    which: Which
    min_area: int

    def objects(self) -> list[ClickObject]:
        """Read the frame and its labels; EvaluationError names a file that is broken."""
        labels = self.sequence.read_labels(self.number)
        return objects_of_ids(
            self.name, lambda: self.sequence.read_frame(self.number), labels, self.which, self.min_area
        )


@dataclass(frozen=True, kw_only=True)
class CorpusFrame:
    """One frame of a clip of a corpus, or a packed still; overlapping instances (COCO, LVIS) stay whole."""

    name: str
    root: str
    key: str
    number: int
    which: Which
    min_area: int

    def objects(self) -> list[ClickObject]:
        """Read the frame and its ids or instances; EvaluationError for damaged bytes."""
        corpus = _corpus(self.root)

        def rgb() -> np.ndarray:
            return corpus.read_rgb(self.key, self.number)

        with as_evaluation_errors():
            if self.number in corpus.instance_frames(self.key):
                masks, facts = corpus.read_instances(self.key, self.number)
                return objects_of_instances(self.name, rgb(), masks, facts, self.which, self.min_area)
            ids = corpus.read_ids(self.key, self.number)
            return objects_of_ids(self.name, rgb, ids, self.which, self.min_area)


def sequence_frames(found: SequenceSet, per_sequence: int, which: Which, min_area: int) -> Iterator[SequenceFrame]:
    """Evenly spaced annotated frames of every sequence, all where it has no more."""
    for sequence in found.sequences:
        annotated = sequence.annotated_frames
        for place in spread_over(len(annotated), per_sequence):
            yield SequenceFrame(
                name=f"{sequence.name}/{sequence.frame_names[annotated[place]]}",
                sequence=sequence,
                number=annotated[place],
                which=which,
                min_area=min_area,
            )


def corpus_frames(
    root: str, split: str, per_sequence: int, which: Which, min_area: int, only: tuple[str, ...] = ()
) -> Iterator[CorpusFrame]:
    """Evenly spaced frames with ids or instances of every clip of a split, all where it has no more.

    Raises EvaluationError for a damaged corpus, a split without clips and an unknown clip.
    """
    with as_evaluation_errors():
        corpus = _corpus(root)
        clips = corpus.split(split)
    if not clips:
        sizes = ", ".join(f"{name} holds {len(corpus.split(name))}" for name in ("train", "val"))
        raise EvaluationError(f"corpus {root} has no clip in split {split}: {sizes}; choose another --split")
    unknown = sorted(set(only) - {clip.key for clip in clips})
    if unknown:
        raise EvaluationError(f"corpus {root} has no clip {unknown[0]!r} in its split {split}")
    for clip in clips:
        if only and clip.key not in only:
            continue
        shown = sorted({*corpus.annotated_frames(clip.key).tolist(), *corpus.instance_frames(clip.key)})
        for place in spread_over(len(shown), per_sequence):
            number = shown[place]
            name = f"{clip.key}/{number:05d}" if clip.num_frames > 1 else clip.key
            yield CorpusFrame(name=name, root=root, key=clip.key, number=number, which=which, min_area=min_area)


@functools.lru_cache(maxsize=2)
def _corpus(root: str) -> Corpus:
    """Opened once in each process; a task carries its place alone."""
    return Corpus.open(root)
