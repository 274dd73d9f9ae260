"""The tables of the page: validations as numbers, data, settings, checkpoints."""

import json
from html import escape

from .curves import is_validation
from .data_rows import data_rows
from .line_chart import number
from .run_record import CheckpointFile, RunRecord
from .setting_rows import readable, setting_rows

MAX_VALIDATION_ROWS = 40


def validation_table(record: RunRecord) -> str:
    """One row a validation, folded; "" without any."""
    names = [name for name in record.names() if is_validation(name)]
    rows = [row for row in record.metrics if any(name in row for name in names)]
    if not rows:
        return ""
    # The latest validations are the ones asked for; a long run has too many for a page.
    left_out = len(rows) - MAX_VALIDATION_ROWS
    head = "".join(f'<th class="number">{escape(name)}</th>' for name in ["step", *names])
    body = "".join(
        f'<tr><td class="number">{row["step"]:,}</td>'
        + "".join(f'<td class="number">{number(row[name]) if name in row else ""}</td>' for name in names)
        + "</tr>"
        for row in rows[-MAX_VALIDATION_ROWS:]
    )
    note = f"<p><small>{left_out} earlier ones are in metrics.jsonl.</small></p>" if left_out > 0 else ""
    return (
        f'<details><summary>Validations as numbers</summary><div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>{note}</details>\n"
    )


def data_table(record: RunRecord) -> str:
    """One row a place of data; "" where config.json names none."""
    rows = data_rows(record)
    body = "".join(
        f"<tr><td><code>{escape(row.place)}</code><br><small>{escape(row.what)}</small></td>"
        f'<td data-label="weight ">{number(row.weight)}</td><td><code>{escape(row.sha256)}</code>'
        f"{f'<br><span class=alarm>{escape(row.note)}</span>' if row.note else ''}</td></tr>"
        for row in rows
    )
    head = "<tr><th>place</th><th>weight</th><th>sha256 of index.json</th></tr>"
    return f'<table class="settings"><thead>{head}</thead><tbody>{body}</tbody></table>\n' if rows else ""


def settings_table(record: RunRecord) -> str:
    """Settings with their sources, and the whole config.json, folded."""
    body = ""
    for row in setting_rows(record):
        # A setting that is not the stage's own is what a reader looks for.
        own = f" <small>the stage: {escape(row.own)}</small>" if row.own else ""
        value = f"<mark>{escape(row.value)}</mark>{own}" if row.own else escape(row.value)
        body += f'<tr><td class="name">{escape(row.name)}</td><td>{value}</td>'
        body += f'<td class="source">{escape(row.source)}</td></tr>'
    # How and where it ran, which makes it no other run.
    others = {name: record.config[name] for name in ("init", "companion", "validate") if record.config.get(name)}
    others |= record.config.get("run", {})
    body += "".join(
        f'<tr><td class="name">{escape(name)}</td><td>{escape(readable(value))}</td><td class="source"></td></tr>'
        for name, value in others.items()
    )
    head = "<tr><th>setting</th><th>value</th><th>source</th></tr>"
    whole = escape(json.dumps(record.config, indent=1))
    return (
        f'<table class="settings"><thead>{head}</thead><tbody>{body}</tbody></table>\n'
        f"<details><summary>config.json</summary><pre>{whole}</pre></details>\n"
    )


def checkpoint_table(record: RunRecord) -> str:
    """One row a checkpoint; "" before the first one."""
    body = "".join(
        f"<tr><td><code>{escape(one.path.name)}</code>"
        f"{'' if one.score is None else f' <small>{escape(_score(one))}</small>'}</td>"
        f'<td class="number">{"cannot be read" if one.step is None else f"{one.step:,}"}</td>'
        f'<td class="number">{one.num_bytes / 1e6:.1f} MB</td></tr>'
        for one in record.checkpoints
    )
    head = '<tr><th>file</th><th class="number">step</th><th class="number">size</th></tr>'
    return f"<table><thead>{head}</thead><tbody>{body}</tbody></table>\n" if body else ""


def _score(one: CheckpointFile) -> str:
    return f"score {number(one.score)}{f', {one.measured}' if one.measured else ''}"
