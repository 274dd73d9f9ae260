"""The command `vosforge-eval refine`: OSVOS from clicks, and how clicks correct its worst frame."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tyro.conf import UseAppendAction

from ..parallel_options import ParallelOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from .refinement import RefinementRow

RESULTS_SCHEMA = 1


@dataclass(frozen=True, kw_only=True)
class Refine(ParallelOptions):
    """Segment videos from clicks on the first frame by OSVOS, against the true mask, and click on the worst frame."""

    root: str
    """DAVIS or YouTube-VOS tree, or the folder or URL of a corpus."""
    out: Path
    """Folder for results.json."""
    clicknet: Path
    """Checkpoint of a click network."""
    osvos: Path
    """Checkpoint of OSVOS's parent network."""
    grabcut: bool = True
    """Also refine the worst frame by OpenCV's GrabCut."""
    crf: bool = False
    """A dense CRF behind the click network."""
    first_clicks: int = 8
    """Clicks on the first frame."""
    clicks: UseAppendAction[tuple[int, ...]] = ()
    """Clicks on the worst frame; give the flag again for more. Without it 1, 4 and 10."""
    tuning_iterations: int = 500
    """Updates by which OSVOS learns a video."""
    split: str = "val"
    """List in ImageSets/<year>, or split of the corpus (train, val, all)."""
    year: Literal["2016", "2017"] | None = None
    """Which lists to read where a tree has both; 2016 merges all objects into one."""
    sequence: UseAppendAction[tuple[str, ...]] = ()
    """Only this sequence or clip; give the flag again for more."""
    short_side: int | None = None
    """Pixels of the network input's shorter side; the frame's own without it."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where networks run; auto takes CUDA where there is one."""

    def run(self) -> None:
        from ..terminal import console

        evaluate_refinement(self, console())


def evaluate_refinement(command: Refine, console: Console) -> dict[str, Any]:
    """Run the experiments on all sequences, write results.json, print the table; return the file's content.

    Raises EvaluationError for what the user can mend.
    """
    from ....datagen.storage.files import atomic_write_json, sha256_of_file
    from ....datagen.storage.store import corpus_location
    from ..errors import EvaluationError
    from ..interactive.systems import load
    from ..jobs import map_sequences
    from ..methods import chosen_device
    from ..output_folder import check_output_folder
    from ..sequences import choose_sequences, open_sequences
    from .methods import CRF, GRABCUT, PLAIN, method_specs
    from .refinement import RefinementJob, refine_sequence

    check_output_folder(command.out)
    counts = tuple(sorted(set(command.clicks))) or (1, 4, 10)
    numbers = (("--clicks", counts[0], 1), ("--first-clicks", command.first_clicks, 1))
    for flag, value, least in (*numbers, ("--tuning-iterations", command.tuning_iterations, 0)):
        if value < least:
            raise EvaluationError(f"{flag} is {value}; give {least} or more")
    for flag, path in (("--clicknet", command.clicknet), ("--osvos", command.osvos)):
        if not path.is_file():
            raise EvaluationError(f"{flag} {path} is {'not a file' if path.exists() else 'missing'}")
    device = chosen_device(command.device)
    variant = CRF if command.crf else PLAIN
    refiners = method_specs([f"clicknet={command.clicknet}"], command.grabcut, 4.0, command.short_side, device, variant)
    if refiners[0].kind != "clicknet":
        raise EvaluationError(f"--clicknet {command.clicknet} holds no click network; give a checkpoint of clicknet")
    try:
        load("osvos", command.osvos, "cpu")
    except ValueError as error:
        raise EvaluationError(str(error)) from error
    found = open_sequences(corpus_location(command.root), command.split, command.year, sparse=True)
    found = choose_sequences(found, command.sequence)
    job = RefinementJob(
        clicker=refiners[0],
        refiners=tuple(refiners),
        osvos=command.osvos.absolute(),
        device=device,
        iterations=command.tuning_iterations,
        short_side=command.short_side,
        first_clicks=command.first_clicks,
        counts=counts,
    )
    farm = command.farm("cuda" if device.startswith("cuda") else "cpu")
    answers = map_sequences(refine_sequence, found.sequences, farm, shared=job, doing="refining", console=console)
    rows = [row for answer in answers for row in answer]
    if not rows:
        raise EvaluationError(f"no sequence of {found.root} shows an object in its first frame")
    results = {
        "schema": RESULTS_SCHEMA,
        "dataset": {"root": str(found.root), "split": found.split, "num_objects": len(rows)},
        "settings": {
            "first_clicks": command.first_clicks,
            "tuning_iterations": command.tuning_iterations,
            "short_side": command.short_side,
            "crf": command.crf,
            "checkpoints_sha256": {name: sha256_of_file(getattr(command, name)) for name in ("clicknet", "osvos")},
        },
        "means": summarise(rows, [spec.label for spec in refiners], counts),
        "objects": [asdict(row) for row in rows],
    }
    command.out.mkdir(parents=True, exist_ok=True)
    atomic_write_json(command.out / "results.json", results)
    _print(results["means"], console, counts, GRABCUT)
    console.print(f"results in {command.out}: results.json", highlight=False, soft_wrap=True)
    return results


def summarise(rows: Sequence[RefinementRow], methods: Sequence[str], counts: Sequence[int]) -> dict[str, Any]:
    """Means over the objects, of J."""

    def mean(values: Sequence[float]) -> float:
        return sum(values) / len(values)

    names = ("first_mask", "from_truth", "from_clicks", "worst", "after_refinement")
    return {
        **{name: mean([getattr(row, name) for row in rows]) for name in names},
        "refined": {
            method: {str(number): mean([row.refined[method][number] for row in rows]) for number in counts}
            for method in methods
        },
    }


def _print(means: dict[str, Any], console: Console, counts: Sequence[int], grabcut: str) -> None:
    from rich.table import Table

    table = Table(title="mean J over the objects")
    for column in ("what", "J"):
        table.add_column(column, justify="left" if column == "what" else "right")
    table.add_row("first frame's mask by clicks", f"{means['first_mask']:.3f}")
    table.add_row("OSVOS from the true mask", f"{means['from_truth']:.3f}")
    table.add_row("OSVOS from clicks", f"{means['from_clicks']:.3f}")
    table.add_row("its worst frame", f"{means['worst']:.3f}")
    for method, by_count in means["refined"].items():
        name = "GrabCut" if method == grabcut else "click network"
        for number in counts:
            table.add_row(f"worst frame after {number} clicks, {name}", f"{by_count[str(number)]:.3f}")
    table.add_row("OSVOS from both frames", f"{means['after_refinement']:.3f}")
    console.print(table)
