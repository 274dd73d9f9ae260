"""The command `vosforge-eval clicks`: how many clicks masks take, as a table, files and a page."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from tyro.conf import UseAppendAction, arg

from ..command_options import NetworkOptions, SequenceOptions, check_numbers

if TYPE_CHECKING:
    from rich.console import Console

    from ....datagen.farm.task import FarmSettings
    from .methods import MethodSpec
    from .objects import PictureSet
    from .protocol import ClicksSettings, Strategy
    from .scores import RunsOfMethods
    from .work import ClicksJob

RESULTS_SCHEMA = 1


@dataclass(frozen=True, kw_only=True)
class Clicks(SequenceOptions, NetworkOptions):
    """Click on what is wrong until masks are good: number of clicks to 85 % and 90 % intersection over union.

    Finished pictures are kept: the same command goes on where it stopped.
    """

    root: str
    """GrabCut, Berkeley or DAVIS-345 as f-BRS and RITM hand them out, pictures with masks, a DAVIS or YouTube-VOS tree,
    or the folder or URL of a corpus."""
    out: Path
    """Folder for results.json, clicks.csv, report.html and the masks."""
    checkpoint: UseAppendAction[tuple[Annotated[str, arg(metavar="[LABEL=]FILE")], ...]] = ()
    """A checkpoint of an s2m, clicknet, ipn or atnet stage; give the flag again for more."""
    variants: str = "plain"
    """Comma-separated, of click networks: plain; crf (then a dense CRF); no-mask (never given its last answer, first
    clicks only); no-clamp (pixels of clicks are not set); joined by '+', such as plain,crf,no-mask,no-mask+crf."""
    grabcut: bool = True
    """Also score OpenCV's GrabCut, which needs no training."""
    strategies: str = "farthest-point,random"
    """Comma-separated, where the next click goes: farthest-point (the middle of the largest error, as published) or
    random (any wrong pixel)."""
    layout: Literal["auto", "grabcut", "berkeley", "davis-345", "pairs", "videos", "corpus"] = "auto"
    """What lies at ROOT; auto looks."""
    target: UseAppendAction[tuple[float, ...]] = ()
    """Intersection over union to reach; give the flag again for more. Without it 0.85 and 0.9."""
    max_clicks: int = 20
    """Clicks after which an object is given up; it counts so many."""
    all_clicks: bool = False
    """Go on to the last click, for whole curves; otherwise an object ends with the highest target."""
    start: Literal["present", "empty"] = "present"
    """The mask that a method is given beside the clicks: its last answer, or none."""
    clicks: Literal["all", "last"] = "all"
    """Clicks that a method is given: all of an object so far, or the last."""
    click_radius: float = 4.0
    """Of the disk that a click is: pixels of the network's input, for GrabCut of the picture."""
    objects: Literal["each", "union"] = "each"
    """Every object of a picture by itself, or all as one."""
    frames_per_sequence: int = 4
    """Frames of each sequence or clip, evenly spaced."""
    min_object_area: int | None = None
    """Pixels that an object must show; without it 100 in videos and corpora, 1 in sets of pictures."""
    seed: int = 0
    """Seed of random clicks."""
    overwrite: bool = False
    """Compute again what OUT already holds."""
    pictures: int = 12
    """Worst objects shown on the page."""

    def run(self) -> None:
        from ..terminal import console

        evaluate_clicks(self, console())


def evaluate_clicks(command: Clicks, console: Console) -> dict[str, Any]:
    """Click with all methods and strategies, write results.json, clicks.csv and report.html, print the table.

    Returns the content of results.json. Raises EvaluationError for what the user can mend, before anything is computed
    where possible.
    """
    from ....datagen.storage.files import atomic_write_json
    from ....datagen.storage.store import corpus_location
    from ..errors import EvaluationError
    from ..output_folder import check_output_folder, hold_output_folder
    from .methods import method_specs
    from .opening import open_pictures
    from .page import write_clicks_page
    from .tables import print_table, write_csv
    from .work import ClicksJob

    check_output_folder(command.out, command="clicks")
    _check_numbers(command)
    settings, strategies = _settings(command), parse_strategies(command.strategies)
    device = command.chosen_device(has_networks=bool(command.checkpoint))
    methods = method_specs(
        command.checkpoint, command.grabcut, command.click_radius, command.short_side, device, command.variants
    )
    found = open_pictures(
        corpus_location(command.root),
        command.layout,
        split=command.split,
        year=command.year,
        per_sequence=command.frames_per_sequence,
        which=command.objects,
        min_area=command.min_object_area,
        only=command.sequence,
    )
    out = command.out.resolve()
    if "://" not in found.root and Path(found.root).resolve() in (out, *out.parents):
        raise EvaluationError(f"--out {command.out} is where the pictures lie; give another folder")
    job = ClicksJob(out=out, settings=settings, overwrite=command.overwrite)
    with hold_output_folder(command.out, "clicks"):
        runs = _click(job, methods, strategies, found, command.farm(device), console)
        results = _results(found, settings, methods, runs)
        write_csv(command.out / "clicks.csv", runs, settings)
        atomic_write_json(command.out / "results.json", results)
        write_clicks_page(command.out, results, runs, found, settings, command.pictures)
        print_table(results, console)
        console.print(
            f"results in {command.out}: report.html, results.json, clicks.csv", highlight=False, soft_wrap=True
        )
        return results


def _check_numbers(command: Clicks) -> None:
    """Raise EvaluationError, by the flag's name, for a number out of its range."""
    from ..errors import EvaluationError

    if not 0 < command.click_radius < math.inf:
        raise EvaluationError(f"--click-radius is {command.click_radius}; give a number of pixels above 0")
    check_numbers(
        ("--frames-per-sequence", command.frames_per_sequence, 1),
        ("--min-object-area", command.min_object_area, 1),
        ("--short-side", command.short_side, 1),
        ("--pictures", command.pictures, 0),
    )


def _settings(command: Clicks) -> ClicksSettings:
    from ..errors import as_evaluation_errors
    from .protocol import ClicksSettings

    own = {"targets": tuple(sorted(set(command.target)))} if command.target else {}
    with as_evaluation_errors():
        return ClicksSettings(
            max_clicks=command.max_clicks,
            start=command.start,
            clicks=command.clicks,
            all_clicks=command.all_clicks,
            seed=command.seed,
            **own,
        )


def parse_strategies(argument: str) -> list[Strategy]:
    """Names of a comma-separated list; EvaluationError lists the strategies there are."""
    from ..errors import EvaluationError
    from .protocol import STRATEGIES

    names = list(dict.fromkeys(name.strip() for name in argument.split(",") if name.strip()))
    unknown = [name for name in names if name not in STRATEGIES]
    if unknown or not names:
        what = f"no strategy {unknown[0]!r}" if unknown else "--strategies names none"
        raise EvaluationError(f"{what}; choose from {', '.join(STRATEGIES)}")
    return names


def _click(
    job: ClicksJob,
    methods: list[MethodSpec],
    strategies: list[Strategy],
    found: PictureSet,
    farm: FarmSettings,
    console: Console,
) -> RunsOfMethods:
    """Run all tasks on the farm; return their runs in the order of the pictures."""
    from ..errors import EvaluationError
    from ..jobs import Task, map_tasks
    from .work import ClicksTask, run_task

    given = [
        ClicksTask(picture=picture, method=method, strategy=strategy)
        for method in methods
        for strategy in strategies
        for picture in found.pictures
    ]
    tasks = [Task(f"{one.picture.name}, {one.method.label}, {one.strategy}", one) for one in given]
    answers = map_tasks(run_task, tasks, farm, shared=job, doing="clicking", console=console)
    runs: RunsOfMethods = {(method.label, strategy): [] for method in methods for strategy in strategies}
    for task, answer in zip(given, answers, strict=True):
        runs[task.method.label, task.strategy] += answer
    if not any(runs.values()):
        raise EvaluationError(
            f"no picture of {found.root} shows an object of {found.min_area} pixels; give a smaller --min-object-area"
        )
    return runs


def _results(
    found: PictureSet, settings: ClicksSettings, methods: list[MethodSpec], runs: RunsOfMethods
) -> dict[str, Any]:
    from .scores import summarise_runs

    summaries: dict[str, Any] = {}
    for method in methods:
        strategies = {
            strategy: summarise_runs(some, settings)
            for (label, strategy), some in runs.items()
            if label == method.label
        }
        own = {"click_radius": method.click_radius, "short_side": method.short_side}
        summaries[method.label] = dict(method.identity) | own | {"strategies": strategies}
    first = next(iter(runs.values()))
    return {
        "schema": RESULTS_SCHEMA,
        "dataset": {
            "root": found.root,
            "layout": found.layout,
            "split": found.split,
            "objects": found.which,
            "min_object_area": found.min_area,
            "num_pictures": len(found.pictures),
            "num_objects": len(first),
        },
        "settings": asdict(settings),
        "methods": summaries,
    }
