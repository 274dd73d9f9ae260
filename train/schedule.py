"""Everything that changes over a run, as pure functions of the step: learning rate, kept loss fraction, frame distance.

All positions are fractions of the run's steps, so that a shorter run goes through the whole programme.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


def _require_fractions(name: str, fractions: Sequence[float]) -> None:
    """Raise ValueError unless these are fractions of a run, each above the one before."""
    if not all(0 <= one <= 1 for one in fractions) or any(a >= b for a, b in itertools.pairwise(fractions)):
        raise ValueError(
            f"{name} is {tuple(fractions)}; give ascending fractions of the run from 0 to 1 instead of steps, such as "
            "0.5 for its middle"
        )


@dataclass(frozen=True, kw_only=True)
class LearningRateSchedule:
    """Linear warm-up over the first `warmup` of the steps, then one of two decays.

    `step`: multiplied by `factor` from each fraction in `decay_at` on. `cosine`: from the peak down to `factor` times
    the peak.
    """

    peak: float
    warmup: float = 0.0
    decay: Literal["step", "cosine"] = "step"
    decay_at: tuple[float, ...] = ()
    factor: float = 0.1

    def __post_init__(self) -> None:
        if not 0 < self.peak < math.inf or not 0 < self.factor <= 1:
            raise ValueError(
                f"peak is {self.peak} and factor {self.factor} of a learning rate; the peak must be positive and "
                "finite, the factor above 0 and at most 1"
            )
        if not 0 <= self.warmup < 1 or self.decay not in ("step", "cosine"):
            raise ValueError(
                f"warmup is {self.warmup} and decay {self.decay!r} of a learning rate; the first must be a fraction "
                "of the run, from 0 to below 1, the second step or cosine"
            )
        _require_fractions("decay_at", self.decay_at)

    def at(self, step: int, num_steps: int) -> float:
        """Learning rate of step `step` (0-based) of `num_steps`."""
        warmup_steps = round(self.warmup * num_steps)
        if step < warmup_steps:
            return self.peak * (step + 1) / warmup_steps
        if self.decay == "step":
            return self.peak * self.factor ** sum(step >= round(at * num_steps) for at in self.decay_at)
        position = (step - warmup_steps) / max(1, num_steps - warmup_steps)
        return self.peak * (self.factor + (1 - self.factor) * 0.5 * (1 + math.cos(math.pi * position)))


@dataclass(frozen=True, kw_only=True)
class BootstrapSchedule:
    """Fraction of the hardest pixels that the loss keeps: 1 until `start`, then linearly down to `kept` at `end`."""

    start: float
    end: float
    kept: float

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end <= 1:
            raise ValueError(
                f"start is {self.start} and end {self.end} of a bootstrap; it must be 0 <= start < end <= 1, both "
                "fractions of the run instead of steps"
            )
        if not 0 < self.kept <= 1:
            raise ValueError(f"kept is {self.kept}, the fraction of pixels must be above 0 and at most 1")

    def at(self, step: int, num_steps: int) -> float:
        """Kept fraction of step `step` of `num_steps`, in [kept, 1]."""
        position = (step / num_steps - self.start) / (self.end - self.start)
        return 1 - (1 - self.kept) * min(1.0, max(0.0, position))


@dataclass(frozen=True, kw_only=True)
class JumpCurriculum:
    """Largest distance between sampled frames: `jumps[0]` first, `jumps[i + 1]` from fraction `switch_at[i]` on."""

    jumps: tuple[int, ...]
    switch_at: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.jumps or min(self.jumps) < 1:
            raise ValueError(f"jumps are {self.jumps}, each must be at least 1 frame")
        if len(self.jumps) != len(self.switch_at) + 1:
            raise ValueError(
                f"{len(self.jumps)} jumps need {len(self.jumps) - 1} switch points, not {len(self.switch_at)}; change "
                "jumps and switch_at together"
            )
        _require_fractions("switch_at", self.switch_at)

    def at(self, step: int, num_steps: int) -> int:
        """max_jump of step `step` of `num_steps`."""
        return self.jumps[sum(step >= round(at * num_steps) for at in self.switch_at)]
