"""How good masks get in rounds of corrections: the DAVIS robot scribbles on what is wrong, a method answers.

The robot is that of the DAVIS interactive benchmark. A frame starts without a mask, so that the first round's strokes
lie on the objects; later ones lie on what is missing or too much.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from ....datagen.corpus.records import IGNORE_ID
from ....datagen.simulation.robot.robot import DAVIS_ROBOT, robot_strokes
from ....datagen.simulation.robot.strokes import Stroke
from ..errors import EvaluationError
from ..metrics import measures
from ..sequences import AnnotatedSequence
from .methods import Corrector


@dataclass(frozen=True, kw_only=True)
class RoundsSettings:
    """num_rounds of strokes a frame; frames_per_sequence, evenly spaced; objects of min_object_area pixels and more.

    strokes: "last" gives a method the strokes of the round, beside the present mask, as the published evaluation does;
    "all" those of the rounds before too. seed: of the robot's ties.
    """

    num_rounds: int = 3
    frames_per_sequence: int = 4
    min_object_area: int = 100
    strokes: Literal["last", "all"] = "last"
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("num_rounds", "frames_per_sequence", "min_object_area"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; give 1 or more")
        if self.seed < 0:
            raise ValueError(f"seed is {self.seed}; give 0 or more")
        if self.strokes not in ("last", "all"):
            raise ValueError(f"strokes is {self.strokes!r}; choose 'last' or 'all'")


@dataclass(frozen=True, kw_only=True, eq=False)
class Frame:
    """One frame to correct: `truth` uint8 ids (H, W), 255 where nothing is scored; `object_ids` are scored."""

    sequence: AnnotatedSequence
    number: int
    truth: np.ndarray
    object_ids: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Round:
    """One round: the strokes that were drawn in it, and the ids uint8 (H, W) that the method made of them."""

    strokes: tuple[Stroke, ...]
    ids: np.ndarray


@dataclass(frozen=True, kw_only=True)
class ObjectScores:
    """J and F of one object after each round, and its size."""

    sequence: str
    frame: str
    object_id: int
    area: int
    J: tuple[float, ...]
    F: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class MethodScores:
    """What a method reached. strokes: mean number of strokes a frame in each round."""

    objects: tuple[ObjectScores, ...] = field(repr=False)
    strokes: tuple[float, ...]

    def means(self, measure: str) -> tuple[float, ...]:
        """Mean of J or F over all objects, after each round."""
        return tuple(float(value) for value in np.mean([getattr(one, measure) for one in self.objects], axis=0))

    def shares_above(self, least: float) -> tuple[float, ...]:
        """Share of the objects whose J is at least this, after each round."""
        return tuple(float(value) for value in (np.array([one.J for one in self.objects]) >= least).mean(axis=0))


def frames_to_correct(sequences: Sequence[AnnotatedSequence], settings: RoundsSettings) -> list[Frame]:
    """Return the frames, those that show no object large enough left out; EvaluationError when none remains."""
    frames = []
    for sequence in sequences:
        for number in spread_over(sequence.num_frames, settings.frames_per_sequence):
            truth = sequence.read_labels(number)
            areas = np.bincount(truth.ravel(), minlength=256)
            areas[[0, IGNORE_ID]] = 0
            shown = tuple(int(value) for value in np.flatnonzero(areas >= settings.min_object_area))
            if shown:
                frames.append(Frame(sequence=sequence, number=number, truth=truth, object_ids=shown))
    if not frames:
        raise EvaluationError(
            f"no frame shows an object of {settings.min_object_area} pixels; give a smaller --min-object-area, or more "
            "--frames-per-sequence"
        )
    return frames


def spread_over(num_frames: int, count: int) -> list[int]:
    """Return `count` frame numbers below num_frames, each in the middle of its share of them; fewer where they meet."""
    return sorted({int(place * num_frames) for place in (np.arange(count) + 0.5) / count}) if num_frames else []


def correct_frame(method: Corrector, frame: Frame, settings: RoundsSettings) -> list[Round]:
    """Let the robot and a method correct a frame by turns; once nothing is left to draw, the ids stay."""
    rgb = frame.sequence.read_frame(frame.number)
    ids, drawn, rounds = np.zeros_like(frame.truth), [], []
    rng = np.random.default_rng(np.random.SeedSequence(settings.seed, spawn_key=(frame.number,)))
    for _ in range(settings.num_rounds):
        # Void is none of the ids, so whatever the mask says there is no error.
        strokes = robot_strokes(rng, frame.truth, ids, (0, *frame.object_ids), DAVIS_ROBOT)
        drawn = strokes if settings.strokes == "last" else drawn + strokes
        if strokes:
            ids = method(rgb, ids, drawn, frame.object_ids)
        rounds.append(Round(strokes=tuple(strokes), ids=ids))
    return rounds


def score_rounds(frame: Frame, rounds: Sequence[Round]) -> list[ObjectScores]:
    """Return the scores of a frame's objects after each round."""
    found = [measures(frame.truth, one.ids, frame.object_ids) for one in rounds]
    return [
        ObjectScores(
            sequence=frame.sequence.name,
            frame=frame.sequence.frame_names[frame.number],
            object_id=object_id,
            area=int(np.count_nonzero(frame.truth == object_id)),
            J=tuple(float(scores[object_id][0]) for scores in found),
            F=tuple(float(scores[object_id][1]) for scores in found),
        )
        for object_id in frame.object_ids
    ]


def summarise_rounds(scores: MethodScores) -> dict[str, Any]:
    """Plain numbers of a method, round by round."""
    return {
        "J": scores.means("J"),
        "F": scores.means("F"),
        "share_J_0.8": scores.shares_above(0.8),
        "strokes_per_frame": scores.strokes,
        "objects": [vars(one) for one in scores.objects],
    }
