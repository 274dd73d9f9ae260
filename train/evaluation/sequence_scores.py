"""The masks of one sequence, wherever they are from, compared with the truth in the frames that are asked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from .metrics import measures
from .scores import SequenceScores, nothing_scored, object_ids
from .sequences import AnnotatedSequence, SequenceSet


def ids_given(given: Mapping[int, np.ndarray]) -> dict[int, int]:
    """Object id -> the frame whose mask of it is given, of the given masks uint8 ids (H, W) by frame number."""
    return {i: t for t, ids in sorted(given.items()) for i in object_ids(ids)}


def frames_that_count(sequence: AnnotatedSequence, include_ends: bool) -> tuple[int, ...]:
    """The annotated frames that are scored; EvaluationError when there is none.

    include_ends: all. Otherwise those behind the first given mask and, by the DAVIS protocol, without the last frame.
    """
    if include_ends:
        return sequence.annotated_frames
    first_frames = sequence.first_frames
    first = 0 if first_frames is None else min(first_frames.values(), default=0)
    last = sequence.num_frames - 1 if first_frames is None else sequence.num_frames
    frames = tuple(t for t in sequence.annotated_frames if first < t < last)
    if not frames:
        raise nothing_scored(sequence.name, sequence.num_frames, first_frames is None)
    return frames


def without_unscored(found: SequenceSet, include_ends: bool) -> SequenceSet:
    """The set without the videos whose objects all come in with their last annotated frame, which are left out by name.

    By the protocol of YouTube-VOS there is nothing to score in them; of many videos a few may be so. A set that holds
    no other stays as it is.
    """
    if include_ends:
        return found
    unscored = [
        sequence.name
        for sequence in found.sequences
        if sequence.first_frames and max(sequence.annotated_frames) <= min(sequence.first_frames.values())
    ]
    if not unscored or len(unscored) == len(found.sequences):
        return found
    kept = tuple(sequence for sequence in found.sequences if sequence.name not in unscored)
    return replace(found, sequences=kept, left_out=(*found.left_out, *unscored))


def score_sequence(
    sequence: AnnotatedSequence,
    first_frames: Mapping[int, int],
    frames: Sequence[int],
    read_prediction: Callable[[int, np.ndarray], np.ndarray],
    *,
    seconds: float = 0.0,
    on_frame: Callable[[], None] = lambda: None,
) -> SequenceScores:
    """J and F of every object in `frames`, NaN before it is given.

    first_frames: as of `ids_given`. read_prediction(t, labels): uint8 ids (H, W) of the size of the true labels.
    seconds: what predicting took. on_frame: called after each frame.
    """
    objects: dict[int, dict[str, list[float]]] = {i: {"J": [], "F": []} for i in first_frames}
    for t in frames:
        labels = sequence.read_labels(t)
        present = [i for i, first in first_frames.items() if first <= t]
        found = measures(labels, read_prediction(t, labels), present)
        for i, values in objects.items():
            values["J"].append(found[i][0] if i in found else math.nan)
            values["F"].append(found[i][1] if i in found else math.nan)
        on_frame()
    return SequenceScores(
        name=sequence.name,
        objects=objects,
        seconds=seconds,
        frames=tuple(frames),
        num_frames=sequence.num_frames,
        given=dict(first_frames),
        last_is_scored=sequence.first_frames is not None,
        categories=sequence.categories,
    )
