"""What a run left in its folder, read back for a report; a run that still goes on reads as well."""

import math
import pickle
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ..log import readable_metrics
from ..run_folder import read_config
from ..validation.measured import in_words

TRAINING_PICTURES = "training batches"


class Picture(NamedTuple):
    """A picture of predictions after `step` finished steps."""

    step: int
    path: Path


class CheckpointFile(NamedTuple):
    """A checkpoint; step is None where the file cannot be read. score, measured: of best.pt, where told."""

    path: Path
    step: int | None
    num_bytes: int
    score: float | None = None
    measured: str = ""


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """config: config.json. metrics: the records of metrics.jsonl, in order. pictures: what they show -> by step.

    failed: batches saved because their loss was not finite. notes: what of the folder is damaged and left out.
    """

    folder: Path
    config: Mapping[str, Any]
    metrics: Sequence[Mapping[str, Any]]
    checkpoints: Sequence[CheckpointFile]
    pictures: Mapping[str, Sequence[Picture]]
    failed: Sequence[Path]
    notes: Sequence[str] = ()

    @property
    def identity(self) -> Mapping[str, Any]:
        """The settings that make the run what it is."""
        return self.config.get("identity", {})

    @property
    def num_steps(self) -> int:
        """Steps that the run is laid out for."""
        return int(self.identity.get("num_steps", 0))

    @property
    def last_step(self) -> int:
        """Finished steps, as far as metrics and checkpoints tell."""
        steps = [record["step"] for record in self.metrics] + [one.step or 0 for one in self.checkpoints]
        return max(steps, default=0)

    def names(self) -> list[str]:
        """Names of all metrics, in the order of their first appearance."""
        return list(dict.fromkeys(name for record in self.metrics for name in record if name != "step"))

    def series(self, name: str) -> list[tuple[int, float]]:
        """(step, value) of one metric, without the values that are not finite."""
        pairs = sorted((record["step"], float(record[name])) for record in self.metrics if name in record)
        return [(step, value) for step, value in pairs if math.isfinite(value)]

    def seconds(self) -> float | None:
        """Time spent on the steps so far: as logged, else estimated from the samples a second; None without either."""
        logged = self.series("seconds")
        if logged:
            return logged[-1][1]
        # The logged rate is a mean since the process began; it falls back to a fresh mean where the run was resumed.
        batch_size, total, before = self.identity.get("batch_size", 0), 0.0, 0
        for step, rate in self.series("samples_per_second"):
            total += (step - before) * batch_size / rate if rate > 0 else 0
            before = step
        return total or None


def read_run(folder: Path) -> RunRecord:
    """Read the folder of a run; ValueError when it is none."""
    if not (folder / "config.json").is_file():
        raise ValueError(f"{folder} holds no run: it has no config.json; give the folder that was --out of a run")
    pictures = {path.name: _pictures(path) for path in sorted((folder / "validation").glob("*")) if path.is_dir()}
    pictures[TRAINING_PICTURES] = _pictures(folder / "pictures")
    metrics, damaged = readable_metrics(folder / "metrics.jsonl")
    return RunRecord(
        folder=folder,
        config=read_config(folder),
        metrics=metrics,
        checkpoints=_checkpoints(folder / "checkpoints"),
        pictures={name: found for name, found in pictures.items() if found},
        failed=sorted(folder.glob("failed-batch-*.pt")),
        notes=_damage(damaged),
    )


def _damage(lines: Mapping[int, str]) -> list[str]:
    if not lines:
        return []
    number, reason = next(iter(lines.items()))
    count = "1 line is left out, it" if len(lines) == 1 else f"{len(lines)} lines are left out, the first"
    return [f"metrics.jsonl is damaged: {count} is line {number} ({reason})"]


def _pictures(folder: Path) -> list[Picture]:
    found = [(re.fullmatch(r"step-(\d+)\.png", path.name), path) for path in folder.glob("*.png")]
    return sorted(Picture(int(match[1]), path) for match, path in found if match)


def _checkpoints(folder: Path) -> list[CheckpointFile]:
    """Named ones first (best, last), then the numbered ones by step."""
    files = [path for path in folder.glob("*.pt") if not path.name.startswith(".")]
    found = [CheckpointFile(path, *_step_and_score(path)) for path in files]
    return sorted(found, key=lambda one: (one.path.name.startswith("step-"), one.path.name))


def _step_and_score(path: Path) -> tuple[int | None, int, float | None, str]:
    """Step, size in bytes, and for best.pt its score and what that measures, in words."""
    import torch

    num_bytes, numbered = path.stat().st_size, re.fullmatch(r"step-(\d+)\.pt", path.name)
    if numbered:
        return int(numbered[1]), num_bytes, None, ""
    try:
        # Mapped into memory: only the numbers are read, not hundreds of megabytes of weights.
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        best = content.get("window", {}).get("best") if path.name == "best.pt" else None
        if best is None:
            return int(content["step"]), num_bytes, None, ""
        measured = in_words(best["measured"]) if best.get("measured") else ""
        return int(content["step"]), num_bytes, float(best["score"]), measured
    except (RuntimeError, EOFError, pickle.UnpicklingError, AttributeError, ValueError, KeyError, TypeError, OSError):
        return None, num_bytes, None, ""
