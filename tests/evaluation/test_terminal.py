"""What the commands print."""

from rich.table import Table
from vosforge.train.evaluation.terminal import console


def test_brackets_of_names_and_paths_are_no_markup(capsys):
    printer = console()
    printer.print("results in /tmp/[red]x", highlight=False)
    table = Table("[bold]dog", title="[blue]data")
    table.add_row("[/red]")
    printer.print(table)
    printed = capsys.readouterr().out
    assert all(text in printed for text in ("/tmp/[red]x", "[bold]dog", "[blue]data", "[/red]"))
