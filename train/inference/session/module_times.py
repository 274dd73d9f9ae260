"""Where the time of a session goes: seconds of each network and on how many objects it ran."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch


@dataclass(frozen=True, kw_only=True)
class ModuleTime:
    """seconds of wall clock; frame_objects: objects of all frames that the module ran on."""

    seconds: float = 0.0
    frame_objects: int = 0


class ModuleClock:
    """Adds up the times of modules by name.

    wait_for: a CUDA device to wait for before and after a module, so that its own work is measured; None measures what
    the calls take.
    """

    def __init__(self, wait_for: torch.device | None = None) -> None:
        self.times: dict[str, ModuleTime] = {}
        self._wait_for = wait_for if wait_for is not None and wait_for.type == "cuda" else None

    @contextlib.contextmanager
    def measure(self, module: str, num_objects: int) -> Iterator[None]:
        """Add the time of the block to a module."""
        self._wait()
        started = time.perf_counter()
        yield
        self._wait()
        before = self.times.get(module, ModuleTime())
        self.times[module] = replace(
            before,
            seconds=before.seconds + time.perf_counter() - started,
            frame_objects=before.frame_objects + num_objects,
        )

    @contextlib.contextmanager
    def inference(self, module: str, num_objects: int) -> Iterator[None]:
        """The same for a network that is asked, on CUDA with algorithms that give the same result each time."""
        flags = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True)
        with flags, torch.inference_mode(), self.measure(module, num_objects):
            yield

    def _wait(self) -> None:
        if self._wait_for is not None:
            torch.cuda.synchronize(self._wait_for)
