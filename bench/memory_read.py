"""Memory read: seconds of the full softmax and of the exact top-k, their ratio, and the memory each takes at its peak.

Run: python bench/memory_read.py [--memory-frames 20] [--top-k 50] [--threads 1] [--device cpu]

Times are minima of alternating turns in one process. Extra peak memory is what one read adds to a fresh process that
already holds keys and values; on CUDA, what it adds to the allocated device memory.
"""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
import tyro
from vosforge.models.memory import read

MB = 1e6


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Sizes of the read (480p of the full network: 54x30 cells, key 128, value 512) and how to measure.

    device auto measures on the CPU and, where there is one, on the CUDA device too. only: measure nothing but the peak
    memory of one kind of read, in this process.
    """

    cells: tuple[int, int] = (30, 54)
    memory_frames: int = 20
    key_channels: int = 128
    value_channels: int = 512
    top_k: int = 50
    threads: int = 1
    turns: int = 5
    device: Literal["auto", "cpu", "cuda"] = "auto"
    only: Literal["full", "top-k"] | None = None


def make_inputs(settings: Settings, device: str) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Noise as memory keys, memory values and query keys; the cost of a read does not depend on it."""
    generator = torch.Generator(device).manual_seed(0)

    def noise(channels: int, *shape: int) -> torch.Tensor:
        return torch.randn(1, channels, *shape, generator=generator, device=device)

    frames = (settings.memory_frames, *settings.cells)
    return (
        noise(settings.key_channels, *frames),
        noise(settings.value_channels, *frames),
        noise(settings.key_channels, *settings.cells),
    )


def reads(settings: Settings, device: str) -> dict[str, Callable[[], torch.Tensor]]:
    """Both kinds of read over the same inputs."""
    inputs = make_inputs(settings, device)
    return {"full": lambda: read(*inputs), "top-k": lambda: read(*inputs, settings.top_k)}


def fastest_seconds(settings: Settings, device: str) -> dict[str, float]:
    """Minimum over the turns of each kind of read."""
    kinds = reads(settings, device)
    seconds: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(settings.turns + 1):
        for name, once in kinds.items():
            _wait(device)
            started = time.perf_counter()
            once()
            _wait(device)
            seconds[name].append(time.perf_counter() - started)
    return {name: min(times[1:]) for name, times in seconds.items()}


def extra_peak_bytes(settings: Settings, device: str) -> float:
    """Bytes that one read adds at its peak to what this process holds; right only in a fresh process."""
    once = reads(settings, device)[settings.only]
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        once()
        return torch.cuda.max_memory_allocated() - before
    before = _resident_bytes()
    once()
    return _peak_bytes() - before


def peak_in_fresh_process(settings: Settings, device: str, kind: str) -> float:
    """Run this file again for the peak memory of one kind of read."""
    asked = replace(settings, device=device, only=kind)
    flags = [f"--{name.replace('_', '-')}" for name in vars(asked)]
    values = [value if isinstance(value, tuple) else (value,) for value in vars(asked).values()]
    words = [word for flag, value in zip(flags, values, strict=True) for word in (flag, *map(str, value))]
    done = subprocess.run([sys.executable, __file__, *words], check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def main(settings: Settings) -> None:
    """Measure and print a table."""
    torch.set_num_threads(settings.threads)
    torch.set_grad_enabled(False)
    if settings.only is not None:
        print(extra_peak_bytes(settings, settings.device))
        return
    devices = [settings.device] if settings.device != "auto" else ["cpu", *["cuda"] * torch.cuda.is_available()]
    print(f"memory of {settings.memory_frames} frames of {settings.cells[1]}x{settings.cells[0]} cells")
    print("| device | read | seconds | of full | extra peak memory |")
    print("|---|---|---|---|---|")
    for device in devices:
        label = torch.cuda.get_device_name() if device == "cuda" else f"CPU, threads: {settings.threads}"
        seconds = fastest_seconds(settings, device)
        for kind, taken in seconds.items():
            name = "full softmax" if kind == "full" else f"top-{settings.top_k}"
            peak = peak_in_fresh_process(settings, device, kind) / MB
            print(f"| {label} | {name} | {taken:.4f} | {taken / seconds['full']:.2f} | {peak:.0f} MB |")


def _resident_bytes() -> int:
    """Memory of this process now; where the system does not say, at its peak so far."""
    table = Path("/proc/self/statm")
    return int(table.read_text().split()[1]) * resource.getpagesize() if table.exists() else _peak_bytes()


def _peak_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


if __name__ == "__main__":
    main(tyro.cli(Settings, description=__doc__))
