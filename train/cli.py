"""`vosforge-train`: list the stages, show one with every number and its source, run one.

One file of `commands` holds one command.
"""

import importlib
import os
import sys
from typing import Any

import tyro

from .commands.fusion_data import FusionData
from .commands.list_stages import List
from .commands.report import Report
from .commands.run import Run
from .commands.show import Show
from .inference.session.command import Segment

COMMANDS = {"list": List, "show": Show, "run": Run, "fusion-data": FusionData, "report": Report, "segment": Segment}


def main() -> None:
    """Entry point of `vosforge-train`."""
    # Spinning OpenMP threads slow training tenfold on a machine with other work; sleeping ones cost next to nothing.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    sys.exit(execute(tyro.extras.subcommand_cli_from_dict(COMMANDS, prog="vosforge-train")))


def execute(command: Any) -> int:
    """Run a parsed command and return the exit code: 2 for a mistake, 130 when stopped, with one line on stderr."""
    from .loop import TrainingFailed

    try:
        return importlib.import_module(type(command).__module__).run(command)
    except (ValueError, OSError, TrainingFailed) as error:
        print(f"vosforge-train: {' '.join(str(error).split())}", file=sys.stderr)
        return 1 if isinstance(error, TrainingFailed) else 2
    except KeyboardInterrupt:
        print("vosforge-train: stopped; the same command goes on with what is finished", file=sys.stderr)
        return 130


if __name__ == "__main__":
    main()
