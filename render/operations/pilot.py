"""Pilot clips: real clips of a job, rendered with few frames spread over their whole length, and what they cost."""

from __future__ import annotations

import dataclasses
import json
import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...datagen.corpus.records import clip_key
from ...datagen.storage.store import open_store
from ..checks import RejectedScene
from ..jobs.job import RenderJob
from ..process.child import run_child
from ..process.failures import EXIT_REJECTED, explain_failure, read_answer
from ..scene import SceneSpec
from .forecast import extrapolate

SHORT_FRAMES = 2
"""Frames of the short render of a pilot clip: the fewest that have a flow."""


@dataclass(frozen=True, kw_only=True)
class Pilot:
    """What one clip of full length costs, as far as a few frames of it tell.

    cpu_seconds: user and system time of its processes. wall_seconds: as it ran, alone on this machine. Both include
    the start of Blender, the scene and the scenes that were rejected. *_per_frame: of one more frame. bytes: of its
    tars. device: what rendered it.
    """

    index: int
    cpu_seconds: float
    wall_seconds: float
    cpu_seconds_per_frame: float
    wall_seconds_per_frame: float
    bytes: float
    rejections: tuple[str, ...]
    device: str
    peak_memory_bytes: int


@dataclass(frozen=True)
class _Cost:
    cpu_seconds: float
    wall_seconds: float
    answer: dict[str, Any]
    bytes: int = 0


def run_pilots(
    job: RenderJob, num_pilots: int, frames: int, on_pilot: Callable[[int, int], None] = lambda _done, _total: None
) -> list[Pilot]:
    """Render `num_pilots` clips spread evenly over the job, one after the other, into the job's root.

    frames: of each pilot clip; a shorter clip is rendered whole. Raises ValueError when a clip does not render.
    """
    count = min(num_pilots, job.num_clips)
    pilots = []
    for number in range(count):
        pilots.append(render_pilot(job, number * job.num_clips // count, frames))
        on_pilot(number + 1, count)
    return pilots


def render_pilot(job: RenderJob, index: int, frames: int) -> Pilot:
    """Render one clip with `frames` frames and with two, and extrapolate to its full length.

    The clip's paths are sampled at fewer times, so its frames are spread from its first to its last. A rejected scene
    costs what it cost, in proportion to the accepted one.
    """
    full = job.settings.num_frames
    long_frames = full if frames + SHORT_FRAMES >= full else frames
    key = clip_key(job.name, index)
    rejections: list[str] = []
    wasted_cpu = wasted_wall = 0.0
    start_cpu, start_wall = time.process_time(), time.monotonic()
    for attempt in range(job.max_attempts):
        try:
            spec = job.draw(index, attempt)
        except RejectedScene as rejection:
            rejections.append(str(rejection.reason))
            continue
        drawing_cpu, drawing_wall = time.process_time() - start_cpu, time.monotonic() - start_wall - wasted_wall
        long = _render(job, key, dataclasses.replace(spec, num_frames=long_frames), rejections)
        if "rejected" in long.answer:
            rejections.append(str(long.answer["rejected"]))
            wasted_cpu, wasted_wall = wasted_cpu + long.cpu_seconds, wasted_wall + long.wall_seconds
            continue
        short = (
            long
            if long_frames == full
            else _render(job, key, dataclasses.replace(spec, num_frames=SHORT_FRAMES), rejections, ungated=True)
        )
        lengths = (SHORT_FRAMES if short is not long else full, long_frames)
        cpu, cpu_per_frame = extrapolate((lengths[0], short.cpu_seconds), (lengths[1], long.cpu_seconds), full)
        wall, wall_per_frame = extrapolate((lengths[0], short.wall_seconds), (lengths[1], long.wall_seconds), full)
        return Pilot(
            index=index,
            cpu_seconds=cpu * (1 + wasted_cpu / long.cpu_seconds) + drawing_cpu,
            wall_seconds=wall * (1 + wasted_wall / long.wall_seconds) + drawing_wall,
            cpu_seconds_per_frame=cpu_per_frame,
            wall_seconds_per_frame=wall_per_frame,
            bytes=long.bytes * full / long_frames,
            rejections=tuple(rejections),
            device=long.answer.get("device", "unknown"),
            peak_memory_bytes=long.answer.get("peak_memory_bytes") or 0,
        )
    raise ValueError(f"pilot clip {key}: all {job.max_attempts} scenes were rejected, the last for: {rejections[-1]}")


def _render(job: RenderJob, key: str, spec: SceneSpec, rejections: list[str], ungated: bool = False) -> _Cost:
    """Render one spec in a child process; its processor time is that of the children that ended meanwhile."""
    checks = job.settings.gate()
    if ungated:
        checks = dict.fromkeys(checks, 0)  # two frames of an accepted clip may show less of an object
    with tempfile.TemporaryDirectory(prefix="vosforge-pilot-") as folder:
        request, answer, log = (Path(folder, name) for name in ("request.json", "answer.json", "output.log"))
        # The part that stays in the job's root is the long one.
        root = folder if ungated else job.root
        order = {"root": root, "key": key, "seed": job.seed, "spec": spec.to_json(), "checks": checks}
        request.write_text(json.dumps(order | {"rejections": rejections}))
        cpu, wall = _children_seconds(), time.monotonic()
        result = run_child(
            ["render", str(request), str(answer)],
            log,
            job.clip_limit_seconds,
            limit_bytes=job.memory_limit_bytes,
            worker=job.worker,
        )
        cpu, wall = _children_seconds() - cpu, time.monotonic() - wall
        said = read_answer(answer)
    if result.returncode not in (0, EXIT_REJECTED) or not said:
        failure = explain_failure(result, job.clip_limit_seconds, job.memory_limit_bytes, said)
        raise ValueError(f"pilot clip {key} does not render: {failure.kind}: {failure}")
    sizes = open_store(job.root).sizes("parts")
    num_bytes = sum(size for name, size in sizes.items() if name.startswith(f"{key}.") and name.endswith(".tar"))
    return _Cost(cpu_seconds=cpu, wall_seconds=wall, answer=said, bytes=num_bytes)


def _children_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
