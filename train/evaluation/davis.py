"""The command `vosforge-eval davis`: methods over the sequences of a tree, scores and pictures into a folder."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ...datagen.storage.files import atomic_write_json
from .errors import EvaluationError
from .methods import InferenceSettings, Method, baseline_method, network_methods, parse_baselines, parse_checkpoints
from .pictures import draw_sequence
from .report import print_tables, write_csvs
from .scores import SequenceScores, summarise
from .semi_supervised import evaluate
from .sequences import SequenceSet, open_sequences

RESULTS_SCHEMA = 1


@dataclass(frozen=True, kw_only=True)
class DavisSettings:
    """What to score, on what, and where the results go; fields as the command's flags."""

    root: Path | str
    out: Path
    checkpoints: tuple[str, ...] = ()
    untrained: bool = False
    baselines: str = "copy-first-mask"
    split: str = "val"
    year: str | None = None
    sequences: tuple[str, ...] = ()
    inference: InferenceSettings = field(default_factory=InferenceSettings)
    include_ends: bool = False
    overwrite: bool = False
    num_pictures: int = 12


def evaluate_davis(settings: DavisSettings, console: Console) -> dict[str, Any]:
    """Score all methods on all sequences, print the tables, write results.json, CSVs and pictures; return the results.

    Raises EvaluationError for what the user can mend, before anything is computed where possible.
    """
    checkpoints, baselines = parse_checkpoints(settings.checkpoints), parse_baselines(settings.baselines)
    if not checkpoints and not baselines:
        raise EvaluationError("nothing to score: give --checkpoint FILE, or --baselines copy-first-mask,dis-flow")
    if settings.untrained and not checkpoints:
        raise EvaluationError("--untrained needs --checkpoint, whose architecture it takes")
    chosen = _chosen(open_sequences(settings.root, settings.split, settings.year), settings.sequences)
    _check_out(settings.out)
    methods = network_methods(checkpoints, settings.out, settings.inference, settings.untrained) if checkpoints else []
    methods += [baseline_method(name, settings.out) for name in baselines]

    scores = _run_all(methods, chosen, settings, console)
    summaries = {label: summarise(found, settings.include_ends) for label, found in scores.items()}
    results = {
        "schema": RESULTS_SCHEMA,
        "dataset": {
            "root": str(settings.root),
            "kind": chosen.kind,
            "split": chosen.split,
            "num_sequences": len(chosen.sequences),
            "num_frames": sum(sequence.num_frames for sequence in chosen.sequences),
            "num_objects": sum(len(found.objects) for found in next(iter(scores.values()))),
            "left_out": list(chosen.left_out),
            "first_and_last_frame_scored": settings.include_ends,
        },
        "settings": asdict(settings.inference),
        "methods": {method.label: _method_result(method, scores, summaries) for method in methods},
    }
    for method in methods:
        write_csvs(summaries[method.label], method.folder, chosen.split)
    atomic_write_json(settings.out / "results.json", results)
    folders = {method.label: method.folder for method in methods}
    for k, sequence in enumerate(chosen.sequences[: settings.num_pictures]):
        draw_sequence(
            sequence, {label: found[k] for label, found in scores.items()}, folders, settings.out / "pictures"
        )
    frames = "all frames" if settings.include_ends else "first and last frame not scored"
    print_tables(summaries, console, f"{settings.root}: {len(chosen.sequences)} sequences, {chosen.split}, {frames}")
    if chosen.left_out:
        console.print(f"left out, no object in the first frame: {', '.join(chosen.left_out)}", highlight=False)
    console.print(f"results in {settings.out}: results.json, masks, pictures", highlight=False)
    return results


def _chosen(found: SequenceSet, names: tuple[str, ...]) -> SequenceSet:
    by_name = {sequence.name: sequence for sequence in found.sequences}
    missing = [name for name in names if name not in by_name]
    if missing:
        raise EvaluationError(f"no sequence {missing[0]!r} in {found.root}; there are {', '.join(list(by_name)[:12])}")
    if not names:
        return found
    return replace(found, sequences=tuple(by_name[name] for name in names), left_out=())


def _check_out(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise EvaluationError(f"--out {out} is a file; give a folder")
    for name in ("index.json", "JPEGImages"):
        if (out / name).exists():
            raise EvaluationError(f"--out {out} holds data ({name}), not results; give another folder")


def _method_result(
    method: Method, scores: dict[str, list[SequenceScores]], summaries: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    seconds = sum(found.seconds for found in scores[method.label])
    num_frames = sum(found.num_frames for found in scores[method.label])
    return {
        **method.settings,
        "seconds": seconds,
        "frames_per_second": num_frames / seconds if seconds > 0 else None,
        **summaries[method.label],
    }


def _run_all(
    methods: list[Method], chosen: SequenceSet, settings: DavisSettings, console: Console
) -> dict[str, list[SequenceScores]]:
    num_frames = sum(sequence.num_frames for sequence in chosen.sequences)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("frames {task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[sequence]}"),
    )
    scores = {}
    with Progress(*columns, console=console) as progress:
        tasks = {
            method.label: progress.add_task(method.label, total=num_frames, rate="", sequence="") for method in methods
        }
        for method in methods:
            scores[method.label] = evaluate(
                method,
                chosen.sequences,
                include_ends=settings.include_ends,
                overwrite=settings.overwrite,
                on_frame=_reporter(progress, tasks[method.label]),
            )
            progress.update(tasks[method.label], sequence="")
    return scores


def _reporter(progress: Progress, task: Any) -> Callable[[str, int], None]:
    started, done = time.monotonic(), 0

    def report(sequence: str, num_frames: int) -> None:
        nonlocal done
        done += num_frames
        rate = f"{done / max(time.monotonic() - started, 1e-6):.1f}/s"
        progress.update(task, advance=num_frames, sequence=sequence, rate=rate)

    return report
