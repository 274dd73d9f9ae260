"""The Blender child process: `scan` measures models, `render` turns one SceneSpec into a committed part, `probe` looks.

Run by `vosforge.render.process.child.run_child`. Exit codes: 0 done, 3 rejected scene (its reason in the answer file),
4 a failure of a known kind (named in the answer file), else a failure whose traceback is the last of the output.
"""

from __future__ import annotations

import argparse
import errno
import json
import os
import resource
import sys
import time
import traceback
from pathlib import Path

from ..datagen.writing.writer import commit_part
from .checks import RejectedScene
from .clip_members import render_members
from .process.child import die_with_parent
from .process.failures import EXIT_FAILED, EXIT_REJECTED
from .scene import SceneSpec

_GPU_WORDS = ("cuda", "optix", "gpu", "device")


def scan(request: Path, answers: Path) -> int:
    """Measure each model of a JSON list; one JSON line an answer, flushed, so that a crash costs one file."""
    from .blender.models import measure_model

    with open(answers, "w") as output:
        for path in json.loads(request.read_text()):
            print(json.dumps(measure_model(path), sort_keys=True), file=output, flush=True)
    return 0


def probe(request: Path, answer: Path) -> int:
    """Say what can render here; a refusal is in the answer (`devices.probe`)."""
    from .blender.devices import probe as probe_devices

    probe_devices(request, answer)
    return 0


def render(request: Path, answer: Path) -> int:
    """Render one clip, check it, and commit it as a part; the answer file says what happened.

    request: JSON with root (folder or URL of the corpus), key, seed, spec (JSON text of a SceneSpec), checks (numbers
    of the quality gate) and rejections (reasons of earlier attempts). answer: {"frames", "seconds", "seconds_by_kind",
    "device", "peak_memory_bytes", "cpu_seconds"}, or {"rejected", "detail"}, or {"failure", "detail"} with one of the
    kinds of `failure_kind`.
    """
    order = json.loads(request.read_text())
    spec = SceneSpec.from_json(order["spec"])
    start = time.monotonic()
    try:
        clip = render_members(spec, order["key"], order["seed"], order["checks"], order.get("rejections", ()))
    except RejectedScene as rejection:
        answer.write_text(json.dumps({"rejected": rejection.reason, "detail": rejection.detail}))
        return EXIT_REJECTED
    except Exception as error:  # of a known kind: told in the answer file; of any other: left to the traceback
        kind = failure_kind(error)
        if kind is None:
            raise
        traceback.print_exc()
        answer.write_text(json.dumps({"failure": kind, "detail": str(error)}))
        return EXIT_FAILED
    seconds = time.monotonic() - start
    passes = {"passes": clip.passes} if clip.passes else {}
    commit_part(order["root"], order["key"], spec.index, clip.members, clip.statistics, **passes)
    from .blender.session import device_in_use

    answered = {
        "frames": spec.num_frames,
        "seconds": seconds,
        "seconds_by_kind": clip.seconds,
        "device": device_in_use(),
        **used_resources(),
    }
    answer.write_text(json.dumps(answered))
    return 0


def used_resources() -> dict[str, float]:
    """What this process has used since its start: {"peak_memory_bytes": int, "cpu_seconds": of it and its children}."""
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    seconds = own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
    return {"peak_memory_bytes": own.ru_maxrss * 1024, "cpu_seconds": round(seconds, 3)}


def failure_kind(error: Exception) -> str | None:
    """The kind of a failure while rendering: asset, gpu, memory, or None for a mistake of the program.

    Errors of the device come from Blender as RuntimeError or, when it is not there, as ValueError; only their words
    tell them apart. An OSError is an asset that cannot be read, unless a disk is full or broken.
    """
    from .blender.models import BrokenModel

    if isinstance(error, MemoryError):
        return "memory"
    if isinstance(error, BrokenModel):
        return "asset"
    if isinstance(error, RuntimeError | ValueError) and any(word in str(error).lower() for word in _GPU_WORDS):
        return "gpu"
    is_disk = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS)
    return "asset" if isinstance(error, OSError) and not is_disk else None


def main() -> int:
    """Entry point of the child process."""
    die_with_parent()
    work = {"scan": scan, "render": render, "probe": probe}
    parser = argparse.ArgumentParser(prog="vosforge.render.worker")
    parser.add_argument("work", choices=tuple(work))
    parser.add_argument("request", type=Path)
    parser.add_argument("answer", type=Path)
    arguments = parser.parse_args()
    return work[arguments.work](arguments.request, arguments.answer)


def leave(code: int) -> None:
    """End this process without tidying up; everything it made is written, and its parent removes its scratch folder.

    A Python that imported bpy sometimes hangs for ever while it exits, with all its work done.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    try:
        exit_code = main()
    except SystemExit as wrong_arguments:
        exit_code = int(wrong_arguments.code or 0)
    except BaseException:
        traceback.print_exc()
        exit_code = 1
    leave(exit_code)
