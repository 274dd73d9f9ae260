"""The rules of the DAVIS interactive benchmark (Caelles et al., 2018; Caelles et al., 2019), and MiVOS' use of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from ....datagen.simulation.robot.robot import DAVIS_ROBOT, RobotSettings

Metric = Literal["J", "F", "J_AND_F"]
METRICS: dict[Metric, str] = {"J": "J", "F": "F", "J_AND_F": "J&F"}
"""Names in the benchmark's files -> names for people."""

ROUNDS_ON_A_FRAME = 3
"""Rounds that MiVOS spends on a frame before it propagates (MiVOS, CVPR 2021, Sec. 4.3)."""


@dataclass(frozen=True, kw_only=True)
class ProtocolSettings:
    """A session of the benchmark; the defaults are those of its challenges.

    num_interactions: rounds in which a user draws. num_scribble_sets: sessions of each sequence, every one with first
    scribbles of its own. seconds_per_object: what an interaction may take for each object; None sets no limit. metric:
    what the curve shows, and what makes a frame the worst. threshold_seconds: where the curve is read.
    schedule: "every-round" propagates after each interaction and then chooses the worst frame of all; "three-frames"
    stays on a frame for three rounds, and propagates after the third and the last, as MiVOS was evaluated.
    strokes: "last" gives a round its own strokes beside the present mask, as published; "all" those that were drawn on
    the frame since the last propagation. seed: of the robot, and of first scribbles that no file holds.
    """

    num_interactions: int = 8
    num_scribble_sets: int = 3
    seconds_per_object: float | None = 30.0
    metric: Metric = "J_AND_F"
    threshold_seconds: float = 60.0
    schedule: Literal["every-round", "three-frames"] = "every-round"
    strokes: Literal["last", "all"] = "last"
    robot: RobotSettings = field(default=DAVIS_ROBOT)
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("num_interactions", "num_scribble_sets"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; give 1 or more")
        if self.seconds_per_object is not None and not 0 < self.seconds_per_object < math.inf:
            raise ValueError(f"seconds_per_object is {self.seconds_per_object}; give a time above 0, or None")
        if not 0 <= self.threshold_seconds < math.inf:
            raise ValueError(f"threshold_seconds is {self.threshold_seconds}; give a time of 0 or more")
        for name, allowed in (
            ("metric", METRICS),
            ("schedule", ("every-round", "three-frames")),
            ("strokes", ("last", "all")),
        ):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} is {getattr(self, name)!r}; choose one of {', '.join(allowed)}")
        if self.seed < 0:
            raise ValueError(f"seed is {self.seed}; give 0 or more")

    def propagates_after(self, interaction: int) -> bool:
        """Whether the masks of this interaction, counted from 1, are carried to the other frames at once."""
        rounds = ROUNDS_ON_A_FRAME if self.schedule == "three-frames" else 1
        return interaction % rounds == 0 or interaction == self.num_interactions

    def time_limit(self, num_objects: float) -> float | None:
        """Seconds that a session of so many objects may take in all; None without a limit."""
        if self.seconds_per_object is None:
            return None
        return self.seconds_per_object * self.num_interactions * num_objects


@dataclass(frozen=True, kw_only=True)
class FixedClock:
    """Charges work instead of time, so that results do not depend on the machine.

    seconds_per_correction: for each object of an interaction. seconds_per_frame: for each object of a propagated frame.
    The defaults are MiVOS' times on an RTX 2080 Ti at 480p: 29 ms; 44 ms for propagation and 9 ms for fusion.
    The robot and the scoring cost nothing.
    """

    seconds_per_correction: float = 0.029
    seconds_per_frame: float = 0.053

    def seconds(self, num_objects: int, corrected: bool, num_propagated_frames: int) -> float:
        """What an interaction costs."""
        return num_objects * (corrected * self.seconds_per_correction + num_propagated_frames * self.seconds_per_frame)
