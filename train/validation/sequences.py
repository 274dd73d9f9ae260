"""J and F of a propagation network over whole videos: held-out clips of a corpus, or a folder in the DAVIS layout."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from torch import nn

from ..evaluation.errors import EvaluationError
from ..evaluation.pictures import tinted
from ..evaluation.scores import SequenceScores, object_ids, summarise
from ..evaluation.sequence_scores import ids_given, score_sequence
from ..evaluation.sequences import AnnotatedSequence, given_masks, open_sequences
from ..inference.propagation import PropagationSettings, propagate
from .validator import Validation

MIN_FRAMES = 3
NUM_SHOWN_FRAMES = 5
TILE_WIDTH = 240
_CAPTION_HEIGHT = 18


@dataclass(frozen=True, kw_only=True)
class SequenceSettings:
    """How much of a set of videos is looked at, and how the network runs over it.

    max_sequences: this many, evenly spaced over the set's list; max_frames: of each, its first ones; None takes all.
    With None for both the numbers are those of `vosforge-eval davis`. memory_every, top_k and short_side as there.
    num_shown: sequences in the picture.
    """

    max_sequences: int | None = 8
    max_frames: int | None = 40
    memory_every: int = 5
    top_k: int | None = 50
    short_side: int | None = None
    num_shown: int = 4

    def __post_init__(self) -> None:
        for name, least in (("max_sequences", 1), ("max_frames", MIN_FRAMES)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"{name} is {value}; give at least {least}, or None for all")


class SequenceValidator:
    """Propagates the first mask of each video and measures J and F of the frames behind it, as `vosforge-eval davis` by
    the protocol of DAVIS: void is not scored, and neither is the last frame.

    Metrics are <name>/J&F, <name>/J and <name>/F, means over all objects; the score is J&F. The picture has one row a
    video: predictions tinted, the truth outlined. origin: place and split of the videos, and a digest of them; without
    one it is made of the names of their frames and the given masks. EvaluationError for a video that shows no object in
    its first frame.
    """

    def __init__(
        self,
        name: str,
        sequences: Sequence[AnnotatedSequence],
        settings: SequenceSettings,
        device: str = "cpu",
        origin: Mapping[str, Any] | None = None,
    ) -> None:
        self.name, self.settings = name, settings
        self.sequences = chosen(sequences, settings)
        digest = hashlib.sha256()
        for sequence in self.sequences:
            given = sequence.read_truth(0)
            digest.update(repr((sequence.name, sequence.frame_names, given.shape)).encode() + given.tobytes())
            if not object_ids(given):
                raise EvaluationError(
                    f"video {sequence.name} of {name} shows no object in its first frame, so nothing can be followed; "
                    "leave it out of the list"
                )
        limits = {limit: value for limit, value in asdict(settings).items() if limit != "num_shown"}
        self._measured = {"metric": "J&F", "digest": digest.hexdigest(), **(origin or {}), **limits}
        self._propagation = PropagationSettings(
            memory_every=settings.memory_every, top_k=settings.top_k, short_side=settings.short_side, device=device
        )

    def __call__(self, network: nn.Module, step: int) -> Validation:
        """Run the network over all videos."""
        scores, rows = [], []
        for index, sequence in enumerate(self.sequences):
            tiled = _tiled_frames(sequence) if index < self.settings.num_shown else ()
            found, predicted = self._follow(network, sequence, tiled)
            scores.append(found)
            rows += [_row(sequence, found, predicted)] if predicted else []
        means = summarise(scores)["global"]
        return Validation(
            metrics={f"{self.name}/{measure}": means[f"{measure}-Mean"] for measure in ("J&F", "J", "F")},
            pictures={self.name: _stacked(rows)} if rows else {},
            score=means["J&F-Mean"],
            measured=self._measured,
        )

    def _follow(
        self, network: nn.Module, sequence: AnnotatedSequence, tiled: Collection[int]
    ) -> tuple[SequenceScores, dict[int, np.ndarray]]:
        """Return the scores of all frames, and the predicted ids of those that are `tiled`, by frame number."""
        given = given_masks(sequence)
        frames = (sequence.read_frame(t) for t in range(sequence.num_frames))
        predictions, kept = propagate(network, frames, given, self._propagation), {}

        def next_prediction(t: int, _labels: np.ndarray) -> np.ndarray:
            predicted = next(predictions)
            if t in tiled:
                kept[t] = predicted
            return predicted

        return score_sequence(sequence, ids_given(given), range(sequence.num_frames), next_prediction), kept


def open_validation_sequences(place: Path | str, split: str = "val") -> tuple[AnnotatedSequence, ...]:
    """Return the videos of a place, a DAVIS tree or a corpus, that are long enough to be scored.

    EvaluationError, a ValueError, when there is none, or something is missing.
    """
    try:
        found = open_sequences(place, split, protocol="davis")
    except EvaluationError as error:
        # Of the evaluation's command, which has a flag for it.
        raise EvaluationError(str(error).replace("--split", "the split, by DIR=SPLIT,")) from error
    long_enough = tuple(sequence for sequence in found.sequences if sequence.num_frames >= MIN_FRAMES)
    if not long_enough:
        raise EvaluationError(
            f"{place}: no video of {MIN_FRAMES} frames or more in its split {split!r}; J and F need the frames between "
            "the first and the last"
        )
    return long_enough


def chosen(sequences: Sequence[AnnotatedSequence], settings: SequenceSettings) -> tuple[AnnotatedSequence, ...]:
    """Return at most `max_sequences`, evenly spaced, each cut to its first `max_frames` frames."""
    count = min(len(sequences), settings.max_sequences or len(sequences))
    places = np.unique(np.linspace(0, len(sequences) - 1, count).round().astype(int))
    return tuple(
        replace(sequences[i], frame_names=sequences[i].frame_names[: settings.max_frames]) for i in places.tolist()
    )


def _tiled_frames(sequence: AnnotatedSequence) -> set[int]:
    """Frames evenly spaced from the first, which is given, to the last, which is not scored, and shown all the same."""
    last = sequence.num_frames - 1
    return {round(last * k / (NUM_SHOWN_FRAMES - 1)) for k in range(NUM_SHOWN_FRAMES)}


def _row(sequence: AnnotatedSequence, scores: SequenceScores, predicted: Mapping[int, np.ndarray]) -> np.ndarray:
    """The tiles of a video side by side, uint8 (h, w, 3); predicted: uint8 ids (H, W) by frame number."""
    means, tiles = scores.frame_means("J"), []
    for t, ids in predicted.items():
        caption = f"{sequence.name}  given" if t == 0 else f"frame {t}  J {means[t]:.2f}"
        tiles.append(_tile(sequence.read_frame(t), ids, sequence.read_truth(t), caption))
    return np.concatenate(tiles, axis=1)


def _tile(rgb: np.ndarray, predicted: np.ndarray, truth: np.ndarray, caption: str) -> np.ndarray:
    height = round(TILE_WIDTH * rgb.shape[0] / rgb.shape[1])
    strip = np.full((_CAPTION_HEIGHT, TILE_WIDTH, 3), 255, np.uint8)
    cv2.putText(strip, caption, (4, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (20, 20, 20), 1, cv2.LINE_AA)
    return np.concatenate([strip, tinted(rgb, predicted, truth, TILE_WIDTH, height)])


def _stacked(rows: Sequence[np.ndarray]) -> np.ndarray:
    width = max(row.shape[1] for row in rows)
    padded = [np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0)), constant_values=255) for row in rows]
    return np.concatenate(padded)
