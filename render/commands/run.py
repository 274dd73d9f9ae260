"""`vosforge-render run`: render clips into a corpus; the same command resumes it."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...datagen.commands.farm_options import FarmOptions
from .options import SceneOptions, check_installed, check_least, place_of

if TYPE_CHECKING:
    from ...datagen.farm.farm import FarmSettings
    from ..assets.cache import Measurements
    from ..jobs.corpus import JobReport, RenderJob


@dataclass(frozen=True, kw_only=True)
class Run(SceneOptions, FarmOptions):
    """Render clips into a corpus; the same command resumes it.

    Exit code 0 when every clip is there, 1 when some are missing, 2 for a mistake.
    """

    out: str
    """Corpus folder shared by all nodes, or a URL such as s3://bucket/prefix."""
    clips: int = 4
    """Number of clips."""
    name: str | None = None
    """Prefix of the clip keys; the recipe's name when left out."""
    gpus_per_worker: float = 0.0
    """GPUs that one worker holds, as a share; 0 leaves GPUs out of Ray's accounts."""
    workers_per_gpu: int | None = None
    """The other way round: workers that share one GPU."""
    clips_per_shard: int = 8
    """Clips in one shard."""
    poison: Path | None = None
    """JSON file {asset name: reason} of assets to pass over: journal/poison.json of another run."""


def run(arguments: Run) -> int:
    """Render a corpus; returns 0 when every clip is there, 1 when some are missing."""
    from rich.console import Console

    from ..jobs.corpus import NoNodeLeft, render_corpus
    from .progress import ClipProgress

    console = Console(stderr=True, markup=False, highlight=False)
    farm = make_farm(arguments, arguments.memory_limit_bytes())
    job, measured = make_job(arguments, console)
    try:
        with ClipProgress(console, job.settings.num_frames) as progress:
            report = render_corpus(job, farm, measured, progress.clip_ended, progress.begin)
    except NoNodeLeft as error:
        console.print(f"{error}; what is finished is kept, the same command goes on from there", style="red")
        return 1
    print_report(report, console)
    return 1 if report.missing else 0


def make_job(arguments: Run, console: object) -> tuple[RenderJob, Measurements]:
    """Check every option, scan the assets; returns the job and the measurements of its models."""
    from ...datagen.storage.store import open_store
    from ..assets.scan import scan_with_cache
    from ..jobs.corpus import ASSET_CACHE, RenderJob
    from .progress import counting_bar

    settings = arguments.settings()
    for option, value, least in (
        ("--clips", arguments.clips, 1),
        ("--clips-per-shard", arguments.clips_per_shard, 1),
    ):
        check_least(option, value, least)
    val_share, poison = arguments.share_for_val(), read_poison(arguments.poison)
    memory_limit_bytes = arguments.memory_limit_bytes()
    check_installed(("bpy", "render"))
    root = place_of(arguments.out)
    store = open_store(root)
    known = store.read_json(ASSET_CACHE) if store.size(ASSET_CACHE) else {}
    with counting_bar(console, "measuring models") as bar:
        # With --address the workers are those of a cluster; models are measured here.
        num_workers = min(arguments.workers, os.cpu_count() or 1)
        assets = scan_with_cache(arguments.folders(), known, val_share, num_workers, bar)
    for asset in assets.quarantined():
        console.print(f"quarantined {asset.name}: {asset.reason}", style="yellow")
    job = RenderJob(
        root=root,
        name=arguments.name or settings.name,
        seed=arguments.seed,
        num_clips=arguments.clips,
        settings=settings,
        assets=assets,
        clips_per_shard=arguments.clips_per_shard,
        val_every=arguments.val_every,
        clip_limit_seconds=arguments.clip_limit,
        memory_limit_bytes=memory_limit_bytes,
        poison=poison,
    )
    return job, known


def make_farm(arguments: Run, memory_limit_bytes: int) -> FarmSettings:
    """How the clips are spread over processes and nodes."""
    return dataclasses.replace(
        arguments.farm(),
        cpus_per_task=arguments.threads,
        gpus_per_task=gpus_per_task(arguments),
        memory_bytes_per_task=memory_limit_bytes,
    )


def gpus_per_task(arguments: Run) -> float:
    """The share of a GPU that one worker holds. Raises ValueError for a share that is none."""
    check_least("--gpus-per-worker", arguments.gpus_per_worker, 0.0)
    if arguments.workers_per_gpu is None:
        return arguments.gpus_per_worker
    if arguments.gpus_per_worker:
        raise ValueError("--gpus-per-worker and --workers-per-gpu say the same thing; give one of them")
    check_least("--workers-per-gpu", arguments.workers_per_gpu, 1)
    return 1.0 / arguments.workers_per_gpu


def read_poison(path: Path | None) -> dict[str, str]:
    """{asset name: reason} of a poison file; empty without one."""
    if path is None:
        return {}
    from ...datagen.storage.files import read_json

    if not path.is_file():
        raise ValueError(f"--poison {path}: no such file; give the journal/poison.json of another run")
    poison = read_json(path)
    if not isinstance(poison, dict) or not all(isinstance(reason, str) for reason in poison.values()):
        raise ValueError(f"--poison {path}: must hold a JSON object {{asset name: reason}}")
    return poison


def print_report(report: JobReport, console: object) -> None:
    """Say how a run ended."""
    redrawn = sum(report.rejections.values())
    console.print(
        f"{report.made} clips made, {report.already_there} there already, {redrawn} scenes redrawn, "
        f"{len(report.missing)} missing: {report.index_path}"
    )
    for reason, count in sorted(report.rejections.items(), key=lambda entry: -entry[1]):
        console.print(f"redrawn {count} times: {reason}")
    for asset, reason in report.poisoned.items():
        console.print(f"poisoned {asset}: {reason}", style="yellow")
    for key, reason in report.missing.items():
        console.print(f"missing {key}: {reason}", style="red")
    if report.missing:
        console.print("run the same command again to try the missing clips again")
