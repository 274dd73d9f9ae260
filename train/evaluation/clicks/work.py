"""One task of the farm: a picture, a method and a strategy; its results lie in files, so that a killed run goes on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ....datagen.imaging.images import decode_mask_picture, encode_palette_png
from ....datagen.simulation.clicks.clicks import Click
from ....datagen.storage.files import atomic_write, atomic_write_json, read_json
from ..finished import arrays_sha256
from .methods import MethodSpec, open_method
from .objects import ClickObject, Picture
from .protocol import ClickRun, ClicksSettings, Strategy, click_until_good

SCHEMA = 2


@dataclass(frozen=True, kw_only=True)
class ClicksJob:
    """What all tasks share. out: folder of the results."""

    out: Path
    settings: ClicksSettings
    overwrite: bool = False


@dataclass(frozen=True, kw_only=True)
class ClicksTask:
    """One picture, one method, one strategy."""

    picture: Picture
    method: MethodSpec
    strategy: Strategy


def run_task(job: ClicksJob, task: ClicksTask) -> list[ClickRun]:
    """Return the runs of all objects of the picture, without their masks; those that are in files are read from there.

    Raises EvaluationError or OSError for what the user can mend.
    """
    place = runs_file(job.out, task.method.label, task.strategy, task.picture.name)
    objects = task.picture.objects()
    digest = _digest(job, task, objects)
    finished = None if job.overwrite else _read_runs(job, task, digest)
    if finished is not None:
        return finished
    method = open_method(task.method)
    # Of other settings, nothing stays; the folder may also hold those of the pictures below one of this name.
    masks = place.parent / place.name.removesuffix(".json")
    place.unlink(missing_ok=True)
    for path in masks.glob("*.png"):
        path.unlink(missing_ok=True)
    masks.mkdir(parents=True, exist_ok=True)
    runs = []
    for one in objects:
        run = click_until_good(method, one, task.strategy, job.settings)
        for number, mask in run.masks.items():
            content = encode_palette_png(mask.astype(np.uint8))
            atomic_write(mask_file(job.out, task.method.label, task.strategy, run, number), content)
        runs.append(replace(run, masks={}))
    # Written last: what it names is whole.
    atomic_write_json(place, {"schema": SCHEMA, "digest": digest, "objects": [_row(run) for run in runs]})
    return runs


def runs_file(out: Path, label: str, strategy: Strategy, picture: str) -> Path:
    """<out>/runs/<label>/<strategy>/<picture>.json"""
    return out / "runs" / label / strategy / f"{picture}.json"


def mask_file(out: Path, label: str, strategy: Strategy, run: ClickRun, number: int) -> Path:
    """The mask after `number` clicks, a palette PNG: <out>/runs/<label>/<strategy>/<picture>/<object>-<number>.png"""
    return out / "runs" / label / strategy / run.picture / f"{run.object_id}-{number:02d}.png"


def read_mask(path: Path) -> np.ndarray:
    """The mask in a file, bool (H, W)."""
    return decode_mask_picture(path.read_bytes())[1] > 0


def _digest(job: ClicksJob, task: ClicksTask, objects: Sequence[ClickObject]) -> str:
    """Of all that decides the result: settings, picture and truth; the device only rounds it."""
    method = dict(task.method.identity) | {"radius": task.method.click_radius, "side": task.method.short_side}
    arrays = [(one.name, array) for one in objects for array in (one.truth, one.ignored)]
    # Objects of a picture share its pixels.
    arrays += [("rgb", one.rgb) for one in objects[:1]]
    decisive = [SCHEMA, method, asdict(job.settings), task.strategy, arrays_sha256(arrays)]
    return hashlib.sha256(json.dumps(decisive).encode()).hexdigest()


def _read_runs(job: ClicksJob, task: ClicksTask, digest: str) -> list[ClickRun] | None:
    """The finished runs, None when there are none of this digest, or they or a mask of theirs are gone or damaged."""
    label, strategy, picture = task.method.label, task.strategy, task.picture.name
    try:
        content = read_json(runs_file(job.out, label, strategy, picture))
        if content["digest"] != digest:
            return None
        runs = [_run(picture, row) for row in content["objects"]]
        for run in runs:
            for number in run.shown_clicks:
                read_mask(mask_file(job.out, label, strategy, run, number))
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
    return runs


def _row(run: ClickRun) -> dict[str, Any]:
    return {
        "object": run.object_id,
        "area": run.area,
        "clicks": [[click.x, click.y, click.positive] for click in run.clicks],
        "ious": list(run.ious),
        "seconds": list(run.seconds),
    }


def _run(picture: str, row: dict[str, Any]) -> ClickRun:
    return ClickRun(
        picture=picture,
        object_id=row["object"],
        area=row["area"],
        clicks=tuple(Click(x=x, y=y, positive=positive) for x, y, positive in row["clicks"]),
        ious=tuple(row["ious"]),
        seconds=tuple(row["seconds"]),
    )
