"""The command `vosforge-eval rounds`: masks after rounds of scribbles, as a table, files and a sheet of pictures."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import UseAppendAction, arg

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from .correction_rounds import Frame, MethodScores, Round, RoundsSettings

RESULTS_SCHEMA = 1
HIGH_J = 0.8


@dataclass(frozen=True, kw_only=True)
class Rounds:
    """Correct frames in rounds: the DAVIS robot scribbles on what is wrong, a Scribble-to-Mask checkpoint answers."""

    root: str
    """DAVIS tree (2016 or 2017), or the folder or URL of a corpus."""
    out: Path
    """Folder for rounds.json and rounds.png."""
    checkpoint: UseAppendAction[tuple[Annotated[str, arg(metavar="[LABEL=]FILE")], ...]] = ()
    """A checkpoint of an s2m stage; give the flag again for more."""
    grabcut: bool = False
    """Also score GrabCut, which needs no training, on the same kind of strokes."""
    rounds: int = 3
    """Rounds of strokes on each frame."""
    strokes: Literal["last", "all"] = "last"
    """What a round is given beside the present mask: its own strokes, as published, or all so far."""
    split: str = "val"
    """List in ImageSets/<year>, or split of the corpus (train, val, all)."""
    year: Literal["2016", "2017"] | None = None
    """Which lists to read where a tree has both; 2016 merges all objects into one."""
    frames_per_sequence: int = 4
    """Frames of each sequence, evenly spaced."""
    min_object_area: int = 100
    """Pixels that an object must show to be scribbled on and scored."""
    short_side: int | None = None
    """Pixels of the network input's shorter side; the frame's own without it."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where networks run; auto takes CUDA where there is one."""
    seed: int = 0
    """Seed of the robot."""
    pictures: int = 12
    """Frames on the sheet of pictures, 0 for none."""

    def run(self) -> None:
        from rich.console import Console

        from .cli import WIDTH_WITHOUT_TERMINAL

        console = Console()
        evaluate_rounds(self, console if console.is_terminal else Console(width=WIDTH_WITHOUT_TERMINAL))


def evaluate_rounds(command: Rounds, console: Console) -> dict[str, MethodScores]:
    """Score all methods, write rounds.json and rounds.png, print the table; return the scores by label.

    Raises EvaluationError for what the user can mend.
    """
    from ...datagen.storage.files import atomic_write_json
    from ...datagen.storage.store import corpus_location
    from .correction_rounds import RoundsSettings, frames_to_correct, summarise_rounds
    from .errors import EvaluationError
    from .round_pictures import draw_rounds
    from .scribble_methods import scribble_methods
    from .sequences import open_sequences

    try:
        settings = RoundsSettings(
            num_rounds=command.rounds,
            frames_per_sequence=command.frames_per_sequence,
            min_object_area=command.min_object_area,
            strokes=command.strokes,
            seed=command.seed,
        )
    except ValueError as error:
        raise EvaluationError(str(error)) from error
    if command.out.exists() and not command.out.is_dir():
        raise EvaluationError(f"--out {command.out} is a file; give a folder")
    methods = scribble_methods(command.checkpoint, command.grabcut, command.short_side, command.device)
    found = open_sequences(corpus_location(command.root), command.split, command.year, from_first=False)
    frames = frames_to_correct(found.sequences, settings)

    scores: dict[str, MethodScores] = {}
    shown: dict[str, list[tuple[Frame, list[Round]]]] = {}
    for label, (method, _) in methods.items():
        scores[label], shown[label] = _run(label, method, frames, settings, command.pictures, console)
    command.out.mkdir(parents=True, exist_ok=True)
    results = {
        "schema": RESULTS_SCHEMA,
        "dataset": {"root": str(found.root), "kind": found.kind, "split": found.split, "num_frames": len(frames)},
        "settings": asdict(settings) | {"short_side": command.short_side},
        "methods": {label: methods[label][1] | summarise_rounds(one) for label, one in scores.items()},
    }
    atomic_write_json(command.out / "rounds.json", results)
    if command.pictures:
        draw_rounds(shown, command.out / "rounds.png")
    num_objects = len(next(iter(scores.values())).objects)
    console.print(rounds_table(scores, f"{found.root}, {found.split}: {len(frames)} frames, {num_objects} objects"))
    console.print(f"results in {command.out}", highlight=False, soft_wrap=True)
    return scores


def _run(
    label: str, method, frames: list[Frame], settings: RoundsSettings, num_pictures: int, console: Console
) -> tuple[MethodScores, list[tuple[Frame, list[Round]]]]:
    """Correct all frames; return the scores and the rounds of evenly spaced frames to show."""
    import numpy as np
    from rich.progress import track

    from .correction_rounds import MethodScores, correct_frame, score_rounds

    pictured = set(np.linspace(0, len(frames) - 1, min(num_pictures, len(frames))).astype(int).tolist())
    objects, num_strokes, shown = [], [], []
    for number, frame in enumerate(track(frames, label, console=console)):
        rounds = correct_frame(method, frame, settings)
        objects += score_rounds(frame, rounds)
        num_strokes.append([len(one.strokes) for one in rounds])
        if number in pictured:
            shown.append((frame, rounds))
    strokes = tuple(float(value) for value in np.mean(num_strokes, axis=0))
    return MethodScores(objects=tuple(objects), strokes=strokes), shown


def rounds_table(scores: dict[str, MethodScores], title: str) -> Table:
    """One row a method and round."""
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for column in ("method", "round", "J", "F", f"J >= {HIGH_J:g}", "strokes a frame"):
        table.add_column(column, justify="left" if column == "method" else "right")
    for label, one in scores.items():
        columns = zip(one.means("J"), one.means("F"), one.shares_above(HIGH_J), one.strokes, strict=True)
        for number, (region, boundary, share, strokes) in enumerate(columns, start=1):
            name = label if number == 1 else ""
            table.add_row(name, str(number), f"{region:.3f}", f"{boundary:.3f}", f"{share:.0%}", f"{strokes:.1f}")
        table.add_section()
    return table
