"""The command `vosforge-eval refine`: OSVOS from clicks, and how clicks correct its worst frame."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tyro.conf import UseAppendAction

from ..command_options import NetworkOptions, SequenceOptions, check_input_file, check_numbers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from .refinement import RefinementRow, RefinementSettings

RESULTS_SCHEMA = 2
COUNTS = (1, 4, 10)
"""As published."""


@dataclass(frozen=True, kw_only=True)
class Refine(SequenceOptions, NetworkOptions):
    """Segment videos from clicks on the first frame by OSVOS, against the true mask, and click on the worst frame.

    Finished sequences are kept: the same command goes on where it stopped.
    """

    out: Path
    """Folder for results.json, report.html and what is finished."""
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
    overwrite: bool = False
    """Compute again what OUT already holds."""
    pictures: int = 12
    """Objects shown on the page, the worst ones."""

    def run(self) -> None:
        from ..terminal import console

        evaluate_refinement(self, console())


def evaluate_refinement(command: Refine, console: Console) -> dict[str, Any]:
    """Run the experiments on all sequences, write results.json and report.html, print the table.

    Returns the content of results.json. Raises EvaluationError for what the user can mend.
    """
    from ....datagen.storage.files import atomic_write_json
    from ..errors import EvaluationError
    from ..jobs import map_sequences
    from ..output_folder import check_output_folder, hold_output_folder
    from .refinement import SEGMENTATIONS
    from .refinement_page import means_table, write_refinement_page
    from .refinement_work import RefinementJob, run_sequence

    check_output_folder(command.out, command="refine")
    settings = _settings(command)
    found = command.open_sequences(sparse=True)
    job = RefinementJob(settings=settings, out=command.out.absolute(), overwrite=command.overwrite)
    farm = command.farm(settings.device)
    with hold_output_folder(command.out, "refine"):
        answers = map_sequences(run_sequence, found.sequences, farm, shared=job, doing="refining", console=console)
        rows = [row for answer in answers for row in answer]
        if not rows:
            raise EvaluationError(f"no sequence of {found.root} shows an object in its first frame")
        results = {
            "schema": RESULTS_SCHEMA,
            "dataset": {
                "root": str(found.root),
                "kind": found.kind,
                "split": found.split,
                "num_sequences": len(found.sequences),
                "num_objects": len(rows),
                "left_out": list(found.left_out),
            },
            "settings": {
                "first_clicks": settings.first_clicks,
                "clicks": list(settings.counts),
                "tuning": asdict(settings.tuning),
                "short_side": command.short_side,
                "crf": command.crf,
                "checkpoints_sha256": {"clicknet": settings.clicker.sha256, "osvos": settings.osvos_sha256},
            },
            "means": summarise(rows),
            "objects": [asdict(row) | {name: row.mean(name) for name in SEGMENTATIONS} for row in rows],
        }
        atomic_write_json(command.out / "results.json", results)
        write_refinement_page(command.out, results, rows, command.pictures)
        console.print(means_table(results))
        if found.left_out:
            console.print(f"left out, nothing to click on: {', '.join(found.left_out)}", highlight=False)
        console.print(f"results in {command.out}: report.html, results.json", highlight=False, soft_wrap=True)
        return results


def _settings(command: Refine) -> RefinementSettings:
    from ...inference.osvos_tuning import tuning_for
    from ...trained_networks import trained_network
    from ..errors import EvaluationError, as_evaluation_errors
    from .methods import CRF, PLAIN, method_specs
    from .refinement import RefinementSettings

    counts = tuple(sorted(set(command.clicks))) or COUNTS
    check_numbers(
        ("--clicks", counts[0], 1),
        ("--first-clicks", command.first_clicks, 1),
        ("--tuning-iterations", command.tuning_iterations, 0),
        ("--pictures", command.pictures, 0),
    )
    check_input_file(command.clicknet, "--clicknet")
    check_input_file(command.osvos, "--osvos")
    device = command.chosen_device()
    variant = CRF if command.crf else PLAIN
    refiners = method_specs([f"clicknet={command.clicknet}"], command.grabcut, 4.0, command.short_side, device, variant)
    if refiners[0].kind != "clicknet":
        raise EvaluationError(
            f"--clicknet {command.clicknet} holds a network of kind {refiners[0].kind!r}; give one of clicknet"
        )
    with as_evaluation_errors():
        parent, info = trained_network(command.osvos, "osvos")
        tuning = tuning_for(parent, iterations=command.tuning_iterations, short_side=command.short_side)
    return RefinementSettings(
        clicker=refiners[0],
        refiners=tuple(refiners),
        osvos=command.osvos.absolute(),
        osvos_sha256=info["sha256"],
        device=device,
        tuning=tuning,
        first_clicks=command.first_clicks,
        counts=counts,
    )


def summarise(rows: Sequence[RefinementRow]) -> dict[str, Any]:
    """Means over the objects, of J; "refined": method -> number of clicks, as text -> mean."""
    from .refinement import SEGMENTATIONS

    def mean(values: Sequence[float]) -> float:
        return sum(values) / len(values)

    return {
        "first_mask": mean([row.first_mask for row in rows]),
        **{name: mean([row.mean(name) for row in rows]) for name in SEGMENTATIONS},
        "worst": mean([row.worst for row in rows]),
        "refined": {
            method: {str(number): mean([row.refined[method][number] for row in rows]) for number in by_count}
            for method, by_count in rows[0].refined.items()
        },
    }
