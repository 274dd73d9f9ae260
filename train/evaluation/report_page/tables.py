"""Tables of an evaluation's page."""

from __future__ import annotations

from html import escape

from .decimals import MISSING, plain, written
from .parts import Table

MAX_OPEN_ROWS = 40


def table(table: Table) -> str:
    """Return title, table and note; a long one folded; "" without a row."""
    if not table.rows:
        return ""
    columns = [_column(table, place) for place in range(len(table.columns))]
    head = "".join(
        f"<th{_kind(numeric)}>{escape(name)}</th>" for name, (numeric, _) in zip(table.columns, columns, strict=True)
    )
    body = "".join(
        "<tr>" + "".join(f"<td{_kind(numeric)}>{cells[place]}</td>" for numeric, cells in columns) + "</tr>"
        for place in range(len(table.rows))
    )
    drawn = f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    if len(table.rows) > MAX_OPEN_ROWS:
        drawn = f"<details><summary>{len(table.rows)} rows</summary>{drawn}</details>"
    note = f'<p class="soft">{escape(table.note)}</p>' if table.note else ""
    return f"<h3>{escape(table.name)}</h3>{drawn}{note}\n"


def _column(table: Table, place: int) -> tuple[bool, list[str]]:
    """Whether a column holds numbers, and its cells as HTML."""
    cells = [plain(row[place]) for row in table.rows]
    numbers = [cell for cell in cells if isinstance(cell, int | float)]
    numeric = bool(numbers) and not any(isinstance(cell, str) for cell in cells)
    texts = iter(written(numbers))
    drawn = [
        next(texts) if isinstance(cell, int | float) else escape(MISSING if cell is None else cell) for cell in cells
    ]
    kind = table.best.get(table.columns[place])
    if kind and len(numbers) > 1 and numeric:
        best = max(numbers) if kind == "highest" else min(numbers)
        drawn = [f"<b>{text}</b>" if cell == best else text for cell, text in zip(cells, drawn, strict=True)]
    return numeric, drawn


def _kind(numeric: bool) -> str:
    return ' class="number"' if numeric else ""
