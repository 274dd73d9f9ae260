"""What ground truth costs on top of RGB at the default preset, encoding included, as shares of the RGB time.

The same scenes are rendered with RGB alone, with ids, and with ids, depth, normals and flow; every side ends with the
bytes that are stored, self-checks included. The sides take turns and the smallest of the repeats counts, because what
else runs on a machine can only add to a time; building the scene is not counted. Time is process CPU time, one thread.

    python bench/passes.py [--size 768x512] [--frames 8] [--scenes 3] [--repeats 3]
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scenes import benchmark_scenes, keep_stdout_to_ourselves
from vosforge.datagen.imaging.images import encode_jpeg
from vosforge.render.recipes import BL30K
from vosforge.render.scene import SceneSpec

SIDES = {"ids": ("ids",), "ids, depth, normals, flow": ("ids", "depth", "normals", "flow")}
NO_GATE = {"smallest_area": 0, "smallest_share": 0.0, "smallest_first_frame_area": 0}


def main() -> None:
    """Render every scene in three ways and print what ground truth adds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="768x512")
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--scenes", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    keep_stdout_to_ourselves()
    width, height = map(int, arguments.size.split("x"))
    settings = dataclasses.replace(BL30K.render, width=width, height=height, threads=1, device="cpu")
    print(f"{width}x{height}, {arguments.frames} frames a clip, {settings.samples} samples")
    print(f"{'scene':>12} {'RGB alone':>12} " + " ".join(f"{'+ ' + name:>28}" for name in SIDES))
    shares = {name: [] for name in SIDES}
    with tempfile.TemporaryDirectory() as folder:
        for name, spec in benchmark_scenes(settings, Path(folder), arguments.frames)[: arguments.scenes]:
            _build(spec)  # imports, kernels and caches are warm from here on
            build, rgb, *sides = _smallest_cpu_seconds(
                [
                    lambda: _build(spec),  # noqa: B023 (called at once)
                    lambda: _render_rgb(spec),  # noqa: B023
                    *(lambda passes=passes: _render_members(spec, passes) for passes in SIDES.values()),  # noqa: B023
                ],
                arguments.repeats,
            )
            for side, whole in zip(SIDES, sides, strict=True):
                shares[side].append((whole - rgb) / (rgb - build))
            rgb -= build
            row = " ".join(f"{shares[side][-1]:>+28.1%}" for side in SIDES)
            print(f"{name:>12} {rgb / arguments.frames:>8.2f} s/f {row}", flush=True)
    print(
        "mean: "
        + "; ".join(f"{name} {np.mean(values):+.1%} (largest {max(values):+.1%})" for name, values in shares.items())
    )


def _smallest_cpu_seconds(works: list[Callable[[], object]], num_repeats: int) -> list[float]:
    """CPU seconds of each piece of work, the smallest of the repeats, which go round the pieces."""
    seconds = []
    for _ in range(num_repeats):
        row = []
        for work in works:
            start = time.process_time()
            work()
            row.append(time.process_time() - start)
        seconds.append(row)
    return np.min(seconds, axis=0).tolist()


def _build(spec: SceneSpec) -> object:
    from vosforge.render.blender.frames import build_scene

    return build_scene(spec)


def _render_rgb(spec: SceneSpec) -> None:
    from vosforge.render.blender.frames import render_built

    for rgb, _ in render_built(_build(spec), with_ids=False):
        encode_jpeg(rgb, quality=spec.render.jpeg_quality)


def _render_members(spec: SceneSpec, passes: tuple[str, ...]) -> None:
    from vosforge.render.clip_members import render_members

    wanted = dataclasses.replace(spec, render=dataclasses.replace(spec.render, passes=passes))
    render_members(wanted, "bench-000000", 0, NO_GATE)


if __name__ == "__main__":
    main()
