"""Semi-supervised evaluation: first masks are given, a method predicts the rest, and J and F are measured.

Every method has a result folder: masks/<sequence>/00000.png and scores/<sequence>.json. The score file is written after
its masks, so a sequence that has one of the same settings, frames and given masks is finished, and the same command
goes on behind it. Masks are what takes time: they are kept, and compared with the truth anew in every run.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ...datagen.farm.task import FarmSettings
from ...datagen.imaging.images import decode_ids, encode_palette_png
from ...datagen.storage.files import atomic_write_json, read_json
from .errors import EvaluationError
from .finished import arrays_sha256, finished_record
from .jobs import IN_PROCESS, Task, frames_done, map_tasks
from .methods import Method
from .output_folder import whole_folder
from .scores import SequenceScores
from .sequence_scores import frames_that_count, ids_given, score_sequence
from .sequences import AnnotatedSequence, given_masks, read_frame_of_size

if TYPE_CHECKING:
    from rich.console import Console

SCORES_SCHEMA = 3
"""Raised when the same settings give other masks; those of older score files are computed again."""


class Run(NamedTuple):
    """A method on a sequence."""

    method: Method
    sequence: AnnotatedSequence


class RunSettings(NamedTuple):
    """include_ends: refuse only sequences without any frame to compare. overwrite: use nothing that is there.

    masks_only: compare no frame at all.
    """

    include_ends: bool = False
    overwrite: bool = False
    masks_only: bool = False


def evaluate(method: Method, sequences: Sequence[AnnotatedSequence], **options: Any) -> list[SequenceScores]:
    """The scores of one method on all sequences; see `evaluate_methods`."""
    return evaluate_methods([method], sequences, **options)[method.label]


def evaluate_methods(
    methods: Sequence[Method],
    sequences: Sequence[AnnotatedSequence],
    farm: FarmSettings = IN_PROCESS,
    *,
    include_ends: bool = False,
    overwrite: bool = False,
    masks_only: bool = False,
    console: Console | None = None,
) -> dict[str, list[SequenceScores]]:
    """Label -> scores of all sequences, scored now; masks are predicted but for those finished before.

    masks_only: only write the masks; then the scores are empty, and those of an earlier run stay in their files.
    Raises EvaluationError when the folder holds results of other settings (unless `overwrite`), or a sequence cannot be
    scored, and what `jobs.map_tasks` raises.
    """
    runs = [Run(method, sequence) for method in methods for sequence in sequences]
    tasks = [Task(f"{run.method.label}, {run.sequence.name}", run, run.sequence.num_frames) for run in runs]
    settings = RunSettings(include_ends, overwrite, masks_only)
    found = map_tasks(evaluate_run, tasks, farm, shared=settings, doing="propagating", console=console)
    count = len(sequences)
    return {method.label: found[k * count : (k + 1) * count] for k, method in enumerate(methods)}


def evaluate_run(settings: RunSettings, run: Run) -> SequenceScores:
    """The scores of a method on a sequence, whose masks are read where they are finished."""
    method, sequence = run
    given = given_masks(sequence)
    if not settings.masks_only:
        frames_that_count(sequence, settings.include_ends)
    identity = {
        **method.settings,
        "num_frames": sequence.num_frames,
        "given_masks_sha256": arrays_sha256(sorted(given.items())),
        # Luma tells pictures apart as well as colours do, in half the time.
        "frames_sha256": arrays_sha256((name, sequence.read_luma(t)) for t, name in enumerate(sequence.frame_names)),
    }
    seconds = None if settings.overwrite else _finished_seconds(method.folder, sequence, identity)
    scores = None if seconds is None else _score(method, sequence, given, seconds, settings.masks_only)
    if scores is None:
        # Whatever the method reads, a frame that does not fit its mask is the data's fault and is named.
        read_frame_of_size(sequence, 0, next(iter(given.values())).shape)
        seconds = _predict(method, sequence, given)
        scores = _score(method, sequence, given, seconds, settings.masks_only)
        if scores is None:
            folder = masks_folder(method.folder, sequence.name)
            raise EvaluationError(f"{folder}: the masks were changed while they were scored; run it again")
    elif settings.masks_only:
        return scores
    _write_scores(method, sequence, given, identity, scores)
    return scores


def masks_of(method_folder: Path) -> Path:
    return method_folder / "masks"


def masks_folder(method_folder: Path, sequence_name: str) -> Path:
    return masks_of(method_folder) / sequence_name


def _score_file(method_folder: Path, sequence_name: str) -> Path:
    return method_folder / "scores" / f"{sequence_name}.json"


def _finished_seconds(folder: Path, sequence: AnnotatedSequence, identity: dict[str, Any]) -> float | None:
    """What the finished masks took; None when they are not all there."""

    def read(record: dict[str, Any]) -> float:
        if record["schema"] != SCORES_SCHEMA:
            raise ValueError(f"schema is {record['schema']}, not {SCORES_SCHEMA}")
        return float(record["seconds"])

    seconds = finished_record(_score_file(folder, sequence.name), identity, read)
    masks = masks_folder(folder, sequence.name)
    return seconds if all((masks / f"{name}.png").is_file() for name in sequence.frame_names) else None


def _predict(method: Method, sequence: AnnotatedSequence, given: Mapping[int, np.ndarray]) -> float:
    """Write the masks of all frames; return the seconds that the method took."""
    target, score_file = masks_folder(method.folder, sequence.name), _score_file(method.folder, sequence.name)
    score_file.unlink(missing_ok=True)
    seconds = 0.0
    predictions = iter(method.propagate(sequence, given))
    with whole_folder(target) as partial:
        for name in sequence.frame_names:
            started = time.perf_counter()
            prediction = next(predictions, None)
            seconds += time.perf_counter() - started
            if prediction is None:
                fault = f"{method.label} ended before frame {name} of {sequence.name}; one mask a frame is due"
                raise RuntimeError(fault)
            (partial / f"{name}.png").write_bytes(encode_palette_png(prediction))
            frames_done(1)
    return seconds


def _score(
    method: Method, sequence: AnnotatedSequence, given: Mapping[int, np.ndarray], seconds: float, masks_only: bool
) -> SequenceScores | None:
    """The scores of the masks in the files, of no frame with masks_only; None when a mask is damaged."""
    folder, damaged = masks_folder(method.folder, sequence.name), False

    def read(t: int, labels: np.ndarray) -> np.ndarray:
        nonlocal damaged
        name = sequence.frame_names[t]
        try:
            prediction = decode_ids((folder / f"{name}.png").read_bytes())
        except ValueError:
            damaged = True
            return np.zeros_like(labels)
        _check_size(sequence.name, name, prediction, labels)
        return prediction

    frames = () if masks_only else sequence.annotated_frames
    scores = score_sequence(sequence, ids_given(given), frames, read, seconds=seconds)
    return None if damaged else scores


def _write_scores(
    method: Method,
    sequence: AnnotatedSequence,
    given: Mapping[int, np.ndarray],
    identity: dict[str, Any],
    scores: SequenceScores,
) -> None:
    """Write scores/<sequence>.json, unless it says so already."""
    rows = {
        str(i): {measure: [None if math.isnan(value) else value for value in row] for measure, row in values.items()}
        for i, values in scores.objects.items()
    }
    record = {
        "schema": SCORES_SCHEMA,
        "method": method.label,
        "settings": identity,
        "seconds": scores.seconds,
        "frame_names": list(sequence.frame_names),
        "frames": list(scores.frames),
        "given_in": {str(i): t for i, t in ids_given(given).items()},
        "objects": rows,
    }
    path = _score_file(method.folder, sequence.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_file() or read_json(path) != record:
        atomic_write_json(path, record)


def _check_size(sequence: str, frame: str, prediction: np.ndarray, truth: np.ndarray) -> None:
    if prediction.shape != truth.shape:
        raise EvaluationError(
            f"sequence {sequence}, frame {frame}: the mask is {_size(prediction)}, its annotation {_size(truth)}; "
            "frames and annotations of a sequence must all have one size"
        )


def _size(picture: np.ndarray) -> str:
    return f"{picture.shape[1]}x{picture.shape[0]}"
