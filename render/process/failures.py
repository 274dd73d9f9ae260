"""Why a child process did not do its work: the class of the failure, from its answer, exit code and output."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .child import ChildResult

EXIT_REJECTED = 3
EXIT_FAILED = 4
"""Exit codes of a child that has said why in its answer file: a rejected scene, a failure of a known kind."""

FAILURE_KINDS = ("timeout", "memory", "asset", "gpu", "python", "crash")

# The first pattern that is found in the end of the output names the class. Cycles prints the GPU ones, Blender and the
# loaders the others.
PATTERNS = (
    (
        "gpu",
        r"out of memory in (cuda|optix|hip)|failed to create (cuda|optix|hip) context|(cuda|optix) error"
        r"|cuda_error_|optix_error_|illegal address in (cuda|optix)|no (cuda|optix) device|finds no such device",
    ),
    ("memory", r"\bMemoryError\b|std::bad_alloc|cannot allocate memory|malloc(_array)?N? returns null"),
    ("asset", r"\bBrokenModel\b|UnidentifiedImageError|image cannot be decoded"),
    ("python", r"cannot open shared object file|ModuleNotFoundError|ImportError"),
)


class ChildFailure(RuntimeError):
    """A child process that did not do its work, with the end of its output; `kind` is one of FAILURE_KINDS."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind

    def __reduce__(self) -> tuple:
        return (ChildFailure, (self.kind, str(self)))


def explain_failure(
    result: ChildResult, limit_seconds: float, limit_bytes: int = 0, answer: dict | None = None
) -> ChildFailure:
    """Name why a child failed.

    answer: what it wrote itself, {"failure": kind, "detail": text}, which is believed when there is one. Otherwise the
    limits that it exceeded, the kernel's out-of-memory killer, patterns in its output and its exit code decide.
    """
    last = last_line(result.output_tail)
    if result.killed_for == "timeout":
        return ChildFailure("timeout", f"no end after {limit_seconds:.0f} s; the process was killed")
    if result.killed_for == "memory":
        used, limit = result.peak_bytes / 2**30, limit_bytes / 2**30
        return ChildFailure("memory", f"{used:.2f} GiB resident, the limit is {limit:.2f} GiB; the process was killed")
    if answer and answer.get("failure") in FAILURE_KINDS:
        return ChildFailure(answer["failure"], str(answer.get("detail", "")) or last)
    if result.returncode == -signal.SIGKILL and result.out_of_memory:
        return ChildFailure("memory", "killed by the kernel (SIGKILL), which was out of memory")
    for kind, pattern in PATTERNS:
        found = re.search(pattern, result.output_tail, re.IGNORECASE)
        if found:
            return ChildFailure(kind, _line_around(result.output_tail, found.start()))
    if result.returncode < 0:
        name = signal.Signals(-result.returncode).name
        return ChildFailure("crash", f"Blender ended with {name}; end of output: {last}")
    return ChildFailure("python", last)


def read_answer(path: Path) -> dict[str, Any]:
    """What a child answered; empty when it did not, or was killed while it wrote."""
    try:
        return json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return {}


def last_line(text: str) -> str:
    """The last line that is not empty."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "(no output)"


def _line_around(text: str, position: int) -> str:
    return text[text.rfind("\n", 0, position) + 1 :].split("\n", 1)[0].strip()
