"""What the benchmarks of whole clips share: a corpus for their time, and its clips on the farm."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from vosforge.datagen.farm.farm import FarmSettings, run_tasks
from vosforge.datagen.writing.writer import CorpusWriter
from vosforge.render.assets.pool import AssetPool
from vosforge.render.jobs.clip import render_clip
from vosforge.render.jobs.job import RenderJob
from vosforge.render.recipes import RecipeSettings

Value = TypeVar("Value")
Tasks = list[tuple[str, tuple[int, tuple[str, ...]]]]


def with_job(settings: RecipeSettings, num_clips: int, run: Callable[[RenderJob, Tasks], Value]) -> Value:
    """Give a job and its tasks to `run`, in a fresh corpus; raises RuntimeError unless every clip was made."""
    folder = Path(tempfile.mkdtemp(prefix="vosforge-bench-"))
    try:
        job = RenderJob(
            root=str(folder / "corpus"),
            name="bench",
            seed=1,
            num_clips=num_clips,
            settings=settings,
            assets=AssetPool(),
        )
        writer = CorpusWriter(job.root, job.description())
        value = run(job, [(writer.key(index), (index, ())) for index in range(num_clips)])
        if writer.waiting():
            raise RuntimeError("not every clip was made; the comparison means nothing")
        writer.close()
    finally:
        shutil.rmtree(folder)
    return value


def run_on_farm(job: RenderJob, tasks: Tasks, farm: FarmSettings) -> None:
    """Make every clip on the farm; raises RuntimeError with the reason of one that fails."""
    for outcome in run_tasks(render_clip, tasks, farm, shared=job):
        if outcome.failure is not None:
            raise RuntimeError(outcome.failure.message)
