"""`vosforge-render`: render a corpus, and all that goes with it. One file of `commands` holds one command."""

from __future__ import annotations

import importlib
import sys

import tyro

from .commands.assets import Assets
from .commands.doctor import Doctor
from .commands.export import Export
from .commands.plan import Plan
from .commands.run import Run
from .commands.status import Status

COMMANDS = {"run": Run, "doctor": Doctor, "plan": Plan, "status": Status, "assets": Assets, "export": Export}


def main(arguments: list[str] | None = None) -> None:
    """Entry point of `vosforge-render`; a user's mistake is one line and exit code 2."""
    command = tyro.extras.subcommand_cli_from_dict(
        COMMANDS,
        prog="vosforge-render",
        description="Render corpora for video object segmentation with Blender.",
        args=arguments,
    )
    try:
        sys.exit(importlib.import_module(type(command).__module__).run(command))
    except KeyboardInterrupt:
        print("stopped; what is finished is kept, the same command goes on from there", file=sys.stderr)
        sys.exit(130)
    except (ValueError, OSError) as error:
        print(f"vosforge-render: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
