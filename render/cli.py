"""`vosforge-render`: render a corpus, and all that goes with it. One file of `commands` holds one command."""

from __future__ import annotations

from ..datagen.commands.entry import run_command
from .commands.assets import Assets
from .commands.doctor import Doctor
from .commands.export import Export
from .commands.plan import Plan
from .commands.run import Run
from .commands.status import Status

COMMANDS = {"run": Run, "doctor": Doctor, "plan": Plan, "status": Status, "assets": Assets, "export": Export}


def main(arguments: list[str] | None = None) -> None:
    """Entry point of `vosforge-render`."""
    description = "Render corpora for video object segmentation with Blender."
    run_command(COMMANDS, "vosforge-render", description, arguments)


if __name__ == "__main__":
    main()
