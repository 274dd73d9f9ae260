"""The checkpoints of a run: written, with what it remembers beside its weights, and gone on from."""

import contextlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from .checkpoint import checkpoint_content, load_state, read_checkpoint, save_atomically
from .log import MetricWindow
from .sample_settings import dotted
from .stage import Stage
from .step_settings import whole_step_settings
from .validation.measured import in_words, same_measure

# What a run needs to go on, beside the weights, which are enough for inference.
RESUME_REQUIRED = ("optimiser", "window")


class RunMemory:
    """What a run remembers beside its weights: the metrics since the last log line, its best score, its hours.

    It is part of the checkpoint, so that a resumed run logs the same means and knows the same best. best: {"score",
    "step"} of best.pt and what was "measured", where that is told; None before any. seconds: spent in steps so far, by
    all processes that went on with the run.
    """

    def __init__(self, state: Mapping[str, Any] | None = None) -> None:
        state = state or {}
        self.window = MetricWindow(state or None)
        self.best: dict[str, Any] | None = state.get("best")
        self.seconds: float = state.get("seconds", 0.0)

    def is_better(self, score: float | None, measured: Mapping[str, Any] | None = None) -> bool:
        """Whether a finite score is higher than any before of the same measure."""
        if score is None or not math.isfinite(score):
            return False
        best = self.best
        if best is None or not math.isfinite(best["score"]) or not same_measure(best.get("measured"), measured):
            return True
        return score > best["score"]

    def remember(self, score: float, step: int, measured: Mapping[str, Any] | None = None) -> str | None:
        """Take a score for the best; return a note where the one before was of another measure."""
        before, told = self.best, {"measured": dict(measured)} if measured else {}
        self.best = {"score": score, "step": step, **told}
        if before is None or same_measure(before.get("measured"), measured):
            return None
        return (
            f"best.pt begins anew at step {step}: it measures {in_words(measured)}; before it was step "
            f"{before['step']} by {in_words(before['measured'])}"
        )

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

    def save_best(self, step: int, score: float, measured: Mapping[str, Any] | None = None) -> str | None:
        """Remember the score and write best.pt, without the optimiser; the note of `RunMemory.remember`."""
        note = self._memory.remember(score, step, measured)
        # A network to use, not a run to go on with: a third of the bytes.
        content = self._content(step)
        save_atomically(self._folder / "best.pt", {name: content[name] for name in content if name != "optimiser"})
        return note

    def _content(self, step: int) -> dict[str, Any]:
        return checkpoint_content(
            self._network,
            stage=self._stage.name,
            step=step,
            optimiser=self._optimiser,
            window=self._memory.state(),
            step_settings=dict(dotted(whole_step_settings(self._stage))),
        )


@dataclass(frozen=True, kw_only=True)
class StartPoint:
    """Where a run begins: finished steps, the state of its `RunMemory`, and in words what its weights are from."""

    step: int = 0
    window: Mapping[str, Any] = field(default_factory=dict)
    origin: str


def resume(path: Path, network: nn.Module, optimiser: torch.optim.Optimizer, num_steps: int) -> StartPoint:
    """Put weights and optimiser where the run stood at a checkpoint of it; ValueError when it is none of this run."""
    content = _read_whole(path)
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


def _read_whole(path: Path) -> dict[str, Any]:
    """Read a checkpoint to go on from; ValueError names the newest numbered one that can take its place."""
    try:
        return _read_for_resume(path)
    except ValueError as error:
        newest = _newest_numbered(path.parent)
        if newest is None:
            way_out = "no step-*.pt beside it is whole: start a new run with another --out"
        else:
            way_out = f"copy {newest} over {path.name}, and the run goes on from there"
        # The way out of whoever reads a checkpoint is not that of a run.
        raise ValueError(f"{str(error).partition('; give ')[0]}; {way_out}") from error


def _read_for_resume(path: Path) -> dict[str, Any]:
    content = read_checkpoint(path)
    missing = [key for key in RESUME_REQUIRED if key not in content]
    if missing:
        raise ValueError(f"{path} lacks {' and '.join(missing)}, so the run cannot go on from it")
    return content


def _newest_numbered(folder: Path) -> Path | None:
    for path in sorted(folder.glob("step-*.pt"), reverse=True):
        with contextlib.suppress(ValueError):
            _read_for_resume(path)
            return path
    return None
