"""The command `vosforge-eval fusion`: what fusion is worth between two interactions, as a table, files and a sheet."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from tyro.conf import UseAppendAction, arg

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console
    from rich.table import Table

RESULTS_SCHEMA = 1


@dataclass(frozen=True, kw_only=True)
class Fusion:
    """Give two frames of every sequence their true masks, one after the other, and score the frames between them.

    Scored are the masks of the first interaction, those of the second, both blended by distance, and fusion networks.
    """

    root: str
    """DAVIS tree (2016 or 2017), or the folder or URL of a corpus."""
    out: Path
    """Folder for fusion.json and fusion.png."""
    propagation: Path
    """Checkpoint of the propagation network that carries the masks."""
    checkpoint: UseAppendAction[tuple[Annotated[str, arg(metavar="[LABEL=]FILE")], ...]] = ()
    """A checkpoint of a fusion stage; give the flag again for more. Without one the other methods are scored alone."""
    first: UseAppendAction[tuple[float, ...]] = ()
    """Place of the first interaction, as a fraction of the sequence; give the flag again for more pairs. Without it
    there are three: 0, 0.5 and 1."""
    second: Literal["worst", "farthest"] = "worst"
    """The second interaction: where the masks of the first are worst, or at the farther end."""
    split: str = "val"
    """List in ImageSets/<year>, or split of the corpus (train, val, all)."""
    year: Literal["2016", "2017"] | None = None
    """Which lists to read where a tree has both; 2016 merges all objects into one."""
    sequence: UseAppendAction[tuple[str, ...]] = ()
    """Only this sequence; give the flag again for more."""
    memory_every: int = 5
    """Frames between two memory frames; the previous frame is always remembered."""
    top_k: int = 50
    """Memory cells each query cell reads in propagation; 0 reads all."""
    attention_top_k: int = 0
    """Memory cells that carry the difference maps: 0 for all, as the published code has it; 50 as the paper's text."""
    short_side: int | None = None
    """Pixels of the network input's shorter side; the frame's own without it."""
    min_area: int = 100
    """Pixels that an object must show in the first frame."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where networks run; auto takes CUDA where there is one."""
    pictures: int = 12
    """Frames on the sheet of pictures, 0 for none."""

    def run(self) -> None:
        from rich.console import Console

        from .cli import WIDTH_WITHOUT_TERMINAL

        console = Console()
        evaluate_fusion(self, console if console.is_terminal else Console(width=WIDTH_WITHOUT_TERMINAL))


def evaluate_fusion(command: Fusion, console: Console) -> dict[str, dict[str, Any]]:
    """Score all methods, write fusion.json and fusion.png, print the table; return the summary by method.

    Raises EvaluationError for what the user can mend.
    """
    from rich.progress import track

    from ...datagen.storage.files import atomic_write_json, sha256_of_file
    from ...datagen.storage.store import corpus_location
    from ..checkpoint import load_network
    from ..device import choose_device
    from ..inference.propagation import PropagationSettings
    from ..networks import FUSION
    from .errors import EvaluationError
    from .fusion_gain import FIRSTS, PLAIN_METHODS, FusionGainSettings, interacted_pairs, summarise_pairs
    from .fusion_pictures import draw_fusion
    from .methods import parse_checkpoints
    from .sequences import open_sequences

    if command.out.exists() and not command.out.is_dir():
        raise EvaluationError(f"--out {command.out} is a file; give a folder")
    paths = parse_checkpoints(command.checkpoint)
    try:
        device = str(choose_device(command.device))
        settings = FusionGainSettings(
            propagation=PropagationSettings(
                memory_every=command.memory_every,
                top_k=command.top_k or None,
                short_side=command.short_side,
                device=device,
            ),
            firsts=tuple(command.first) or FIRSTS,
            second=command.second,
            min_area=command.min_area,
            attention_top_k=command.attention_top_k or None,
        )
        propagation, _ = load_network(command.propagation, device)
        fusions = {label: load_network(path, device, FUSION)[0] for label, path in paths.items()}
    except ValueError as error:
        raise EvaluationError(str(error)) from error
    found = open_sequences(corpus_location(command.root), command.split, command.year, from_first=False)
    sequences = [one for one in found.sequences if not command.sequence or one.name in command.sequence]
    unknown = sorted(set(command.sequence) - {one.name for one in sequences})
    if unknown:
        raise EvaluationError(f"{found.root} has no sequence {unknown[0]} in its split {command.split}")
    pairs, shown = [], []
    for sequence in track(sequences, "two interactions", console=console):
        for scores, frames in interacted_pairs(propagation, fusions, sequence, settings):
            pairs.append(scores)
            shown.append((sequence, frames[len(frames) // 2]))
    summary = summarise_pairs(pairs)
    command.out.mkdir(parents=True, exist_ok=True)
    results = {
        "schema": RESULTS_SCHEMA,
        "dataset": {"root": str(found.root), "kind": found.kind, "split": found.split, "sequences": len(sequences)},
        "settings": asdict(settings),
        "propagation_sha256": sha256_of_file(command.propagation),
        "checkpoints_sha256": {label: sha256_of_file(Path(path)) for label, path in paths.items()},
        "methods": summary,
        "pairs": [asdict(pair) for pair in pairs],
    }
    atomic_write_json(command.out / "fusion.json", results)
    if command.pictures:
        draw_fusion(shown[:: max(1, -(-len(shown) // command.pictures))], command.out / "fusion.png")
    assert list(summary) == [*PLAIN_METHODS, *fusions]
    console.print(fusion_table(summary, f"{found.root}, {found.split}: {len(pairs)} pairs of interactions"))
    console.print(f"results in {command.out}", highlight=False, soft_wrap=True)
    return summary


def fusion_table(summary: Mapping[str, Mapping[str, Any]], title: str) -> Table:
    """One row a method, means over the objects of all pairs."""
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for column in ("method", "J", "F", "objects", "J above linear", "J below linear"):
        table.add_column(column, justify="left" if column == "method" else "right")
    for method, row in summary.items():
        shares = f"{row['better_than_linear']:.0%}", f"{row['worse_than_linear']:.0%}"
        table.add_row(method, f"{row['J']:.3f}", f"{row['F']:.3f}", str(row["objects"]), *shares)
    return table
