"""The page itself: the parts of a run's report, put together as one HTML file that needs no other."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from ...datagen.storage.files import atomic_write
from .curves import Chart, charts_of, figure
from .document import Tile, document, section, tiles
from .line_chart import number
from .predictions import predictions
from .run_record import RunRecord
from .setting_rows import stage_of
from .tables import checkpoint_table, data_table, settings_table, validation_table

_CURVES_NOTE = (
    "Over the steps of the run. A training line shows means since the last line of the log, its loss the hardest "
    "pixels that the schedule keeps; held out, the loss is over all pixels."
)


def write_report(record: RunRecord, out: Path) -> Path:
    """Write the page of a run; under its name only when complete."""
    out.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(out, page(record).encode())
    return out


def page(record: RunRecord) -> str:
    """Return the whole page as HTML: no script, no other file, nothing from elsewhere."""
    title = str(record.config.get("stage", "run"))
    sections = charts_of(record.names())
    parts = [
        _heading(record),
        section("Curves", _figures(record, sections["quality"], _CURVES_NOTE) + validation_table(record)),
        section("Predictions", predictions(record)),
        section("Schedule and speed", _figures(record, [*sections["schedule"], *sections["speed"]])),
        section("Data", data_table(record)),
        section("Settings", settings_table(record)),
        section("Checkpoints", checkpoint_table(record)),
    ]
    return document(f"{title}, {record.folder.resolve().name}", "".join(parts))


def _heading(record: RunRecord) -> str:
    stage = stage_of(record)
    summary = record.config.get("summary") or ("" if stage is None else stage.summary)
    lines = [f"<h1>{escape(str(record.config.get('stage', 'run')))}</h1>", f"<p>{escape(summary)}</p>"]
    version = record.config.get("code_version", "unknown")
    lines.append(
        f'<p class="soft">Run <code>{escape(record.folder.resolve().name)}</code>, code '
        f"<code>{escape(str(version))}</code>, torch {escape(str(record.config.get('torch_version', 'unknown')))}</p>"
    )
    if record.config.get("command"):
        command = " ".join(record.config["command"])
        lines.append(f'<p class="soft"><code>vosforge-train {escape(command)}</code></p>')
    for path in record.failed:
        reason = "Stopped by a loss that is not finite; the batch is in"
        lines.append(f'<p class="alarm">{reason} <code>{escape(path.name)}</code></p>')
    lines += [f'<p class="alarm">{escape(note)}</p>' for note in record.notes]
    return "".join(lines) + tiles(_tiles(record))


def _tiles(record: RunRecord) -> list[Tile]:
    steps, wanted = record.last_step, record.num_steps
    found = [("Steps done", f"{steps:,}", "all of them" if steps >= wanted else f"of {wanted:,}")]
    for name in record.names():
        points = record.series(name)
        if (name.endswith("/J&F") or name in ("val_iou", "val_loss")) and points:
            best = (min if name == "val_loss" else max)(points, key=lambda pair: pair[1])
            shown = {"val_iou": "Held-out IoU", "val_loss": "Held-out loss"}.get(name, name.replace("/", ": "))
            found.append((shown, number(points[-1][1], 3), f"best {number(best[1], 3)} at step {best[0]:,}"))
    seconds = record.seconds()
    if seconds is not None:
        time = f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds / 60:.1f} min"
        note = "without validations" if record.series("seconds") else "estimated from the speed"
        found.append(("Training time", time, note))
    size = str(record.identity.get("size", ""))
    count = _num_parameters(record)
    found.append(("Network", size, "" if count is None else f"{count:,} parameters"))
    return found


def _num_parameters(record: RunRecord) -> int | None:
    stage = stage_of(record)
    size = record.identity.get("size")
    if stage is None or size not in stage.network.sizes:
        return None
    return sum(parameter.numel() for parameter in stage.network.named(size).parameters())


def _figures(record: RunRecord, charts: Sequence[Chart], note: str = "") -> str:
    drawn = "".join(figure(record, chart) for chart in charts)
    above = f'<p class="soft">{note}</p>' if note else ""
    return f'{above}<div class="charts">{drawn}</div>\n' if drawn else ""
