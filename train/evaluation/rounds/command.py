"""The command `vosforge-eval rounds`: masks after rounds of scribbles, as a table, files and a page."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from tyro.conf import UseAppendAction, arg

from ..command_options import NetworkOptions, SequenceOptions, check_numbers

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from ....datagen.farm.task import FarmSettings
    from ..sequences import SequenceSet
    from .correction import Frame, MethodScores, Round, RoundsSettings
    from .work import RoundsJob

RESULTS_SCHEMA = 1


@dataclass(frozen=True, kw_only=True)
class Rounds(SequenceOptions, NetworkOptions):
    """Correct frames in rounds: the DAVIS robot scribbles on what is wrong, a Scribble-to-Mask checkpoint answers.

    Finished frames are kept: the same command goes on where it stopped.
    """

    out: Path
    """Folder for rounds.json, report.html, rounds.png and the masks after each round."""
    checkpoint: UseAppendAction[tuple[Annotated[str, arg(metavar="[LABEL=]FILE")], ...]] = ()
    """A checkpoint of an s2m stage; give the flag again for more."""
    grabcut: bool = False
    """Also score GrabCut, which needs no training, on the same kind of strokes."""
    rounds: int = 3
    """Rounds of strokes on each frame."""
    strokes: Literal["last", "all"] = "last"
    """What a round is given beside the present mask: its own strokes, as published, or all so far."""
    frames_per_sequence: int = 4
    """Frames of each sequence, evenly spaced."""
    min_object_area: int = 100
    """Pixels that an object must show to be scribbled on and scored."""
    seed: int = 0
    """Seed of the robot."""
    overwrite: bool = False
    """Compute again what OUT already holds."""
    pictures: int = 12
    """Frames on the sheet of pictures, 0 for none."""

    def run(self) -> None:
        from ..terminal import console

        evaluate_rounds(self, console())


def evaluate_rounds(command: Rounds, console: Console) -> dict[str, MethodScores]:
    """Score all methods, write rounds.json, report.html and rounds.png, print the table; return the scores by label.

    Raises EvaluationError for what the user can mend.
    """
    from ..errors import as_evaluation_errors
    from ..output_folder import check_output_folder, hold_output_folder
    from .correction import RoundsSettings, frames_to_correct
    from .methods import scribble_methods
    from .report import NUM_STRIPS
    from .work import RoundsJob

    with as_evaluation_errors():
        settings = RoundsSettings(
            num_rounds=command.rounds,
            frames_per_sequence=command.frames_per_sequence,
            min_object_area=command.min_object_area,
            strokes=command.strokes,
            seed=command.seed,
        )
    check_numbers(("--pictures", command.pictures, 0))
    check_output_folder(command.out, command="rounds")
    device = command.chosen_device(has_networks=bool(command.checkpoint))
    farm = command.farm(device)
    methods = scribble_methods(command.checkpoint, command.grabcut, command.short_side, device)
    found = command.open_sequences(from_first=False)
    frames = frames_to_correct(found.sequences, settings)

    with hold_output_folder(command.out, "rounds"):
        scores: dict[str, MethodScores] = {}
        shown: dict[str, dict[int, list[Round]]] = {}
        for label, (method, about) in methods.items():
            job = RoundsJob(
                method=method,
                about=about | {"short_side": command.short_side},
                settings=settings,
                folder=command.out.absolute() / "runs" / label,
                overwrite=command.overwrite,
            )
            # The first method decides which frames are the worst; of the others the same ones are kept.
            keep, num_worst = (
                (set(next(iter(shown.values()))), 0) if shown else (_pictured(command, frames), NUM_STRIPS)
            )
            scores[label], shown[label] = _run(label, job, frames, farm, keep, num_worst, console)
        num_objects = len(next(iter(scores.values())).objects)
        console.print(rounds_table(scores, f"{found.root}, {found.split}: {len(frames)} frames, {num_objects} objects"))
        _write(command, settings, found, frames, {label: about for label, (_, about) in methods.items()}, scores, shown)
        console.print(f"results in {command.out}", highlight=False, markup=False, soft_wrap=True)
        return scores


def _write(
    command: Rounds,
    settings: RoundsSettings,
    found: SequenceSet,
    frames: list[Frame],
    identities: dict[str, dict[str, Any]],
    scores: dict[str, MethodScores],
    shown: dict[str, dict[int, list[Round]]],
) -> None:
    """Write rounds.json, rounds.png and report.html; shown: label -> place in `frames` -> rounds."""
    from ....datagen.storage.files import atomic_write_json
    from .correction import summarise_rounds
    from .pictures import draw_rounds
    from .report import write_rounds_report

    facts = asdict(settings) | {"short_side": command.short_side}
    results = {
        "schema": RESULTS_SCHEMA,
        "dataset": {"root": str(found.root), "kind": found.kind, "split": found.split, "num_frames": len(frames)},
        "settings": facts,
        "methods": {label: identities[label] | summarise_rounds(one) for label, one in scores.items()},
    }
    atomic_write_json(command.out / "rounds.json", results)
    pictured = sorted(_pictured(command, frames))
    if pictured:
        sheet = {label: [(frames[number], rounds[number]) for number in pictured] for label, rounds in shown.items()}
        draw_rounds(sheet, command.out / "rounds.png")
    told = {
        "data": f"{found.root}, {found.split}: {len(found.sequences)} sequences",
        **{label: "; ".join(f"{name} {value}" for name, value in one.items()) for label, one in identities.items()},
        **{name.replace("_", " "): str(value) for name, value in facts.items() if value is not None},
    }
    write_rounds_report(command.out / "report.html", scores=scores, frames=frames, shown=shown, facts=told)


def _pictured(command: Rounds, frames: list[Frame]) -> set[int]:
    """Evenly spaced places in `frames`, for the sheet."""
    import numpy as np

    return set(np.linspace(0, len(frames) - 1, min(command.pictures, len(frames))).astype(int).tolist())


def _run(
    label: str,
    job: RoundsJob,
    frames: list[Frame],
    farm: FarmSettings,
    keep: set[int],
    num_worst: int,
    console: Console,
) -> tuple[MethodScores, dict[int, list[Round]]]:
    """Correct all frames; return the scores, and the rounds of the frames to keep and of the worst, by their number."""
    import numpy as np

    from ..jobs import Task, map_tasks
    from .correction import MethodScores
    from .work import run_frame

    tasks = [Task(f"{one.sequence.name} {one.sequence.frame_names[one.number]}", one) for one in frames]
    results = map_tasks(run_frame, tasks, farm, shared=job, doing=label, console=console)
    last = [np.mean([one.J[-1] for one in found.scores]) for found in results]
    kept = keep | set(np.argsort(last, kind="stable")[:num_worst].tolist())
    strokes = np.mean([[len(drawn) for drawn in found.strokes] for found in results], axis=0)
    scores = MethodScores(
        objects=tuple(one for found in results for one in found.scores),
        strokes=tuple(float(value) for value in strokes),
    )
    return scores, {number: results[number].rounds() for number in sorted(kept)}


def rounds_table(scores: dict[str, MethodScores], title: str) -> Table:
    """One row a method and round."""
    from rich.table import Table
    from rich.text import Text

    from .report import HIGH_J

    table = Table(title=Text(title), title_justify="left")
    for column in ("method", "round", "J", "F", f"J >= {HIGH_J:g}", "strokes a frame"):
        table.add_column(column, justify="left" if column == "method" else "right")
    for label, one in scores.items():
        columns = zip(one.means("J"), one.means("F"), one.shares_above(HIGH_J), one.strokes, strict=True)
        for number, (region, boundary, share, strokes) in enumerate(columns, start=1):
            name = label if number == 1 else ""
            table.add_row(name, str(number), f"{region:.3f}", f"{boundary:.3f}", f"{share:.0%}", f"{strokes:.1f}")
        table.add_section()
    return table
