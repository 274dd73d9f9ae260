"""vosforge-eval: score methods on annotated video. Nothing heavy is imported before a command runs."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro
from tyro.conf import UseAppendAction

from .fusion_command import Fusion
from .rounds_command import Rounds

WIDTH_WITHOUT_TERMINAL = 120


@dataclass(frozen=True, kw_only=True)
class Davis:
    """Propagate the first mask of every sequence with each checkpoint and baseline, and measure J and F.

    Finished sequences are kept: the same command goes on where it stopped.
    """

    root: str
    """DAVIS tree (2016 or 2017), or the folder or URL of a corpus."""
    out: Path
    """Folder for masks, scores, results.json, CSVs and pictures."""
    checkpoint: UseAppendAction[tuple[str, ...]] = ()
    """FILE or LABEL=FILE; give the flag again for more. The first one's results lie directly in OUT."""
    untrained: bool = False
    """Also score the first checkpoint's architecture with seeded initial weights."""
    baselines: str = "copy-first-mask"
    """Comma-separated: copy-first-mask, dis-flow; or none."""
    split: str = "val"
    """List in ImageSets/<year>, or split of the corpus (train, val, all)."""
    year: Literal["2016", "2017"] | None = None
    """Which lists to read where a tree has both; 2016 merges all objects into one."""
    sequence: UseAppendAction[tuple[str, ...]] = ()
    """Only this sequence; give the flag again for more."""
    memory_every: int = 5
    """Frames between two memory frames; the previous frame is always remembered."""
    top_k: int = 50
    """Memory cells each query cell reads; 0 reads all."""
    short_side: int | None = None
    """Pixels of the network input's shorter side; the frame's own without it."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where networks run; auto takes CUDA where there is one."""
    include_ends: bool = False
    """Score the first (given) and the last frame too, which the benchmark skips."""
    overwrite: bool = False
    """Compute again what OUT already holds."""
    pictures: int = 12
    """Draw this many sequences."""

    def run(self) -> None:
        from ...datagen.storage.store import corpus_location
        from .davis import DavisSettings, evaluate_davis
        from .methods import InferenceSettings

        inference = InferenceSettings(
            memory_every=self.memory_every,
            top_k=self.top_k or None,
            short_side=self.short_side,
            device=self.device,
        )
        settings = DavisSettings(
            root=corpus_location(self.root),
            out=self.out,
            checkpoints=self.checkpoint,
            untrained=self.untrained,
            baselines=self.baselines,
            split=self.split,
            year=self.year,
            sequences=self.sequence,
            inference=inference,
            include_ends=self.include_ends,
            overwrite=self.overwrite,
            num_pictures=self.pictures,
        )
        evaluate_davis(settings, _console())


@dataclass(frozen=True, kw_only=True)
class Masks:
    """Score a folder of palette PNGs written by any program: RESULTS/<sequence>/00000.png."""

    root: str
    """DAVIS tree (2016 or 2017), or the folder or URL of a corpus."""
    results: Path
    """Folder with one folder of PNGs for every sequence."""
    json: Path | None = None
    """Write all numbers to this file."""
    split: str = "val"
    """List in ImageSets/<year>, or split of the corpus (train, val, all)."""
    year: Literal["2016", "2017"] | None = None
    """Which lists to read where a tree has both; 2016 merges all objects into one."""
    include_ends: bool = False
    """Score the first and the last frame too, which the benchmark skips."""

    def run(self) -> None:
        from ...datagen.storage.store import corpus_location
        from .masks import MasksSettings, evaluate_masks

        evaluate_masks(MasksSettings(**{**vars(self), "root": corpus_location(self.root)}), _console())


def _console():
    from rich.console import Console

    # A file or pipe has no width of its own; 80 columns would break the table of several methods.
    console = Console()
    return console if console.is_terminal else Console(width=WIDTH_WITHOUT_TERMINAL)


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns 0 when all was done, 2 for a mistake of the user's, told in one line on stderr."""
    # Read when torch is imported: spinning OpenMP threads are very slow on a machine with other work.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    command = tyro.extras.subcommand_cli_from_dict(
        {"davis": Davis, "masks": Masks, "rounds": Rounds, "fusion": Fusion},
        prog="vosforge-eval",
        description=__doc__.split(". ")[0],
        args=arguments,
    )
    from .errors import EvaluationError

    try:
        command.run()
    except (EvaluationError, OSError) as error:
        print(f"vosforge-eval: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("vosforge-eval: stopped; the same command goes on after the finished sequences", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
