"""`vosforge-data`: make, check and look at corpora. One file of `commands` holds one command."""

from __future__ import annotations

import importlib
import sys

import tyro

from .commands.pack import Pack
from .commands.preview import Preview
from .commands.synthesize import Synthesize
from .commands.verify import Verify

COMMANDS = {"verify": Verify, "preview": Preview, "pack": Pack, "synthesize": Synthesize}


def main(arguments: list[str] | None = None) -> None:
    """Entry point of `vosforge-data`; a user's mistake is one line and exit code 2."""
    command = tyro.extras.subcommand_cli_from_dict(
        COMMANDS,
        prog="vosforge-data",
        description="Make, check and look at corpora for video object segmentation.",
        args=arguments,
    )
    try:
        sys.exit(importlib.import_module(type(command).__module__).run(command))
    except KeyboardInterrupt:
        print("stopped; what is finished is kept, the same command goes on from there", file=sys.stderr)
        sys.exit(130)
    except (ValueError, OSError) as error:
        print(f"vosforge-data: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
