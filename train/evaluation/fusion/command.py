"""The command `vosforge-eval fusion`: what fusion is worth between two interactions, as a table, files and a page."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from tyro.conf import UseAppendAction, arg

from ..command_options import PropagationOptions, SequenceOptions, check_numbers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console
    from rich.table import Table

RESULTS_SCHEMA = 1


@dataclass(frozen=True, kw_only=True)
class Fusion(SequenceOptions, PropagationOptions):
    """Give two frames of every sequence their true masks, one after the other, and score the frames between them.

    Scored are the masks of the first interaction, those of the second, both blended by distance, and fusion networks.
    Finished sequences are kept: the same command goes on where it stopped.
    """

    out: Path
    """Folder for fusion.json, report.html, fusion.png and the finished sequences."""
    propagation: Path
    """Checkpoint of the propagation network that carries the masks."""
    checkpoint: UseAppendAction[tuple[Annotated[str, arg(metavar="[LABEL=]FILE")], ...]] = ()
    """A checkpoint of a fusion stage; give the flag again for more. Without one the other methods are scored alone."""
    first: UseAppendAction[tuple[float, ...]] = ()
    """Place of the first interaction, as a fraction of the sequence; give the flag again for more pairs. Without it
    there are three: 0, 0.5 and 1."""
    second: Literal["worst", "farthest"] = "worst"
    """The second interaction: where the masks of the first are worst, or at the farther end."""
    attention_top_k: int | None = None
    """Memory cells that carry the difference maps: 0 for all, as the published code has it; 50 as the paper's text.
    Without it as the fusion network was trained."""
    min_area: int = 100
    """Pixels that an object must show in the first frame."""
    overwrite: bool = False
    """Compute again what OUT already holds."""
    pictures: int = 12
    """Frames on the sheet of pictures, 0 for none."""

    def run(self) -> None:
        from ..terminal import console

        evaluate_fusion(self, console())


def evaluate_fusion(command: Fusion, console: Console) -> dict[str, dict[str, Any]]:
    """Score all methods, write fusion.json, report.html and fusion.png, print the table; return the summary by method.

    Raises EvaluationError for what the user can mend.
    """
    from ....datagen.storage.files import atomic_write_json
    from ...inference.propagation import PropagationSettings
    from ..errors import as_evaluation_errors
    from ..jobs import map_sequences
    from ..methods import parse_checkpoints
    from ..output_folder import check_output_folder, hold_output_folder
    from .gain import FIRSTS, FusionGainSettings, summarise_pairs
    from .pictures import draw_fusion
    from .report import write_fusion_report
    from .work import FusionJob, checked_hashes, run_pairs

    check_numbers(("--pictures", command.pictures, 0))
    check_output_folder(command.out, command="fusion")
    fusions = {label: str(path.absolute()) for label, path in parse_checkpoints(command.checkpoint).items()}
    propagation = str(command.propagation.absolute())
    device = command.chosen_device()
    farm = command.farm(device)
    with as_evaluation_errors():
        settings = FusionGainSettings(
            propagation=PropagationSettings(**asdict(command.inference(device))),
            firsts=tuple(command.first) or FIRSTS,
            second=command.second,
            min_area=command.min_area,
            attention_top_k=command.attention_top_k,
        )
        hashes = checked_hashes(propagation, fusions)
    job = FusionJob(
        propagation=propagation,
        fusions=fusions,
        hashes=hashes,
        settings=settings,
        folder=command.out.absolute() / "pairs",
        overwrite=command.overwrite,
    )
    found = command.open_sequences(from_first=False)
    sequences = found.sequences
    with hold_output_folder(command.out, "fusion"):
        by_sequence = map_sequences(run_pairs, sequences, farm, shared=job, doing="two interactions", console=console)
        done = [result for results in by_sequence for result in results]
        pairs = [result.scores for result in done]
        summary = summarise_pairs(pairs)
        console.print(fusion_table(summary, f"{found.root}, {found.split}: {len(pairs)} pairs of interactions"))
        results = {
            "schema": RESULTS_SCHEMA,
            "dataset": {"root": str(found.root), "kind": found.kind, "split": found.split, "sequences": len(sequences)},
            "settings": asdict(settings),
            "propagation_sha256": hashes[propagation],
            "checkpoints_sha256": {label: hashes[path] for label, path in fusions.items()},
            "methods": summary,
            "pairs": [asdict(pair) for pair in pairs],
        }
        atomic_write_json(command.out / "fusion.json", results)
        if command.pictures:
            shown = done[:: max(1, -(-len(done) // command.pictures))]
            draw_fusion([result.picture("middle") for result in shown], command.out / "fusion.png")
        facts = {
            "data": f"{found.root}, {found.split}: {len(sequences)} sequences",
            "propagation": str(command.propagation),
            **{f"fusion, {label}": path for label, path in fusions.items()},
            "first interactions": ", ".join(f"{place:g}" for place in settings.firsts) + " of the sequence",
            "second interaction": f"the {settings.second} frame",
            "memory": f"every {command.memory_every} frames, top {command.top_k or 'all'}",
            "device": device,
        }
        write_fusion_report(command.out / "report.html", summary=summary, results=done, facts=facts)
        console.print(f"results in {command.out}", highlight=False, markup=False, soft_wrap=True)
        return summary


def fusion_table(summary: Mapping[str, Mapping[str, Any]], title: str) -> Table:
    """One row a method, means over the objects of all pairs."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title), title_justify="left")
    for column in ("method", "J", "F", "objects", "J above linear", "J below linear"):
        table.add_column(column, justify="left" if column == "method" else "right")
    for method, row in summary.items():
        shares = f"{row['better_than_linear']:.0%}", f"{row['worse_than_linear']:.0%}"
        table.add_row(method, f"{row['J']:.3f}", f"{row['F']:.3f}", str(row["objects"]), *shares)
    return table
