"""The entry point of a command line: one file of `commands` holds one command, its class and `run`."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping

import tyro


def run_command(commands: Mapping[str, type], prog: str, description: str, arguments: list[str] | None) -> None:
    """Parse the arguments, run the command and end the process; a user's mistake is one line and exit code 2."""
    command = tyro.extras.subcommand_cli_from_dict(dict(commands), prog=prog, description=description, args=arguments)
    try:
        sys.exit(importlib.import_module(type(command).__module__).run(command))
    except KeyboardInterrupt:
        print("stopped; what is finished is kept, the same command goes on from there", file=sys.stderr)
        sys.exit(130)
    except (ValueError, OSError) as error:
        print(f"{prog}: {error}", file=sys.stderr)
        sys.exit(2)
