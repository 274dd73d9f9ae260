"""Which metrics of a run share a chart, in which order, and what stands above it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from .figures import LegendEntry, chart_figure
from .line_chart import NUM_COLOURS, Line, line_chart, number
from .run_record import RunRecord

SCHEDULE = ("learning_rate", "kept_fraction", "max_jump")
SPEED = ("samples_per_second", "data_wait_share")
NOT_DRAWN = ("seconds",)
SHARES = re.compile(r"(^|_)(iou|kept_fraction|share)(_|$)|(^|/)(J&F|J|F)$")
TITLES = {
    "loss": "Loss",
    "iou": "IoU",
    "gradient_norm": "Gradient norm",
    "learning_rate": "Learning rate",
    "kept_fraction": "Kept fraction of the pixels",
    "max_jump": "Largest frame distance",
    "samples_per_second": "Samples a second",
    "data_wait_share": "Share of time waiting for data",
}
# What is looked at first stands first; parts of the loss and the like come behind, in their own order.
FIRST = ("loss", "iou")
LAST = ("gradient_norm",)
LABELS = {"val": "held out", "train": "training"}


@dataclass(frozen=True, kw_only=True)
class Chart:
    """One chart: its title, the names of its metrics, the first being the one to look at, and their labels."""

    title: str
    names: tuple[str, ...]
    labels: tuple[str, ...]


def charts_of(names: Iterable[str]) -> dict[str, list[Chart]]:
    """Section ("quality", "schedule", "speed") -> its charts, from the names of a run's metrics.

    A metric of training and its twin of the held-out batches, val_<name>, share a chart, and so do the J&F, J and F of
    one set of videos, and the numbered parts of a metric (loss_1, loss_2).
    """
    names = list(names)
    videos: dict[str, list[str]] = {}
    groups: dict[str, list[str]] = {}
    for name in names:
        if "/" in name:
            videos.setdefault(name.rpartition("/")[0], []).append(name)
        elif name not in (*SCHEDULE, *SPEED, *NOT_DRAWN):
            groups.setdefault(re.sub(r"_\d+$", "_#", name.removeprefix("val_")), []).append(name)
    quality = [
        Chart(title=f"J and F on {place}", names=tuple(found), labels=tuple(one.rpartition("/")[2] for one in found))
        for place, found in videos.items()
    ]
    for group in sorted(groups, key=_place_in_order):
        quality.append(_group_chart(group, groups[group]))
    return {
        "quality": quality,
        "schedule": [_single(name) for name in SCHEDULE if name in names],
        "speed": [_single(name) for name in SPEED if name in names],
    }


def figure(record: RunRecord, chart: Chart) -> str:
    """Return a <figure> with the title, the lines and a legend with the latest value of each; "" without points."""
    lines = []
    for index, (name, label) in enumerate(zip(chart.names, chart.labels, strict=True)):
        points = record.series(name)
        if points:
            best = max(points, key=lambda pair: pair[1]) if name.endswith("/J&F") and len(points) > 1 else None
            lines.append(
                Line(
                    label=label,
                    points=points,
                    colour=index % NUM_COLOURS,
                    dots=is_validation(name),
                    noisy=name not in SCHEDULE,
                    marked=best,
                )
            )
    if not lines:
        return ""
    bounds = (0.0, 1.0) if SHARES.search(chart.names[0]) else None
    legend = [LegendEntry(label=line.label, colour=line.colour, value=number(line.points[-1][1])) for line in lines]
    return chart_figure(chart.title, legend, line_chart(chart.title, lines, record.last_step, bounds))


def is_validation(name: str) -> bool:
    """Whether a metric is measured by a validation, and not by every step."""
    return "/" in name or name.startswith("val_")


def _group_chart(group: str, found: list[str]) -> Chart:
    # Training first, and its twin behind it, so that twins of one part have neighbouring colours.
    ordered = sorted(found, key=lambda name: (name.removeprefix("val_"), name.startswith("val_")))
    if group.endswith("_#"):
        title = f"{_title(group[:-2])}, by part"
        labels = [f"{name.removeprefix('val_')}{', held out' if name.startswith('val_') else ''}" for name in ordered]
    else:
        title = _title(group)
        labels = [LABELS["val" if name.startswith("val_") else "train"] for name in ordered]
    return Chart(title=title, names=tuple(ordered), labels=tuple(labels))


def _place_in_order(group: str) -> tuple[int, str]:
    if group in FIRST:
        return FIRST.index(group), group
    return (len(FIRST) + 1 + (group in LAST), group)


def _single(name: str) -> Chart:
    return Chart(title=_title(name), names=(name,), labels=("",))


def _title(name: str) -> str:
    words = name.replace("_", " ").capitalize()
    return TITLES.get(name, re.sub(r"\biou\b", "IoU", words, flags=re.IGNORECASE))
