"""A stage as a table: every number, with its source."""

from dataclasses import fields

from rich.table import Table

from ..models.propagation import count_parameters
from .sample_settings import dotted, names_set_by, settings_class, whole_sample_settings
from .stage import Stage
from .step_settings import whole_step_settings

# The title, the first rows, or what makes the stage.
_NOT_ROWS = ("name", "summary", "size", "start_from", "network", "step", "needs_init", "sources")


def stage_table(stage: Stage, size: str | None = None) -> Table:
    """One row a setting of the stage with its value and its source, and the parameter count of the network.

    Of the samples every number has a row, by its dotted name below sample_settings, whether the stage sets it or not.
    """
    network = stage.network.named(size or stage.size)
    table = Table("setting", "value", "source", title=f"{stage.name}: {stage.summary}")
    table.add_row("network", f"{size or stage.size}, {count_parameters(network):,} parameters", "counted")
    for name, module in network.named_children():
        table.add_row(f"  {name}", f"{count_parameters(module):,} parameters", "counted")
    table.add_row("start", stage.start_from, "")
    for name in (field.name for field in fields(stage) if field.name not in _NOT_ROWS):
        source = stage.sources.get(name, "")
        if name == "sample_settings":
            _add_sample_rows(table, stage, source)
        else:
            value = dict(dotted(whole_step_settings(stage))) if name == "step_settings" else getattr(stage, name)
            table.add_row(name, _readable(value), source)
    return table


def _add_sample_rows(table: Table, stage: Stage, source: str) -> None:
    kind, own = settings_class(stage.data)[0].__name__, names_set_by(stage)
    table.add_row("sample_settings.", f"those of {kind}", source)
    for name, value in dotted(whole_sample_settings(stage)):
        table.add_row(f"  {name}", _readable(value), "set by the stage" if name in own else "default")


def _readable(value: object) -> str:
    if hasattr(value, "__dataclass_fields__"):
        return "\n".join(f"{field.name} {_readable(getattr(value, field.name))}" for field in fields(value))
    if isinstance(value, dict):
        return "\n".join(f"{name} {_readable(item)}" for name, item in value.items())
    if isinstance(value, bool) or value is None:
        return "none" if value is None else str(value)
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, tuple):
        return ", ".join(_readable(item) for item in value) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)
