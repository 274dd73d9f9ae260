"""The command `vosforge-eval davis`: methods over the sequences of a tree, scores and pictures into a folder."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from ...datagen.farm.task import FarmSettings
from ...datagen.storage.files import atomic_write_json
from .errors import EvaluationError
from .jobs import IN_PROCESS
from .layouts.youtube_vos import with_seen_classes
from .methods import InferenceSettings, Method, baseline_method, network_methods, parse_baselines, parse_checkpoints
from .output_folder import check_output_folder, hold_output_folder, remove_partial_folders
from .pictures import draw_sequence, reader_of_masks
from .score_report.numbers import print_tables, write_csvs
from .score_report.page import write_score_report
from .scores import SequenceScores, summarise
from .semi_supervised import evaluate_methods, masks_of
from .sequence_scores import without_unscored
from .sequences import Protocol, SequenceSet, choose_sequences, open_sequences

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
    protocol: Protocol | None = None
    train_meta: Path | None = None
    sequences: tuple[str, ...] = ()
    inference: InferenceSettings = field(default_factory=InferenceSettings)
    include_ends: bool = False
    overwrite: bool = False
    masks_only: bool = False
    num_pictures: int = 12
    farm: FarmSettings = IN_PROCESS


def evaluate_davis(settings: DavisSettings, console: Console) -> dict[str, Any]:
    """Score all methods on all sequences, print the tables, write results.json, CSVs and pictures; return the results.

    With masks_only the masks alone are written, and nothing is returned.
    Raises EvaluationError for what the user can mend, before anything is computed where possible.
    """
    checkpoints, baselines = parse_checkpoints(settings.checkpoints), parse_baselines(settings.baselines)
    if not checkpoints and not baselines:
        raise EvaluationError("nothing to score: give --checkpoint FILE, or --baselines copy-first-mask,dis-flow")
    if settings.untrained and not checkpoints:
        raise EvaluationError("--untrained needs --checkpoint, whose architecture it takes")
    if settings.num_pictures < 0:
        raise EvaluationError(f"--pictures {settings.num_pictures}: give 0 or more")
    check_output_folder(settings.out, command="davis")
    found = open_sequences(
        settings.root,
        settings.split,
        settings.year,
        sparse=True,
        unscored=settings.masks_only,
        protocol=settings.protocol,
    )
    chosen = with_seen_classes(choose_sequences(found, settings.sequences), settings.train_meta)
    if not settings.masks_only:
        chosen = without_unscored(chosen, settings.include_ends)
    out = settings.out.absolute()
    methods = network_methods(checkpoints, out, settings.inference, settings.untrained) if checkpoints else []
    methods += [baseline_method(name, out) for name in baselines]

    with hold_output_folder(settings.out, "davis"):
        for method in methods:
            remove_partial_folders(masks_of(method.folder))
        scores = evaluate_methods(
            methods,
            chosen.sequences,
            settings.farm,
            include_ends=settings.include_ends,
            overwrite=settings.overwrite,
            masks_only=settings.masks_only,
            console=console,
        )
        if settings.masks_only:
            for method in methods:
                console.print(f"masks of {method.label} in {masks_of(method.folder)}", highlight=False, soft_wrap=True)
            return {}
        summaries = {label: summarise(found, settings.include_ends, chosen.seen) for label, found in scores.items()}
        results = {
            "schema": RESULTS_SCHEMA,
            "dataset": _dataset(chosen, scores, settings.include_ends),
            "settings": asdict(settings.inference),
            "methods": {method.label: _method_result(method, scores, summaries) for method in methods},
        }
        for method in methods:
            write_csvs(summaries[method.label], method.folder, chosen.split)
        atomic_write_json(out / "results.json", results)
        _draw(methods, chosen, scores, summaries, results, settings)
        frames = "all frames" if settings.include_ends else "given masks and the last frame not scored"
        if any(sequence.first_frames is not None for sequence in chosen.sequences):
            frames = frames.replace(" and the last frame", "")
        print_tables(
            summaries, console, f"{settings.root}: {len(chosen.sequences)} sequences, {chosen.split}, {frames}"
        )
        if chosen.left_out:
            console.print(f"left out, nothing to follow or to score: {', '.join(chosen.left_out)}", highlight=False)
        console.print(f"results in {settings.out}: results.json, report.html, masks, pictures", highlight=False)
        return results


def _dataset(chosen: SequenceSet, scores: dict[str, list[SequenceScores]], include_ends: bool) -> dict[str, Any]:
    return {
        "root": str(chosen.root),
        "kind": chosen.kind,
        "split": chosen.split,
        "num_sequences": len(chosen.sequences),
        "num_frames": sum(sequence.num_frames for sequence in chosen.sequences),
        "num_annotated_frames": sum(len(sequence.annotated_frames) for sequence in chosen.sequences),
        "num_objects": sum(len(found.objects) for found in next(iter(scores.values()))),
        "left_out": list(chosen.left_out),
        "first_and_last_frame_scored": include_ends,
    }


def _draw(
    methods: list[Method],
    chosen: SequenceSet,
    scores: dict[str, list[SequenceScores]],
    summaries: dict[str, dict[str, Any]],
    results: dict[str, Any],
    settings: DavisSettings,
) -> None:
    """Write pictures/ and report.html."""
    folders = {method.label: method.folder for method in methods}
    for k, sequence in enumerate(chosen.sequences[: settings.num_pictures]):
        draw_sequence(
            sequence, {label: found[k] for label, found in scores.items()}, folders, settings.out / "pictures"
        )
    speeds = {label: result["frames_per_second"] for label, result in results["methods"].items()}
    write_score_report(
        settings.out / "report.html",
        title=f"J and F on {Path(str(settings.root)).name}, {chosen.split}",
        chosen=chosen,
        scores=scores,
        summaries=summaries,
        read_prediction=reader_of_masks(folders),
        facts=_facts(results),
        include_ends=settings.include_ends,
        extra={"frames a second": speeds},
    )


def _facts(results: dict[str, Any]) -> dict[str, str]:
    dataset, inference = results["dataset"], results["settings"]
    facts = {
        "data": f"{dataset['root']}, {dataset['kind']}, split {dataset['split']}",
        "frames": f"{dataset['num_frames']:,}, of which {dataset['num_annotated_frames']:,} annotated",
    }
    if any(result["method"] == "network" for result in results["methods"].values()):
        facts |= {name.replace("_", " "): "-" if value is None else str(value) for name, value in inference.items()}
    return facts


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
