"""Child processes for Blender: own process group, wall-clock and memory limits, kept output, dead with the parent."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .failures import ChildFailure, explain_failure
from .memory import count_oom_kills, resident_bytes

__all__ = ["ChildFailure", "ChildResult", "die_with_parent", "explain_failure", "run_child"]

PR_SET_PDEATHSIG = 1
PARENT_VARIABLE = "VOSFORGE_PARENT_PID"
WORKER = "vosforge.render.worker"
POLL_SECONDS = 0.02
MEMORY_POLL_SECONDS = 0.25


@dataclass(frozen=True)
class ChildResult:
    """How a child ended: its exit code (negative for a signal), seconds, and the end of its output.

    killed_for: the limit that ended it, "timeout" or "memory", else "". peak_bytes: largest resident memory seen of the
    child and its descendants. out_of_memory: the kernel killed a process for lack of memory while it ran.
    """

    returncode: int
    seconds: float
    output_tail: str
    killed_for: str = ""
    peak_bytes: int = 0
    out_of_memory: bool = False


def die_with_parent() -> None:
    """Ask the kernel (Linux) to kill this process when its parent dies; elsewhere this does nothing."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.environ.get(PARENT_VARIABLE, str(os.getppid())) != str(os.getppid()):
            os._exit(1)  # the parent died before the kernel was asked


def run_child(
    arguments: Sequence[str],
    log_path: Path,
    limit_seconds: float,
    progress_path: Path | None = None,
    *,
    limit_bytes: int = 0,
    worker: str = WORKER,
) -> ChildResult:
    """Run `python -m WORKER ARGUMENTS` in its own process group, its output kept in `log_path`.

    The group is killed after `limit_seconds` without an end or, when `progress_path` is given, without a change of
    that file; and when its resident memory exceeds `limit_bytes` (0: no limit). Its temporary files lie in a folder
    that is removed here, however it ended. Returns ChildResult; never raises for what the child did.
    """
    start = time.monotonic()
    kills_before = count_oom_kills()
    with open(log_path, "wb") as log, _scratch() as scratch:
        own = {"PYTHONUNBUFFERED": "1", "TMPDIR": scratch, PARENT_VARIABLE: str(os.getpid())}
        child = subprocess.Popen(
            [sys.executable, "-m", worker, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, **own},
            start_new_session=True,
        )
        try:
            killed_for, peak = _watch(child, start, limit_seconds, progress_path, limit_bytes)
        finally:
            # The group, not the child alone: what the child has started must not outlive it.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
    return ChildResult(
        returncode=child.returncode,
        seconds=time.monotonic() - start,
        output_tail=_tail(log_path),
        killed_for=killed_for,
        peak_bytes=peak,
        out_of_memory=count_oom_kills() > kills_before,
    )


def _watch(
    child: subprocess.Popen, start: float, limit_seconds: float, progress_path: Path | None, limit_bytes: int
) -> tuple[str, int]:
    """Wait for the end of the child; returns (limit that it exceeded or "", its peak memory in bytes)."""
    last_change, last_size, next_look, peak = start, -1, start, 0
    while child.poll() is None:
        now = time.monotonic()
        if progress_path is not None and progress_path.exists():
            size = progress_path.stat().st_size
            if size != last_size:
                last_change, last_size = now, size
        if now - last_change > limit_seconds:
            return "timeout", peak
        if now >= next_look:
            next_look = now + MEMORY_POLL_SECONDS
            peak = max(peak, resident_bytes(child.pid))
            if limit_bytes and peak > limit_bytes:
                return "memory", peak
        time.sleep(POLL_SECONDS)
    return "", peak


@contextlib.contextmanager
def _scratch() -> Iterator[str]:
    """A folder for a child's temporary files; folders left by a killed process are removed first."""
    parent = _scratch_folder()
    owner = f"{os.stat('/proc/self/ns/pid').st_ino}-" if os.path.exists("/proc/self/ns/pid") else ""
    # A process number means something only within its namespace; containers may share a RAM disk.
    for entry in Path(parent or tempfile.gettempdir()).glob(f"vosforge-child-{owner}*"):
        found = re.fullmatch(rf"vosforge-child-{owner}(\d+)-\w+", entry.name)
        if owner and found and not Path("/proc", found[1]).exists():
            shutil.rmtree(entry, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=f"vosforge-child-{owner}{os.getpid()}-", dir=parent) as folder:
        yield folder


def _scratch_folder() -> str | None:
    """A RAM disk for frames on their way to the encoder, where there is one."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def _tail(log_path: Path, size: int = 8000) -> str:
    with open(log_path, "rb") as log:
        log.seek(max(0, log_path.stat().st_size - size))
        return log.read().decode(errors="replace")
