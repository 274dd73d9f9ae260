"""`vosforge-render plan`: what a corpus will cost, from pilot clips."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .options import SceneOptions, check_installed, check_least

if TYPE_CHECKING:
    from ..jobs.job import RenderJob
    from ..operations.forecast import Interval
    from ..operations.plan import Plan as Forecast


@dataclass(frozen=True, kw_only=True)
class Plan(SceneOptions):
    """Render a few pilot clips with the options of `run` and say what all clips will cost, with 90 % intervals."""

    clips: int = 30000
    """Number of clips to plan for."""
    pilot_clips: int = 6
    """Clips rendered to find out, spread over all clips; at least 2."""
    pilot_frames: int = 12
    """Frames rendered of each pilot clip, spread from its first to its last."""
    pilot_dir: Path | None = None
    """Where the pilot clips are kept as parts; a temporary folder when left out."""
    cores_per_node: int | None = None
    """CPU cores of one node; those of this machine when left out."""
    gpus_per_node: int = 1
    """GPUs of one node, where the pilot clips are rendered by a GPU."""
    workers_per_gpu: int = 1
    """Workers that will share one GPU."""
    price_per_hour: float | None = None
    """Price of one node for an hour, in any currency."""
    json: Path | None = None
    """File for the plan as JSON."""


def run(arguments: Plan) -> int:
    """Render the pilots and print the plan; returns 0."""
    from rich.console import Console

    from ...datagen.storage.files import atomic_write_json
    from ..operations.pilot import run_pilots
    from ..operations.plan import Prices, make_plan
    from .progress import counting_bar

    for option, value, least in (
        ("--clips", arguments.clips, 2),
        ("--pilot-clips", arguments.pilot_clips, 2),
        ("--pilot-frames", arguments.pilot_frames, 3),
        ("--cores-per-node", arguments.cores_per_node, 1),
        ("--gpus-per-node", arguments.gpus_per_node, 1),
        ("--workers-per-gpu", arguments.workers_per_gpu, 1),
        ("--price-per-hour", arguments.price_per_hour, 0.0),
    ):
        check_least(option, value, least)
    prices = Prices(
        cores_per_node=arguments.cores_per_node or os.cpu_count() or 1,
        gpus_per_node=arguments.gpus_per_node,
        gpu_share=1.0 / arguments.workers_per_gpu,
        price_per_hour=arguments.price_per_hour,
    )
    errors = Console(stderr=True)
    with _pilot_folder(arguments.pilot_dir) as folder:
        job = _job(arguments, folder)
        with counting_bar(errors, "pilot clips") as bar:
            pilots = run_pilots(job, arguments.pilot_clips, arguments.pilot_frames, bar)
    plan = make_plan(pilots, arguments.clips, job.settings.num_frames, prices)
    Console(markup=False, highlight=False, soft_wrap=True).print(_text(plan, prices.cores_per_node))
    if arguments.json is not None:
        atomic_write_json(arguments.json, plan.as_json())
    return 0


def _job(arguments: Plan, folder: Path) -> RenderJob:
    from ..assets.scan import scan_with_cache
    from ..jobs.job import RenderJob

    settings = arguments.settings()
    check_installed(("bpy", "render"))
    return RenderJob(
        root=str(folder),
        name="pilot",
        seed=arguments.seed,
        num_clips=arguments.clips,
        settings=settings,
        assets=scan_with_cache(arguments.folders(), {}, arguments.share_for_val()),
        val_every=arguments.val_every,
        clip_limit_seconds=arguments.clip_limit,
        memory_limit_bytes=arguments.memory_limit_bytes(),
    )


@contextlib.contextmanager
def _pilot_folder(wanted: Path | None) -> Iterator[Path]:
    """An empty folder for the parts of pilot clips."""
    if wanted is None:
        with tempfile.TemporaryDirectory(prefix="vosforge-plan-") as folder:
            (Path(folder) / "parts").mkdir()
            yield Path(folder)
        return
    if wanted.exists() and any(entry.name != "parts" for entry in wanted.iterdir()):
        raise ValueError(f"--pilot-dir {wanted}: holds other files; give a new or an empty folder")
    (wanted / "parts").mkdir(parents=True, exist_ok=True)
    yield wanted


def _text(plan: Forecast, cores_per_node: int) -> str:
    pilots = plan.pilots
    redrawn = ", ".join(f"{reason} {count}" for reason, count in plan.rejections.items()) or "none"
    devices = ", ".join(f"{name} ({count})" for name, count in plan.devices.items())
    lines = [
        f"{plan.num_clips} clips of {plan.num_frames} frames, from {len(pilots)} pilot clips on {devices}",
        f"a frame      {plan.seconds_per_frame:.3f} s, and {plan.startup_seconds:.1f} s a clip to start",
        f"{plan.unit:12s} {_interval(plan.unit_hours)}",
        f"one worker   {_interval(plan.wall_hours)} h of wall-clock time",
        f"nodes        {_interval(plan.node_hours)} h of full nodes"
        + (f" of {cores_per_node} cores" if plan.unit == "core-hours" else ""),
        f"corpus       {_interval(plan.gigabytes)} GB",
        f"memory       {plan.peak_memory_bytes / 2**30:.2f} GiB a worker, at most, in the pilot clips",
        f"redrawn      {redrawn}",
    ]
    if plan.money is not None:
        lines.insert(5, f"money        {_interval(plan.money)}")
    return "\n".join([*lines, "in brackets: 90 % prediction intervals"])


def _interval(interval: Interval) -> str:
    return f"{_number(interval.expected)} [{_number(interval.low)} to {_number(interval.high)}]"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
