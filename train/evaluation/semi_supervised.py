"""Semi-supervised evaluation: the first mask is given, a method predicts the rest, and J and F are measured.

Every method has a result folder: masks/<sequence>/00000.png and scores/<sequence>.json. The score file is written after
its masks, so a sequence that has one with the same settings is finished, and the same command goes on behind it.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...datagen.imaging.images import encode_palette_png
from ...datagen.storage.files import atomic_write_json, read_json
from .errors import EvaluationError
from .methods import Method
from .scores import SequenceScores, check_length, object_ids, score_frame
from .sequences import AnnotatedSequence


def evaluate(
    method: Method,
    sequences: Sequence[AnnotatedSequence],
    *,
    include_ends: bool = False,
    overwrite: bool = False,
    on_frame: Callable[[str, int], None] = lambda name, num_frames: None,
) -> list[SequenceScores]:
    """Predict and score all sequences, except those finished before with the same settings.

    on_frame(sequence name, frames done since the last call) reports progress. Raises EvaluationError when the folder
    holds results of other settings (unless `overwrite`), or a sequence cannot be scored.
    """
    scores = []
    for sequence in sequences:
        check_length(sequence.name, sequence.num_frames, include_ends)
        first_ids = sequence.read_truth(0)
        settings = {
            **method.settings,
            "num_frames": sequence.num_frames,
            "first_mask_sha256": hashlib.sha256(np.ascontiguousarray(first_ids)).hexdigest(),
        }
        found = None if overwrite else _finished(method.folder, sequence, settings)
        if found is None:
            _check_first_frame(sequence, first_ids)
            found = _run(method, sequence, first_ids, settings, on_frame)
        else:
            on_frame(sequence.name, sequence.num_frames)
        scores.append(found)
    return scores


def masks_folder(method_folder: Path, sequence_name: str) -> Path:
    return method_folder / "masks" / sequence_name


def _score_file(method_folder: Path, sequence_name: str) -> Path:
    return method_folder / "scores" / f"{sequence_name}.json"


def _finished(folder: Path, sequence: AnnotatedSequence, settings: dict[str, Any]) -> SequenceScores | None:
    path = _score_file(folder, sequence.name)
    if not path.is_file():
        return None
    try:
        record = read_json(path)
    except ValueError:
        # Damaged after it was written: as good as not there.
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
    if not all((masks / f"{name}.png").is_file() for name in sequence.frame_names):
        return None
    objects = {int(i): values for i, values in record["objects"].items()}
    return SequenceScores(name=sequence.name, objects=objects, seconds=record["seconds"])


def _run(
    method: Method,
    sequence: AnnotatedSequence,
    first_ids: np.ndarray,
    settings: dict[str, Any],
    on_frame: Callable[[str, int], None],
) -> SequenceScores:
    ids = object_ids(first_ids)
    if not ids:
        raise EvaluationError(
            f"sequence {sequence.name}: its first annotation holds no object, so nothing can be followed"
        )
    target, score_file = masks_folder(method.folder, sequence.name), _score_file(method.folder, sequence.name)
    partial = target.with_name(f".{sequence.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    score_file.parent.mkdir(parents=True, exist_ok=True)
    score_file.unlink(missing_ok=True)

    objects: dict[int, dict[str, list[float]]] = {i: {"J": [], "F": []} for i in ids}
    seconds = 0.0
    predictions = iter(method.propagate(sequence, first_ids))
    for t, name in enumerate(sequence.frame_names):
        started = time.perf_counter()
        prediction = next(predictions, None)
        seconds += time.perf_counter() - started
        truth = sequence.read_truth(t)
        _check_prediction(method.label, sequence.name, name, prediction, truth)
        (partial / f"{name}.png").write_bytes(encode_palette_png(prediction))
        for i, (region, boundary) in score_frame(truth, prediction, ids).items():
            objects[i]["J"].append(region)
            objects[i]["F"].append(boundary)
        on_frame(sequence.name, 1)

    shutil.rmtree(target, ignore_errors=True)
    partial.rename(target)
    record = {
        "method": method.label,
        "settings": settings,
        "seconds": seconds,
        "frames": list(sequence.frame_names),
        "objects": {str(i): values for i, values in objects.items()},
    }
    atomic_write_json(score_file, record)
    return SequenceScores(name=sequence.name, objects=objects, seconds=seconds)


def _check_first_frame(sequence: AnnotatedSequence, first_ids: np.ndarray) -> None:
    frame = sequence.read_frame(0)
    if frame.shape[:2] != first_ids.shape:
        raise EvaluationError(
            f"sequence {sequence.name}, frame {sequence.frame_names[0]} is {_size(frame)}, its annotation "
            f"{_size(first_ids)}; frames and annotations of a sequence must all have one size"
        )


def _check_prediction(label: str, sequence: str, frame: str, prediction: np.ndarray | None, truth: np.ndarray) -> None:
    if prediction is None:
        raise RuntimeError(f"{label} ended before frame {frame} of {sequence}; it must yield one mask a frame")
    if prediction.shape != truth.shape:
        raise EvaluationError(
            f"sequence {sequence}, frame {frame}: the mask is {_size(prediction)}, its annotation {_size(truth)}; "
            "frames and annotations of a sequence must all have one size"
        )


def _size(picture: np.ndarray) -> str:
    return f"{picture.shape[1]}x{picture.shape[0]}"
