"""The command `vosforge-eval masks`: score a folder of palette PNGs that any program may have written."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console

from ...datagen.farm.task import FarmSettings
from ...datagen.imaging.images import decode_ids, decode_mask_picture
from ...datagen.storage.files import atomic_write_json
from .errors import EvaluationError
from .jobs import IN_PROCESS, frames_done, map_sequences
from .layouts.youtube_vos import with_seen_classes
from .output_folder import check_output_file, check_output_folder, hold_output_folder
from .score_report.numbers import print_tables, write_csvs
from .score_report.page import write_score_report
from .scores import SequenceScores, summarise
from .sequence_scores import frames_that_count, ids_given, score_sequence, without_unscored
from .sequences import (
    AnnotatedSequence,
    Protocol,
    SequenceSet,
    choose_sequences,
    given_masks,
    open_sequences,
    values_in,
)


@dataclass(frozen=True, kw_only=True)
class MasksSettings:
    """Which truth, which results; fields as the command's flags."""

    root: Path | str
    results: Path
    out: Path | None = None
    json: Path | None = None
    split: str = "val"
    year: str | None = None
    protocol: Protocol | None = None
    train_meta: Path | None = None
    sequences: tuple[str, ...] = ()
    include_ends: bool = False
    farm: FarmSettings = IN_PROCESS


class Results(NamedTuple):
    """A folder of masks, and whether the given and the last frames are scored too."""

    folder: Path
    include_ends: bool = False


def evaluate_masks(settings: MasksSettings, console: Console) -> dict[str, Any]:
    """Score <results>/<sequence>/<frame>.png for every scored frame of the split; return and print the results.

    Writes report.html, results.json and the benchmark's CSVs to `out`, by default the folder of the results unless it
    lies in the root or cannot be written to, and the same numbers to `json`.
    Raises EvaluationError that names the file for a missing frame, another size, a picture without palette and an id
    that the first annotation does not have.
    """
    found = open_sequences(settings.root, settings.split, settings.year, sparse=True, protocol=settings.protocol)
    chosen = with_seen_classes(choose_sequences(found, settings.sequences), settings.train_meta)
    chosen = without_unscored(chosen, settings.include_ends)
    if not settings.results.is_dir():
        raise EvaluationError(f"--results {settings.results} is not a folder; give one with <sequence>/00000.png")
    out = _out(settings)
    if settings.json is not None:
        check_output_file(settings.json, "--json")
    results = Results(settings.results.absolute(), settings.include_ends)
    for sequence in chosen.sequences:
        _check_complete(sequence, results)
    # All files are looked for above, before the first is scored; a fault inside one shows when it is read.
    with contextlib.nullcontext() if out is None else hold_output_folder(out, "masks"):
        scores = map_sequences(score_folder, chosen.sequences, settings.farm, shared=results, console=console)
        summary = summarise(scores, settings.include_ends, chosen.seen)
        content = {
            # The benchmark's numbers stand at the top, where a script looks for them.
            **summary["global"],
            "root": str(settings.root),
            "results": str(settings.results),
            "kind": chosen.kind,
            "split": chosen.split,
            "first_and_last_frame_scored": settings.include_ends,
            **summary,
        }
        print_tables({settings.results.name: summary}, console, f"{settings.results} on {settings.root}")
        if chosen.left_out:
            console.print(f"left out, nothing to follow or to score: {', '.join(chosen.left_out)}", highlight=False)
        if settings.json is not None:
            _write_json(settings.json, content)
        if out is None:
            console.print("no report: the results lie in --root, or cannot be written to; give --out", highlight=False)
        else:
            _write(content, summary, scores, chosen, settings, out)
            console.print(f"results in {out}: report.html, results.json, CSVs", highlight=False, soft_wrap=True)
    return content


def score_folder(results: Results, sequence: AnnotatedSequence) -> SequenceScores:
    """Score the palette PNGs of one sequence, <folder>/<sequence>/<frame>.png, in the frames that count."""
    given = ids_given(given_masks(sequence))

    def read(t: int, labels: np.ndarray) -> np.ndarray:
        path = results.folder / sequence.name / f"{sequence.frame_names[t]}.png"
        return read_prediction(path, labels.shape, list(given))

    frames = frames_that_count(sequence, results.include_ends)
    return score_sequence(sequence, given, frames, read, on_frame=lambda: frames_done(1))


def read_prediction(path: Path, shape: tuple[int, int], ids: list[int]) -> np.ndarray:
    """Read a predicted mask as uint8 ids (H, W) of `shape`, or raise EvaluationError naming the file and the fault."""
    try:
        mode, prediction, _ = decode_mask_picture(path.read_bytes())
    except FileNotFoundError:
        raise EvaluationError(f"prediction {path} is missing; every scored frame needs one") from None
    except ValueError as error:
        raise EvaluationError(f"prediction {path} is not a whole picture; write it again") from error
    if mode != "P":
        raise EvaluationError(
            f"prediction {path} is no palette PNG, its mode is {mode}; save ids as an 8-bit palette picture, index = id"
        )
    if prediction.shape != shape:
        raise EvaluationError(
            f"prediction {path} is {prediction.shape[1]}x{prediction.shape[0]}, its annotation {shape[1]}x{shape[0]}; "
            "save it at the annotation's size"
        )
    extra = sorted(set(values_in(prediction)) - {0, *ids})
    if extra:
        raise EvaluationError(
            f"prediction {path} holds id {extra[0]}; the objects that are given are {', '.join(map(str, ids))}, "
            "and 0 is background"
        )
    return prediction


def _out(settings: MasksSettings) -> Path | None:
    """Where the report goes; None where the results lie in a place that nothing is written to.

    EvaluationError, before anything is scored, when a folder that was asked for cannot be written to.
    """
    if settings.out is None:
        root = Path(str(settings.root)).absolute()
        results = settings.results.absolute()
        return settings.results if root not in results.parents and os.access(results, os.W_OK) else None
    beside = settings.out.resolve() == settings.results.resolve()
    check_output_folder(settings.out, command=None if beside else "masks")
    return settings.out


def _write(
    content: dict[str, Any],
    summary: dict[str, Any],
    scores: list[SequenceScores],
    chosen: SequenceSet,
    settings: MasksSettings,
    out: Path,
) -> None:
    write_csvs(summary, out, chosen.split)
    _write_json(out / "results.json", content)
    label = settings.results.name

    def read(_: str, sequence: AnnotatedSequence, t: int) -> np.ndarray:
        return decode_ids((settings.results / sequence.name / f"{sequence.frame_names[t]}.png").read_bytes())

    write_score_report(
        out / "report.html",
        title=f"J and F of {label}",
        chosen=chosen,
        scores={label: scores},
        summaries={label: summary},
        read_prediction=read,
        include_ends=settings.include_ends,
        facts={"data": f"{settings.root}, {chosen.kind}, split {chosen.split}", "masks": str(settings.results)},
    )


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write_json(path, content)


def _check_complete(sequence: AnnotatedSequence, results: Results) -> None:
    folder = results.folder / sequence.name
    if not folder.is_dir():
        raise EvaluationError(
            f"{results.folder} has no folder for sequence {sequence.name}; every sequence must be there"
        )
    scored = frames_that_count(sequence, results.include_ends)
    missing = [name for t in scored if not (folder / f"{(name := sequence.frame_names[t])}.png").is_file()]
    if missing:
        raise EvaluationError(f"{folder} lacks {len(missing)} of {len(scored)} scored frames, first {missing[0]}.png")
