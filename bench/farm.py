"""Overhead of the task farm: the same render processes under Ray and started by hand, in one run.

Ray's start is not counted: it is up, with its workers warm, before the clock starts. Both sides keep `--workers`
Blender processes busy with the same clips, alternating in blocks so that a change of the machine's speed meets both.

    python bench/farm.py [--clips 12] [--frames 12] [--workers 2]
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import ray
from clips import Tasks, run_on_farm, with_job
from vosforge.datagen.farm.farm import FarmSettings, run_tasks
from vosforge.render.jobs.clip import render_clip
from vosforge.render.jobs.job import RenderJob
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
        block_hand = with_job(
            settings, arguments.clips, _timed(lambda job, tasks: _run_by_hand(job, tasks, arguments.workers))
        )
        block_farm = with_job(settings, arguments.clips, _timed(lambda job, tasks: run_on_farm(job, tasks, farm)))
        by_hand, on_farm = by_hand + block_hand, on_farm + block_farm
        print(f"block {block}: {block_hand:.1f} s by hand, {block_farm:.1f} s on the farm", flush=True)
    ray.shutdown()
    print(f"{by_hand:.1f} s of clips by hand; the farm takes {on_farm / by_hand - 1:+.1%} of that on top")


def _timed(run: Callable[[RenderJob, Tasks], None]) -> Callable[[RenderJob, Tasks], float]:
    def timed(job: RenderJob, tasks: Tasks) -> float:
        start = time.perf_counter()
        run(job, tasks)
        return time.perf_counter() - start

    return timed


def _run_by_hand(job: RenderJob, tasks: Tasks, workers: int) -> None:
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(lambda task: render_clip(job, task[1]), tasks))


if __name__ == "__main__":
    main()
