"""Child processes for Blender: own process group, wall-clock limit, kept output, dead when the parent dies."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

PR_SET_PDEATHSIG = 1
PARENT_VARIABLE = "VOSFORGE_PARENT_PID"
POLL_SECONDS = 0.02


class ChildFailure(RuntimeError):
    """A child process that did not do its work: a crash, a time limit or a Python error, with the end of its output.

    `kind` is one of timeout, memory, crash, python.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind

    def __reduce__(self) -> tuple:
        return (ChildFailure, (self.kind, str(self)))


@dataclass(frozen=True)
class ChildResult:
    """How a child ended: its exit code (negative for a signal), seconds, and the end of its output."""

    returncode: int
    seconds: float
    timed_out: bool
    output_tail: str


def die_with_parent() -> None:
    """Ask the kernel (Linux) to kill this process when its parent dies; elsewhere this does nothing."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.environ.get(PARENT_VARIABLE, str(os.getppid())) != str(os.getppid()):
            os._exit(1)  # the parent died before the kernel was asked


def run_child(
    arguments: list[str], log_path: Path, limit_seconds: float, progress_path: Path | None = None
) -> ChildResult:
    """Run `python -m vosforge.render.worker ARGUMENTS` in its own process group, its output kept in `log_path`.

    The group is killed after `limit_seconds` without an end or, when `progress_path` is given, without a change of
    that file. Its temporary files lie in a folder that is removed here, however it ended. Returns ChildResult; never
    raises for what the child did.
    """
    start = time.monotonic()
    command = [sys.executable, "-m", "vosforge.render.worker", *arguments]
    timed_out = False
    with (
        open(log_path, "wb") as log,
        tempfile.TemporaryDirectory(prefix="vosforge-child-", dir=_scratch_folder()) as scratch,
    ):
        own = {"PYTHONUNBUFFERED": "1", "TMPDIR": scratch, PARENT_VARIABLE: str(os.getpid())}
        environment = {**os.environ, **own}
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, start_new_session=True
        )
        try:
            last_change, last_size = start, -1
            while child.poll() is None:
                if progress_path is not None and progress_path.exists():
                    size = progress_path.stat().st_size
                    if size != last_size:
                        last_change, last_size = time.monotonic(), size
                if time.monotonic() - last_change > limit_seconds:
                    timed_out = True
                    break
                time.sleep(POLL_SECONDS)
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
    tail = log_path.read_bytes()[-4000:].decode(errors="replace")
    return ChildResult(child.returncode, time.monotonic() - start, timed_out, tail)


def _scratch_folder() -> str | None:
    """A RAM disk for frames on their way to the encoder, where there is one."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def explain_failure(result: ChildResult, limit_seconds: float) -> ChildFailure:
    """Name why a child failed: time limit, out of memory, a signal, or the last line of its Python traceback."""
    if result.timed_out:
        return ChildFailure("timeout", f"no end after {limit_seconds:.0f} s; the process was killed")
    if result.returncode == -signal.SIGKILL:
        return ChildFailure("memory", "killed by the system (SIGKILL), most likely out of memory")
    if result.returncode < 0:
        name = signal.Signals(-result.returncode).name
        return ChildFailure("crash", f"Blender crashed with {name}; end of output: {_last_line(result.output_tail)}")
    if "MemoryError" in result.output_tail:
        return ChildFailure("memory", _last_line(result.output_tail))
    return ChildFailure("python", _last_line(result.output_tail))


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "(no output)"
