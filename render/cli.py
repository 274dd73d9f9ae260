"""`vosforge-render`: render a corpus."""

from __future__ import annotations

import dataclasses
import importlib.util
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro


@dataclass(frozen=True, kw_only=True)
class Run:
    """Render clips into a corpus folder; the same command resumes it."""

    out: Path
    """Corpus folder, shared by all nodes."""
    recipe: str = "bl30k"
    """bl30k, or tiny for a quick look."""
    clips: int = 4
    """Number of clips."""
    frames: int | None = None
    """Frames per clip; the recipe's own when left out (bl30k: 160)."""
    size: str | None = None
    """Frame size as WIDTHxHEIGHT; the recipe's own when left out (bl30k: 768x512)."""
    seed: int = 0
    """Seed of the corpus: the same seed, settings and assets give the same bytes."""
    name: str | None = None
    """Prefix of the clip keys; the recipe's name when left out."""
    workers: int = 1
    """Clips rendered at once on this machine (with --address: clips in flight)."""
    threads: int = 1
    """CPU threads of one Blender process."""
    address: str | None = None
    """Ray cluster to join, e.g. auto or host:6379; a private Ray is started when left out."""
    executor: Literal["ray", "local"] = "ray"
    """local runs without Ray."""
    models: Annotated[list[Path], tyro.conf.UseAppendAction] = field(default_factory=list)
    """Folder of models (OBJ, glTF, GLB, PLY, STL, FBX); may be repeated. Procedural shapes when left out."""
    textures: Annotated[list[Path], tyro.conf.UseAppendAction] = field(default_factory=list)
    """Folder of textures; of PBR sets the colour maps are taken. Procedural textures when left out."""
    backgrounds: Annotated[list[Path], tyro.conf.UseAppendAction] = field(default_factory=list)
    """Folder of background pictures. Procedural backgrounds when left out."""
    samples: int | None = None
    """Cycles samples per pixel; the recipe's own when left out."""
    device: Literal["auto", "cpu", "cuda", "optix"] = "auto"
    """What renders; auto takes OptiX, then CUDA, then the CPU."""
    val_every: int = 10
    """Every n-th clip belongs to the val split; 0 for none."""
    clips_per_shard: int = 8
    """Clips in one shard."""
    clip_limit: float = 3600.0
    """Wall-clock limit of one clip in seconds; a process that takes longer is killed."""


def run(arguments: Run) -> int:
    """Render a corpus; returns 0 when every clip is there, 1 when some are missing."""
    from rich.console import Console

    from ..datagen.farm import FarmSettings
    from .jobs import RenderJob, load_assets, render_corpus

    console = Console(stderr=True, markup=False)
    settings = _settings(arguments)
    _check_extras(arguments)
    if arguments.models:
        console.print("measuring models ...")
    assets, measured = load_assets(arguments.out, arguments.models, arguments.textures, arguments.backgrounds)
    for asset in assets.quarantined():
        console.print(f"quarantined {asset.name}: {asset.reason}", style="yellow", highlight=False)
    job = RenderJob(
        root=arguments.out.resolve(),
        name=arguments.name or settings.name,
        seed=arguments.seed,
        num_clips=arguments.clips,
        settings=settings,
        assets=assets,
        clips_per_shard=arguments.clips_per_shard,
        val_every=arguments.val_every,
        clip_limit_seconds=arguments.clip_limit,
    )
    farm = FarmSettings(
        executor=arguments.executor,
        num_workers=arguments.workers,
        cpus_per_task=arguments.threads,
        address=arguments.address,
    )
    with ClipProgress(console, settings.num_frames) as progress:
        report = render_corpus(job, farm, measured, progress.clip_ended, progress.begin)
    console.print(
        f"{report.made} clips made, {report.already_there} there already, {report.rejections} scenes redrawn, "
        f"{len(report.missing)} missing: {report.index_path}",
        highlight=False,
    )
    for key, reason in report.missing.items():
        console.print(f"missing {key}: {reason}", style="red", highlight=False)
    if report.missing:
        console.print("run the same command again to try the missing clips again", highlight=False)
    return 1 if report.missing else 0


class ClipProgress:
    """A progress bar with clips, frames per second and the time left."""

    def __init__(self, console: object, frames_per_clip: int) -> None:
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self._frames_per_clip = frames_per_clip
        self._failed = 0
        self._progress = Progress(
            TextColumn("rendering"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("clips  {task.fields[rate]}  {task.fields[failed]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(elapsed_when_finished=False, compact=True),
            console=console,
        )
        self._task = self._progress.add_task("", total=None, rate="", failed="")

    def __enter__(self) -> ClipProgress:
        self._progress.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._progress.stop()

    def begin(self, num_clips: int) -> None:
        """Called once it is known how many clips are to be made."""
        self._progress.update(self._task, total=num_clips)

    def clip_ended(self, is_made: bool) -> None:
        """Called when a clip has been made or has failed."""
        self._failed += not is_made
        task = self._progress.tasks[0]
        made = int(task.completed) + 1 - self._failed
        rate = made * self._frames_per_clip / max(task.elapsed or 0.0, 1e-3)
        failed = f"{self._failed} failed" if self._failed else ""
        self._progress.update(self._task, advance=1, rate=f"{rate:.2f} frames/s", failed=failed)


def _check_extras(arguments: Run) -> None:
    """Refuse to start without what the clips will need, before the output folder is touched."""
    needed = [("bpy", "render")]
    if arguments.executor == "ray":
        needed.append(("ray", "farm"))
    for module, extra in needed:
        if importlib.util.find_spec(module) is None:
            raise ValueError(f"{module} is not installed here; pip install 'vosforge[{extra}]' (Python 3.11)")


def _settings(arguments: Run) -> object:
    """The recipe's settings with the command line's numbers put in."""
    from .recipes import recipe_named

    settings = recipe_named(arguments.recipe)
    for name, value, least in (
        ("--clips", arguments.clips, 1),
        ("--frames", arguments.frames, 1),
        ("--samples", arguments.samples, 1),
        ("--threads", arguments.threads, 1),
        ("--seed", arguments.seed, 0),
        ("--workers", arguments.workers, 1),
        ("--clips-per-shard", arguments.clips_per_shard, 1),
        ("--val-every", arguments.val_every, 0),
        ("--clip-limit", arguments.clip_limit, 1.0),
    ):
        if value is not None and value < least:
            raise ValueError(f"{name} {value}: must be at least {least}")
    render = dataclasses.replace(settings.render, threads=arguments.threads, device=arguments.device)
    if arguments.size is not None:
        match = re.fullmatch(r"(\d+)x(\d+)", arguments.size)
        if match is None or min(map(int, match.groups())) < 16:
            raise ValueError(f"--size {arguments.size!r}: give WIDTHxHEIGHT of at least 16x16, e.g. 384x256")
        render = dataclasses.replace(render, width=int(match[1]), height=int(match[2]))
    if arguments.samples is not None:
        render = dataclasses.replace(render, samples=arguments.samples)
    return dataclasses.replace(settings, num_frames=arguments.frames or settings.num_frames, render=render)


def main() -> None:
    """Entry point of `vosforge-render`."""
    arguments = tyro.extras.subcommand_cli_from_dict(
        {"run": Run}, prog="vosforge-render", description="Render corpora for video object segmentation with Blender."
    )
    try:
        sys.exit(run(arguments))
    except KeyboardInterrupt:
        print("stopped; what is finished is kept, the same command goes on from there", file=sys.stderr)
        sys.exit(130)
    except (ValueError, OSError) as error:
        print(f"vosforge-render: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
