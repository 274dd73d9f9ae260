"""The checkpoints of a run, and what it remembers beside its weights."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from .checkpoint import checkpoint_content, save_atomically
from .log import MetricWindow
from .stage import Stage


class RunMemory:
    """What a run remembers beside its weights: the metrics since the last log line, its best score, its hours.

    It is part of the checkpoint, so that a resumed run logs the same means and knows the same best. best: {"score",
    "step"} of best.pt, None before any. seconds: spent in steps so far, by all processes that went on with the run.
    """

    def __init__(self, state: Mapping[str, Any] | None = None) -> None:
        state = state or {}
        self.window = MetricWindow(state or None)
        self.best: dict[str, Any] | None = state.get("best")
        self.seconds: float = state.get("seconds", 0.0)

    def is_better(self, score: float | None) -> bool:
        """Whether a score is higher than any before."""
        return score is not None and (self.best is None or score > self.best["score"])

    def state(self) -> dict[str, Any]:
        """Plain data for the checkpoint."""
        return {**self.window.state(), "best": self.best, "seconds": self.seconds}


class RunCheckpoints:
    """Writes folder/checkpoints: last.pt, numbered ones, and best.pt, where `writes` is true.

    `step` is that of last.pt.
    """

    def __init__(
        self,
        folder: Path,
        network: nn.Module,
        optimiser: torch.optim.Optimizer,
        stage: Stage,
        memory: RunMemory,
        step: int,
        *,
        writes: bool = True,
    ) -> None:
        self._folder, self.step, self._writes = folder / "checkpoints", step, writes
        self._network, self._optimiser, self._stage, self._memory = network, optimiser, stage, memory

    def save(self, step: int, keep: bool) -> None:
        """Write last.pt, and with `keep` a numbered checkpoint of the same content."""
        self.step = step
        if not self._writes:
            return
        content = self._content(step)
        save_atomically(self._folder / "last.pt", content)
        if keep:
            save_atomically(self._folder / f"step-{step:08d}.pt", content)

    def save_best(self, step: int, score: float) -> None:
        """Remember the score and write best.pt, without the optimiser."""
        self._memory.best = {"score": score, "step": step}
        # A network to use, not a run to go on with: a third of the bytes.
        content = self._content(step)
        save_atomically(self._folder / "best.pt", {name: content[name] for name in content if name != "optimiser"})

    def _content(self, step: int) -> dict[str, Any]:
        return checkpoint_content(
            self._network,
            stage=self._stage.name,
            step=step,
            optimiser=self._optimiser,
            window=self._memory.state(),
        )
