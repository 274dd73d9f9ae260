"""Overhead of the task farm: the same render processes under Ray and started by hand, in one run.

Ray's start is not counted: it is up, with its workers warm, before the clock starts. Both sides keep `--workers`
Blender processes busy with the same clips, alternating in blocks so that a change of the machine's speed meets both.

    python bench/farm.py [--clips 12] [--frames 12] [--workers 2]
"""

from __future__ import annotations

import argparse
import dataclasses
import shutil
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import ray
from vosforge.datagen.corpus.writer import CorpusWriter
from vosforge.datagen.farm.farm import FarmSettings, run_tasks
from vosforge.render.assets.pool import AssetPool
from vosforge.render.jobs.corpus import RenderJob, render_clip
from vosforge.render.recipes import BL30K


def main() -> None:
    """Run every block by hand and on the farm, and print the ratio of the sums."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=12)
    parser.add_argument("--frames", type=int, default=12)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--blocks", type=int, default=2)
    arguments = parser.parse_args()
    render = dataclasses.replace(BL30K.render, width=256, height=176)
    settings = dataclasses.replace(BL30K, num_frames=arguments.frames, render=render)
    farm = FarmSettings(num_workers=arguments.workers)
    ray.init(address="local", num_cpus=arguments.workers, include_dashboard=False, log_to_driver=False)
    list(run_tasks(time.sleep, [(f"warm-{number}", 0.5) for number in range(2 * arguments.workers)], farm))
    by_hand, on_farm = 0.0, 0.0
    for block in range(arguments.blocks):
        block_hand = _timed(settings, arguments.clips, lambda tasks: _run_by_hand(tasks, arguments.workers))
        block_farm = _timed(settings, arguments.clips, lambda tasks: _run_on_farm(tasks, farm))
        by_hand, on_farm = by_hand + block_hand, on_farm + block_farm
        print(f"block {block}: {block_hand:.1f} s by hand, {block_farm:.1f} s on the farm", flush=True)
    ray.shutdown()
    print(f"{by_hand:.1f} s of clips by hand; the farm takes {on_farm / by_hand - 1:+.1%} of that on top")


def _timed(settings: object, num_clips: int, run: object) -> float:
    folder = Path(tempfile.mkdtemp(prefix="vosforge-bench-"))
    job = RenderJob(
        root=folder / "corpus", name="bench", seed=1, num_clips=num_clips, settings=settings, assets=AssetPool()
    )
    writer = CorpusWriter(job.root, job.description())
    tasks = [(writer.key(index), (job, index)) for index in range(num_clips)]
    start = time.perf_counter()
    run(tasks)
    seconds = time.perf_counter() - start
    if not all(writer.done(index) for index in range(num_clips)):
        raise RuntimeError("not every clip was made; the comparison means nothing")
    writer.close()
    shutil.rmtree(folder)
    return seconds


def _run_by_hand(tasks: list, workers: int) -> None:
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(render_clip, [payload for _, payload in tasks]))


def _run_on_farm(tasks: list, farm: FarmSettings) -> None:
    for outcome in run_tasks(render_clip, tasks, farm):
        if outcome.failure is not None:
            raise RuntimeError(outcome.failure.message)


if __name__ == "__main__":
    main()
