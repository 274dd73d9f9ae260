"""The checkpoints of a run: written, with what it remembers beside its weights, and gone on from."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from .checkpoint import checkpoint_content, load_state, read_checkpoint, save_atomically
from .log import MetricWindow
from .stage import Stage

# What a run needs to go on, beside the weights, which are enough for inference.
RESUME_REQUIRED = ("optimiser", "window")


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


@dataclass(frozen=True, kw_only=True)
class StartPoint:
    """Where a run begins: finished steps, the state of its `RunMemory`, and in words what its weights are from."""

    step: int = 0
    window: Mapping[str, Any] = field(default_factory=dict)
    origin: str


def resume(path: Path, network: nn.Module, optimiser: torch.optim.Optimizer, num_steps: int) -> StartPoint:
    """Put weights and optimiser where the run stood at a checkpoint of it; ValueError when it is none of this run."""
    content = read_checkpoint(path)
    missing = [key for key in RESUME_REQUIRED if key not in content]
    if missing:
        raise ValueError(
            f"{path} lacks {' and '.join(missing)}, so the run cannot go on from it; "
            "start a new run with --init and another --out"
        )
    size = json.loads(json.dumps(asdict(network.size)))
    if json.loads(json.dumps(content["size"])) != size or not 0 <= content["step"] <= num_steps:
        raise ValueError(
            f"{path} is of step {content['step']} and a network of size {content['size']}, this run has {num_steps} "
            f"steps and {size}: it is no checkpoint of this run; start a new one with --init and another --out"
        )
    load_state(network, content["network"], path)
    try:
        optimiser.load_state_dict(content["optimiser"])
        RunMemory(content["window"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(
            f"{path}: optimiser or log window does not fit this run ({type(error).__name__}: {error}); start a new one "
            "with --init and another --out"
        ) from error
    step = content["step"]
    return StartPoint(step=step, window=content["window"], origin=f"step {step} of {path}")
