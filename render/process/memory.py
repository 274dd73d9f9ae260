"""How much memory a process and its descendants hold, and whether the kernel has run out of it. Linux; 0 elsewhere."""

from __future__ import annotations

import os
from pathlib import Path

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def resident_bytes(pid: int) -> int:
    """Resident memory of a process and all its descendants in bytes; those that have ended count as 0."""
    total, waiting = 0, [pid]
    while waiting:
        current = waiting.pop()
        try:
            total += int(Path(f"/proc/{current}/statm").read_text().split()[1]) * PAGE_BYTES
            for thread in os.listdir(f"/proc/{current}/task"):
                waiting += map(int, Path(f"/proc/{current}/task/{thread}/children").read_text().split())
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended while it was being read
    return total


def count_oom_kills() -> int:
    """Processes that the kernel has killed for lack of memory: on this machine and in this control group."""
    return _counter(Path("/proc/vmstat")) + sum(map(_counter, _control_group_files()))


def _control_group_files() -> list[Path]:
    """memory.events of this process's control group (version 2), and of the root that a container sees."""
    files = [Path("/sys/fs/cgroup/memory.events")]
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return files
    paths = [line.split("::", 1)[1].strip("/") for line in lines if line.startswith("0::")]
    return files + [Path("/sys/fs/cgroup", path, "memory.events") for path in paths if path]


def _counter(path: Path) -> int:
    try:
        entries = dict(line.split()[:2] for line in path.read_text().splitlines())
    except (OSError, ValueError):
        return 0
    return int(entries.get("oom_kill", 0))
