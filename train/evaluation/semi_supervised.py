"""Semi-supervised evaluation: first masks are given, a method predicts the rest, and J and F are measured.

Every method has a result folder: masks/<sequence>/00000.png and scores/<sequence>.json. The score file is written after
its masks, so a sequence that has one with the same settings is finished, and the same command goes on behind it.
"""

from __future__ import annotations

import hashlib
import math
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ...datagen.farm.task import FarmSettings
from ...datagen.imaging.images import encode_palette_png
from ...datagen.storage.files import atomic_write_json, read_json
from .errors import EvaluationError
from .jobs import IN_PROCESS, Task, frames_done, map_tasks
from .methods import Method
from .scores import SequenceScores, nothing_scored, object_ids, score_frame
from .sequences import AnnotatedSequence, given_masks, read_frame_of_size

if TYPE_CHECKING:
    from rich.console import Console

SCORES_SCHEMA = 2
"""Raised when the same masks score otherwise; older score files are computed again."""


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
    """Label -> scores of all sequences, predicted and scored now except those finished before with the same settings.

    masks_only: only write the masks; then the scores are empty.
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
    """The scores of a method on a sequence, read where they are finished."""
    method, sequence = run
    given = given_masks(sequence)
    if settings.masks_only:
        sequence = replace(sequence, annotated=())
    else:
        _check_length(sequence, given, settings.include_ends)
    identity = {
        **method.settings,
        "num_frames": sequence.num_frames,
        "given_masks_sha256": _sha256(given),
    }
    found = None if settings.overwrite else _finished(method.folder, sequence, identity)
    if found is None:
        # Whatever the method reads, a frame that does not fit its mask is the data's fault and is named.
        read_frame_of_size(sequence, 0, next(iter(given.values())).shape)
        found = _predict(method, sequence, given, identity)
    return found


def masks_folder(method_folder: Path, sequence_name: str) -> Path:
    return method_folder / "masks" / sequence_name


def _score_file(method_folder: Path, sequence_name: str) -> Path:
    return method_folder / "scores" / f"{sequence_name}.json"


def _sha256(given: Mapping[int, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for t, ids in sorted(given.items()):
        digest.update(f"{t} {ids.shape} ".encode())
        digest.update(np.ascontiguousarray(ids))
    return digest.hexdigest()


def _check_length(sequence: AnnotatedSequence, given: Mapping[int, np.ndarray], include_ends: bool) -> None:
    last = sequence.num_frames - 1 if sequence.first_frames is None else sequence.num_frames
    if not include_ends and not any(min(given) < t < last for t in sequence.annotated_frames):
        raise nothing_scored(sequence.name, sequence.num_frames)


def _finished(folder: Path, sequence: AnnotatedSequence, settings: dict[str, Any]) -> SequenceScores | None:
    path = _score_file(folder, sequence.name)
    if not path.is_file():
        return None
    try:
        record = read_json(path)
    except ValueError:
        # Damaged after it was written: as good as not there.
        return None
    if record.get("schema") != SCORES_SCHEMA:
        return None
    there = record["settings"]
    changed = [key for key in sorted(there.keys() | settings.keys()) if there.get(key) != settings.get(key)]
    if changed:
        differences = ", ".join(f"{key} was {there.get(key)!r}, is {settings.get(key)!r}" for key in changed)
        raise EvaluationError(
            f"{path} holds results of other settings ({differences}); "
            "give another --out, or --overwrite to replace them"
        )
    masks = masks_folder(folder, sequence.name)
    if record["frames"] != list(sequence.annotated_frames):
        return None
    if not all((masks / f"{name}.png").is_file() for name in sequence.frame_names):
        return None
    objects = {
        int(i): {measure: [math.nan if value is None else value for value in row] for measure, row in values.items()}
        for i, values in record["objects"].items()
    }
    return _scores(sequence, objects, record["seconds"])


def _predict(
    method: Method, sequence: AnnotatedSequence, given: Mapping[int, np.ndarray], settings: dict[str, Any]
) -> SequenceScores:
    """Write the masks of all frames, then their scores."""
    target, score_file = masks_folder(method.folder, sequence.name), _score_file(method.folder, sequence.name)
    partial = target.with_name(f".{sequence.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    score_file.parent.mkdir(parents=True, exist_ok=True)
    score_file.unlink(missing_ok=True)

    first_frames = {i: t for t, ids in sorted(given.items()) for i in object_ids(ids)}
    objects: dict[int, dict[str, list[float]]] = {i: {"J": [], "F": []} for i in first_frames}
    annotated = set(sequence.annotated_frames)
    seconds = 0.0
    predictions = iter(method.propagate(sequence, given))
    for t, name in enumerate(sequence.frame_names):
        started = time.perf_counter()
        prediction = next(predictions, None)
        seconds += time.perf_counter() - started
        if prediction is None:
            raise RuntimeError(f"{method.label} ended before frame {name} of {sequence.name}; one mask a frame is due")
        (partial / f"{name}.png").write_bytes(encode_palette_png(prediction))
        if t in annotated:
            labels = sequence.read_labels(t)
            _check_size(sequence.name, name, prediction, labels)
            found = score_frame(labels, prediction, [i for i, first in first_frames.items() if first <= t])
            for i, values in objects.items():
                region, boundary = found.get(i, (math.nan, math.nan))
                values["J"].append(region)
                values["F"].append(boundary)
        frames_done(1)

    shutil.rmtree(target, ignore_errors=True)
    partial.rename(target)
    rows = {
        str(i): {measure: [None if math.isnan(value) else value for value in row] for measure, row in values.items()}
        for i, values in objects.items()
    }
    record = {
        "schema": SCORES_SCHEMA,
        "method": method.label,
        "settings": settings,
        "seconds": seconds,
        "frame_names": list(sequence.frame_names),
        "frames": list(sequence.annotated_frames),
        "given_in": {str(i): t for i, t in first_frames.items()},
        "objects": rows,
    }
    atomic_write_json(score_file, record)
    return _scores(sequence, objects, seconds)


def _scores(sequence: AnnotatedSequence, objects: dict[int, dict[str, list[float]]], seconds: float) -> SequenceScores:
    return SequenceScores(
        name=sequence.name,
        objects=objects,
        seconds=seconds,
        frames=sequence.annotated_frames,
        num_frames=sequence.num_frames,
        given=sequence.first_frames or {},
        last_is_scored=sequence.first_frames is not None,
        categories=sequence.categories,
    )


def _check_size(sequence: str, frame: str, prediction: np.ndarray, truth: np.ndarray) -> None:
    if prediction.shape != truth.shape:
        raise EvaluationError(
            f"sequence {sequence}, frame {frame}: the mask is {_size(prediction)}, its annotation {_size(truth)}; "
            "frames and annotations of a sequence must all have one size"
        )


def _size(picture: np.ndarray) -> str:
    return f"{picture.shape[1]}x{picture.shape[0]}"
