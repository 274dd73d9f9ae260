"""The command `vosforge-eval masks`: score a folder of palette PNGs that any program may have written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track

from ...datagen.imaging.images import decode_ids
from ...datagen.storage.files import atomic_write_json
from .errors import EvaluationError
from .report import print_tables
from .scores import SequenceScores, check_length, object_ids, score_frame, summarise
from .sequences import AnnotatedSequence, open_sequences


@dataclass(frozen=True, kw_only=True)
class MasksSettings:
    """Which truth, which results; fields as the command's flags."""

    root: Path | str
    results: Path
    json: Path | None = None
    split: str = "val"
    year: str | None = None
    include_ends: bool = False


def evaluate_masks(settings: MasksSettings, console: Console) -> dict[str, Any]:
    """Score <results>/<sequence>/<frame>.png for every scored frame of the split, print the tables, return the results.

    Raises EvaluationError that names the file for a missing frame, another size, a picture without palette and an id
    that the first annotation does not have.
    """
    found = open_sequences(settings.root, settings.split, settings.year)
    if not settings.results.is_dir():
        raise EvaluationError(f"--results {settings.results} is not a folder; give one with <sequence>/00000.png")
    for sequence in found.sequences:
        _check_complete(sequence, settings.results, settings.include_ends)
    # All files are looked for above, before the first is scored; a fault inside one shows when it is read.
    scores = [
        score_folder(sequence, settings.results / sequence.name, settings.include_ends)
        for sequence in track(found.sequences, "scoring", console=console)
    ]
    # Unscored end frames were never read, so no frame may be dropped twice.
    summary = summarise(scores, include_ends=True)
    results = {"root": str(settings.root), "results": str(settings.results), "split": settings.split, **summary}
    results["first_and_last_frame_scored"] = settings.include_ends
    if settings.json is not None:
        settings.json.parent.mkdir(parents=True, exist_ok=True)
        atomic_write_json(settings.json, results)
    print_tables({settings.results.name: summary}, console, f"{settings.results} on {settings.root}")
    return results


def score_folder(
    sequence: AnnotatedSequence,
    folder: Path,
    include_ends: bool = False,
    on_frame: Callable[[int], None] = lambda t: None,
) -> SequenceScores:
    """Score the palette PNGs of one sequence, without the first and last frame unless `include_ends`."""
    ids = object_ids(sequence.read_truth(0))
    if not ids:
        raise EvaluationError(f"sequence {sequence.name}: its first annotation holds no object")
    objects: dict[int, dict[str, list[float]]] = {i: {"J": [], "F": []} for i in ids}
    for t in _scored_frames(sequence, include_ends):
        truth = sequence.read_truth(t)
        prediction = read_prediction(folder / f"{sequence.frame_names[t]}.png", truth.shape, ids)
        for i, (region, boundary) in score_frame(truth, prediction, ids).items():
            objects[i]["J"].append(region)
            objects[i]["F"].append(boundary)
        on_frame(t)
    return SequenceScores(name=sequence.name, objects=objects)


def read_prediction(path: Path, shape: tuple[int, int], ids: list[int]) -> np.ndarray:
    """Read a predicted mask as uint8 ids (H, W) of `shape`, or raise EvaluationError naming the file and the fault."""
    try:
        prediction = decode_ids(path.read_bytes())
    except FileNotFoundError:
        raise EvaluationError(f"prediction {path} is missing; every scored frame needs one") from None
    except ValueError as error:
        raise EvaluationError(
            f"prediction {path} is no palette PNG ({error}); save ids as an 8-bit palette picture, index = id"
        ) from error
    if prediction.shape != shape:
        raise EvaluationError(
            f"prediction {path} is {prediction.shape[1]}x{prediction.shape[0]}, its annotation {shape[1]}x{shape[0]}; "
            "save it at the annotation's size"
        )
    extra = sorted(set(np.unique(prediction).tolist()) - {0, *ids})
    if extra:
        raise EvaluationError(
            f"prediction {path} holds id {extra[0]}; the first annotation has {', '.join(map(str, ids))} "
            "and 0 for background"
        )
    return prediction


def _scored_frames(sequence: AnnotatedSequence, include_ends: bool) -> range:
    check_length(sequence.name, sequence.num_frames, include_ends)
    return range(sequence.num_frames) if include_ends else range(1, sequence.num_frames - 1)


def _check_complete(sequence: AnnotatedSequence, results: Path, include_ends: bool) -> None:
    folder = results / sequence.name
    if not folder.is_dir():
        raise EvaluationError(f"{results} has no folder for sequence {sequence.name}; every sequence must be there")
    scored = _scored_frames(sequence, include_ends)
    missing = [name for t in scored if not (folder / f"{(name := sequence.frame_names[t])}.png").is_file()]
    if missing:
        raise EvaluationError(f"{folder} lacks {len(missing)} of {len(scored)} scored frames, first {missing[0]}.png")
