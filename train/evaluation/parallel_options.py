"""Options of the evaluation commands that spread sequences over processes or nodes."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from ...datagen.commands.farm_options import FarmOptions
from .errors import EvaluationError, as_evaluation_errors

if TYPE_CHECKING:
    from ...datagen.farm.farm import FarmSettings


@dataclass(frozen=True, kw_only=True)
class ParallelOptions(FarmOptions):
    """How the sequences are spread over processes or nodes; the scores do not depend on it."""

    workers: int = 1
    """Sequences at once on this machine (with --address: sequences in flight)."""
    address: str | None = None
    """Ray cluster to join, e.g. auto or host:6379; all files must have the same path on its nodes."""
    executor: Literal["auto", "ray", "local"] = "auto"
    """auto takes Ray for several workers where it is installed; local runs without it."""
    gpus_per_task: float | None = None
    """Share of a GPU that one sequence occupies where networks run on CUDA; what the workers can share without it."""

    def farm(self, device: str = "cpu") -> FarmSettings:
        """The farm's settings; device: "cpu" or "cuda", where its tasks run. EvaluationError names a wrong option."""
        several = self.workers > 1 or self.address is not None
        executor = self.executor
        if executor == "auto":
            ray = several and (self.address is not None or importlib.util.find_spec("ray") is not None)
            executor = "ray" if ray else "local"
        with as_evaluation_errors():
            settings = FarmOptions(workers=self.workers, address=self.address, executor=executor).farm()
            gpus = self._gpus(device)
            # One worker in this process takes what it sees.
            return replace(settings, gpus_per_task=gpus if several or executor == "ray" else 0)

    def _gpus(self, device: str) -> float:
        if device != "cuda":
            if self.gpus_per_task:
                raise EvaluationError(
                    f"--gpus-per-task {self.gpus_per_task:g} without a GPU; add --device cuda, or leave it out"
                )
            return 0.0
        if self.gpus_per_task is not None or self.address is not None:
            return 1.0 if self.gpus_per_task is None else self.gpus_per_task
        import torch

        return min(1.0, torch.cuda.device_count() / self.workers)
