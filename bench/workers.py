"""What a second worker is worth, and what a worker needs in memory, as ratios and figures of one run.

Speed: the same clips on one single-threaded worker and on two, in alternating blocks so that a change of the machine's
speed meets both. Memory: the peak of the Blender process of every clip, and of the process that starts them.

    python bench/workers.py [--clips 4] [--frames 12] [--blocks 3]
    python bench/workers.py --memory [--clips 30] [--frames 160] [--size 768x512] [--samples 1]
"""

from __future__ import annotations

import argparse
import dataclasses
import resource
import time

import numpy as np
from clips import Tasks, run_on_farm, with_job
from vosforge.datagen.farm.farm import FarmSettings
from vosforge.render.jobs.clip import render_clip
from vosforge.render.jobs.job import RenderJob
from vosforge.render.recipes import BL30K

MEBIBYTE = 1 << 20


def main() -> None:
    """Measure speed, or memory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--clips", type=int, default=4, help="per worker and block")
    parser.add_argument("--frames", type=int, default=12)
    parser.add_argument("--size", default="256x176")
    parser.add_argument("--samples", type=int, default=BL30K.render.samples)
    parser.add_argument("--blocks", type=int, default=3)
    arguments = parser.parse_args()
    width, height = map(int, arguments.size.split("x"))
    render = dataclasses.replace(BL30K.render, width=width, height=height, samples=arguments.samples, device="cpu")
    settings = dataclasses.replace(BL30K, num_frames=arguments.frames, render=render)
    if arguments.memory:
        measure_memory(settings, arguments.clips)
    else:
        measure_speed(settings, arguments.clips, arguments.blocks)


def measure_speed(settings: object, num_clips: int, num_blocks: int) -> None:
    """Print how many times the clips of one worker two workers make in the same time."""
    ratios = []
    for block in range(num_blocks):
        one, two = (with_job(settings, num_clips, lambda job, tasks, n=n: _seconds(job, tasks, n)) for n in (1, 2))
        ratios.append(one / two)
        print(f"block {block}: {one:.1f} s on one worker, {two:.1f} s on two: {ratios[-1]:.2f}x", flush=True)
    print(f"2 workers: {np.mean(ratios):.2f}x one worker (smallest {min(ratios):.2f}x)")


def measure_memory(settings: object, num_clips: int) -> None:
    """Print the peak memory of every clip's process and how it changes from the first clips to the last."""

    def run(job: RenderJob, tasks: Tasks) -> tuple[list[float], list[float]]:
        children, parent = [], []
        for _, payload in tasks:
            children.append(render_clip(job, payload)["peak_memory_bytes"] / MEBIBYTE)
            parent.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
            print(f"clip {len(children):>3}: {children[-1]:.0f} MiB, its parent {parent[-1]:.0f} MiB", flush=True)
        return children, parent

    children, parent = with_job(settings, num_clips, run)
    slope = np.polyfit(np.arange(num_clips), children, 1)[0] if num_clips > 1 else 0.0
    print(
        f"peak of a worker: {max(children):.0f} MiB (median {np.median(children):.0f}), {slope:+.2f} MiB a clip; "
        f"the process that starts them grows by {parent[-1] - parent[0]:.0f} MiB over {num_clips} clips"
    )


def _seconds(job: RenderJob, tasks: Tasks, num_workers: int) -> float:
    """Wall-clock seconds of the tasks on local worker processes."""
    start = time.perf_counter()
    run_on_farm(job, tasks, FarmSettings(executor="local", num_workers=num_workers))
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
