"""vosforge-eval: score methods on annotated video. Nothing heavy is imported before a command runs."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro
from tyro.conf import UseAppendAction

from .clicks.command import Clicks
from .clicks.refinement_command import Refine
from .command_options import PropagationOptions, SequenceOptions
from .fusion.command import Fusion
from .interactive.command import Interactive
from .rounds.command import Rounds
from .terminal import console

STOPPED = 130


@dataclass(frozen=True, kw_only=True)
class TruthOptions(SequenceOptions):
    """Which sequences are scored, and how."""

    protocol: Literal["davis", "youtube-vos"] | None = None
    """davis gives the masks of the first frame and skips the last; youtube-vos gives each object's first mask, whenever
    it comes in, and scores every annotated frame behind it. Without it that of the layout; a corpus takes davis."""
    train_meta: Path | None = None
    """meta.json of YouTube-VOS's training split, for scores of seen and unseen classes; that of the tree without it."""
    include_ends: bool = False
    """Score given masks and the last frame too, which the benchmarks skip."""

    def truth_settings(self) -> dict:
        """The fields of the settings of `davis` and `masks` that both have."""
        from ...datagen.storage.store import corpus_location

        return {
            "root": corpus_location(self.root),
            "split": self.split,
            "year": self.year,
            "sequences": self.sequence,
            "protocol": self.protocol,
            "train_meta": self.train_meta,
            "include_ends": self.include_ends,
        }


@dataclass(frozen=True, kw_only=True)
class Davis(TruthOptions, PropagationOptions):
    """Propagate the first masks of every sequence with each checkpoint and baseline, and measure J and F.

    Finished sequences are kept: the same command goes on where it stopped.
    """

    out: Path
    """Folder for masks, scores, results.json, CSVs, report.html and pictures."""
    checkpoint: UseAppendAction[tuple[str, ...]] = ()
    """FILE or LABEL=FILE; give the flag again for more. The first one's results lie directly in OUT."""
    untrained: bool = False
    """Also score the first checkpoint's architecture with seeded initial weights."""
    baselines: str = "copy-first-mask"
    """Comma-separated: copy-first-mask, dis-flow; or none."""
    overwrite: bool = False
    """Compute again what OUT already holds."""
    masks_only: bool = False
    """Write masks and score nothing, for splits whose truth is on a server (DAVIS test-dev, YouTube-VOS valid)."""
    pictures: int = 12
    """Draw this many sequences."""

    def run(self) -> None:
        from .davis import DavisSettings, evaluate_davis

        device = self.chosen_device(has_networks=bool(self.checkpoint))
        settings = DavisSettings(
            **self.truth_settings(),
            out=self.out,
            checkpoints=self.checkpoint,
            untrained=self.untrained,
            baselines=self.baselines,
            inference=self.inference(device),
            overwrite=self.overwrite,
            masks_only=self.masks_only,
            num_pictures=self.pictures,
            farm=self.farm(device),
        )
        evaluate_davis(settings, console())


@dataclass(frozen=True, kw_only=True)
class Masks(TruthOptions):
    """Score a folder of palette PNGs written by any program: RESULTS/<sequence>/00000.png."""

    results: Path
    """Folder with one folder of PNGs for every sequence."""
    out: Path | None = None
    """Folder for report.html, results.json and CSVs; RESULTS without it, unless that lies in ROOT."""
    json: Path | None = None
    """Write all numbers to this file too."""

    def run(self) -> None:
        from .masks import MasksSettings, evaluate_masks

        settings = MasksSettings(
            **self.truth_settings(), results=self.results, out=self.out, json=self.json, farm=self.farm()
        )
        evaluate_masks(settings, console())


COMMANDS = {
    "davis": Davis,
    "masks": Masks,
    "interactive": Interactive,
    "clicks": Clicks,
    "refine": Refine,
    "rounds": Rounds,
    "fusion": Fusion,
}


KEEP_WHAT_IS_FINISHED = (Davis, Interactive, Clicks, Refine)
"""Commands that go on where they were stopped; the others begin anew."""


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns 0 when all was done, 2 for a mistake of the user's, told in one line on stderr.

    1 when processes or nodes were lost or the program has a fault, 130 when it was stopped.
    """
    # Read when torch is imported: spinning OpenMP threads are very slow on a machine with other work.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    command = tyro.extras.subcommand_cli_from_dict(
        COMMANDS, prog="vosforge-eval", description=__doc__.split(". ")[0], args=arguments
    )
    from ...datagen.farm.task import NoNodeLeft
    from .errors import EvaluationError
    from .jobs import TasksFailed

    keeps = isinstance(command, KEEP_WHAT_IS_FINISHED)
    kept = "what is finished is kept" if keeps else "nothing is kept, the same command begins anew"
    try:
        command.run()
    except (EvaluationError, OSError) as error:
        print(f"vosforge-eval: {error}", file=sys.stderr)
        return 2
    except TasksFailed as error:
        for failure in error.failures.values():
            print(failure.traceback, end="", file=sys.stderr)
        print(f"vosforge-eval: {error}; {kept}", file=sys.stderr)
        return 1
    except NoNodeLeft as error:
        print(f"vosforge-eval: {error}; {kept}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        then = "the same command goes on after what is finished" if keeps else kept
        print(f"vosforge-eval: stopped; {then}", file=sys.stderr)
        return STOPPED
    return 0


if __name__ == "__main__":
    sys.exit(main())
