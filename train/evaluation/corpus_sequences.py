"""Clips of a corpus as annotated sequences."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from ...datagen.corpus.reader import Corpus
from ...datagen.corpus.records import IGNORE_ID, ClipEntry
from .errors import EvaluationError
from .sequences import AnnotatedSequence, SequenceSet, listed


def open_corpus(root: Path | str, split: str, *, from_first: bool = True) -> SequenceSet:
    """Open the clips of a split ("train", "val" or "all"), with from_first those that show an object in frame 0 alone.

    Raises EvaluationError for a damaged corpus, a split without clips and a clip with frames that have no ids.
    """
    try:
        corpus = Corpus.open(root)
        clips = corpus.split(split)
    except ValueError as error:
        raise EvaluationError(str(error)) from error
    if not clips:
        sizes = {s: len(corpus.split(s)) for s in ("train", "val")}
        raise EvaluationError(
            f"corpus {root} has no clip in split {split}: train holds {sizes['train']} clips, val {sizes['val']}; "
            "choose another --split, or render with clips set apart for validation"
        )
    sequences = [_corpus_sequence(corpus, clip) for clip in clips]
    shown = [sequence for sequence in sequences if not from_first or sequence.read_truth(0).any()]
    if not shown:
        raise EvaluationError(f"corpus {root}: no clip of split {split} shows an object in its first frame")
    return SequenceSet(
        root=root,
        kind="corpus",
        split=split,
        sequences=tuple(shown),
        left_out=tuple(sequence.name for sequence in sequences if sequence not in shown),
    )


def _corpus_sequence(corpus: Corpus, clip: ClipEntry) -> AnnotatedSequence:
    unannotated = [str(t) for t in range(clip.num_frames) if not corpus.is_annotated(clip.key, t)]
    if unannotated:
        raise EvaluationError(f"clip {clip.key}: frames {listed(unannotated)} have no ids, so it cannot be scored")

    def read_frame(t: int) -> np.ndarray:
        return _or_error(corpus.read_rgb, clip.key, t)

    def read_truth(t: int) -> np.ndarray:
        ids = _or_error(corpus.read_ids, clip.key, t)
        return np.where(ids == IGNORE_ID, 0, ids).astype(np.uint8)

    return AnnotatedSequence(
        name=clip.key,
        frame_names=tuple(f"{t:05d}" for t in range(clip.num_frames)),
        read_frame=read_frame,
        read_luma=lambda t: cv2.cvtColor(read_frame(t), cv2.COLOR_RGB2GRAY),
        read_truth=read_truth,
    )


def _or_error(read: Callable[[str, int], np.ndarray], key: str, t: int) -> np.ndarray:
    try:
        return read(key, t)
    except ValueError as error:
        raise EvaluationError(str(error)) from error
