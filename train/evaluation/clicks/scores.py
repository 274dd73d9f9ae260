"""From the runs of all objects to the published numbers: clicks to a target, failures, and the curve of mean IoU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .protocol import ClickRun, ClicksSettings

RunsOfMethods = dict[tuple[str, str], list[ClickRun]]
"""(label of the method, strategy) -> the runs of all objects, in one order."""


def clicks_to(run: ClickRun, target: float, max_clicks: int) -> tuple[int, bool]:
    """Return the number of the first click after which IoU is at least the target, and True; max_clicks where none."""
    for number, iou in enumerate(run.ious, start=1):
        if iou >= target:
            return number, True
    return max_clicks, False


def iou_curve(run: ClickRun, max_clicks: int) -> np.ndarray:
    """IoU after 1 .. max_clicks clicks, float64 (max_clicks,); after the last click it stays."""
    ious = np.array(run.ious)
    return np.concatenate([ious, np.full(max_clicks - len(ious), ious[-1])])


def summarise_runs(runs: Sequence[ClickRun], settings: ClicksSettings) -> dict[str, Any]:
    """Numbers of a method with one strategy, by the names of the published tables.

    NoC@85: mean number of clicks to 85 % IoU, of which an object that never gets there counts max_clicks. NoF@85: how
    many objects never get there. mIoU: mean IoU after 1 .. max_clicks clicks; an object keeps its last one.
    histogram@85: how many objects took 1 .. max_clicks clicks, those that never got there left out.
    seconds_per_click: of the method alone. objects: IoU after each click.
    """
    summary: dict[str, Any] = {"num_objects": len(runs)}
    for target in settings.targets:
        found = [clicks_to(run, target, settings.max_clicks) for run in runs]
        name = target_name(target)
        summary[f"NoC@{name}"] = float(np.mean([number for number, _ in found]))
        summary[f"NoF@{name}"] = sum(not reached for _, reached in found)
        reached = [number for number, is_reached in found if is_reached]
        histogram = np.bincount(reached, minlength=settings.max_clicks + 1)[1:]
        summary[f"histogram@{name}"] = histogram.tolist()
    summary["mIoU"] = np.mean([iou_curve(run, settings.max_clicks) for run in runs], axis=0).tolist()
    seconds = [value for run in runs for value in run.seconds]
    summary["seconds_per_click"] = float(np.mean(seconds))
    summary["objects"] = [
        {"picture": run.picture, "object": run.object_id, "area": run.area, "ious": list(run.ious)} for run in runs
    ]
    return summary


def badness(run: ClickRun, settings: ClicksSettings) -> tuple[float, float, str]:
    """A key that sorts objects from the one that took most clicks to the highest target, the lowest last IoU first."""
    number, reached = clicks_to(run, max(settings.targets), settings.max_clicks)
    return -(number + (not reached)), run.ious[-1], run.name


def target_name(target: float) -> str:
    """0.85 -> "85"."""
    return f"{100 * target:g}"
