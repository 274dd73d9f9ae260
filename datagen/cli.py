"""`vosforge-data`: make, check and look at corpora. One file of `commands` holds one command."""

from __future__ import annotations

from .commands.entry import run_command
from .commands.pack import Pack
from .commands.preview import Preview
from .commands.synthesize import Synthesize
from .commands.verify import Verify

COMMANDS = {"verify": Verify, "preview": Preview, "pack": Pack, "synthesize": Synthesize}


def main(arguments: list[str] | None = None) -> None:
    """Entry point of `vosforge-data`."""
    description = "Make, check and look at corpora for video object segmentation."
    run_command(COMMANDS, "vosforge-data", description, arguments)


if __name__ == "__main__":
    main()
