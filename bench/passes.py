"""What ground truth costs on top of RGB at the default preset, encoding included, as shares of the RGB time.

The same scenes are rendered with RGB alone, with ids, and with ids, depth, normals and flow; every side ends with the
bytes that are stored. Frames of the three sides alternate scene by scene; the first frame of each warms up and is not
counted. Time is process CPU time on one thread.

    python bench/passes.py [--size 768x512] [--frames 3] [--scenes 3]
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
            build = _cpu_seconds(lambda: _build(spec))  # noqa: B023 (called at once)
            rgb = _cpu_seconds(lambda: _render_rgb(spec)) - build  # noqa: B023
            for side, passes in SIDES.items():
                whole = _cpu_seconds(lambda: _render_members(spec, passes)) - build  # noqa: B023
                shares[side].append(whole / rgb - 1)
            row = " ".join(f"{shares[side][-1]:>+28.1%}" for side in SIDES)
            print(f"{name:>12} {rgb / arguments.frames:>8.2f} s/f {row}", flush=True)
    print(
        "mean: "
        + "; ".join(f"{name} {np.mean(values):+.1%} (largest {max(values):+.1%})" for name, values in shares.items())
    )


def _cpu_seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


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
