"""Plays one session of the benchmark: the robot draws, the session answers, the clock runs, the masks are scored."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ....datagen.simulation.robot.robot import robot_strokes
from ....datagen.simulation.robot.strokes import Stroke
from ...inference.session.frames import CallableFrames
from ..metrics import measures
from ..sequences import AnnotatedSequence, read_frame_of_size
from .frame_choice import next_frame
from .protocol import FixedClock, ProtocolSettings
from .records import InteractionScores, SampleRecord
from .samples import Sample, robot_rng

if TYPE_CHECKING:
    from ...inference.session.protocol import Session


def play_sample(
    session: Session,
    sequence: AnnotatedSequence,
    sample: Sample,
    settings: ProtocolSettings,
    *,
    true_masks: bool = False,
    clock: FixedClock | None = None,
    now: Callable[[], float] = time.perf_counter,
    on_round: Callable[[], None] = lambda: None,
) -> tuple[SampleRecord, np.ndarray]:
    """Return what the session reached, and its masks after the last round that ended in time: uint8 ids (T, H, W).

    true_masks: frames get their true masks instead of strokes (an oracle). clock: charges work; without it the time
    until all masks are there counts, for the first round from the start of the session. on_round: called after each
    round that ended in time.
    A round in which the robot finds nothing to draw leaves the masks as they are. One that ends past the time limit is
    not scored and ends the session.
    """
    scored, object_ids = sequence.annotated_frames, sample.object_ids
    size = sequence.read_labels(scored[0]).shape
    frames = CallableFrames(sequence.num_frames, lambda t: read_frame_of_size(sequence, t, size))
    masks = np.zeros((sequence.num_frames, *size), np.uint8)
    scorer, robot = _Scorer(sequence, object_ids), _Robot(sequence, sample, settings, now)
    watch = _Watch(clock, now, settings.time_limit(len(object_ids)), len(object_ids))
    frame, strokes = sample.frame, sample.strokes
    interactions: list[InteractionScores] = []
    pending = False
    for number in range(1, settings.num_interactions + 1):
        watch.begin_round()
        if number == 1:
            session.start(frames, object_ids)
        if true_masks or strokes:
            given = sequence.read_truth(frame) if true_masks else strokes
            _answer(session, frame, given, object_ids, settings)
            pending = True
        num_propagated = 0
        if pending and settings.propagates_after(number):
            num_propagated = sum(t != frame for t, _ in session.propagate())
            pending = False
        answered = np.stack([session.masks(t) for t in range(sequence.num_frames)])
        # True masks are not made of strokes, so a clock that charges work has nothing to charge for them.
        seconds = watch.end_round(bool(strokes) and not true_masks, num_propagated)
        if watch.is_late:
            break
        masks = answered
        jaccard, contour = scorer.score(masks)
        interactions.append(
            InteractionScores(frame=frame, num_strokes=len(strokes), seconds=seconds, jaccard=jaccard, contour=contour)
        )
        on_round()
        if number < settings.num_interactions:
            frame, strokes = robot.draw(number, interactions[-1], masks)
    record = SampleRecord(
        sequence=sequence.name,
        scribble_set=sample.scribble_set,
        object_ids=object_ids,
        frames=scored,
        interactions=tuple(interactions),
        timed_out=watch.is_late,
        robot_seconds=robot.seconds,
        module_seconds=_module_seconds(session),
    )
    return record, masks


def _answer(
    session: Session,
    frame: int,
    given: Sequence[Stroke] | np.ndarray,
    object_ids: Sequence[int],
    settings: ProtocolSettings,
) -> None:
    """Let the session correct a frame; the masks stand at once where only the newest strokes count."""
    from ...inference.session.protocol import Scribbles

    if isinstance(given, np.ndarray):
        inputs = {i: given == i for i in object_ids}
    else:
        drawn = dict.fromkeys(stroke.object_id for stroke in given)
        inputs = {i: Scribbles(strokes=tuple(stroke for stroke in given if stroke.object_id == i)) for i in drawn}
    session.interact(frame, inputs)
    if settings.strokes == "last":
        session.commit()


def _module_seconds(session: Session) -> dict[str, tuple[float, int]]:
    """Seconds and pairs of frame and object of each module, where a session counts them."""
    times = getattr(session, "module_times", {})
    return {name: (one.seconds, one.frame_objects) for name, one in times.items()}


class _Watch:
    """Measures the rounds, and knows when the session is over its limit.

    As in the benchmark, a round lasts from the strokes to the masks, while the limit is on all time since the session
    began, the robot's and the scoring's included. With a clock that charges work only that counts.
    """

    def __init__(
        self, clock: FixedClock | None, now: Callable[[], float], limit: float | None, num_objects: int
    ) -> None:
        self._clock, self._now, self._limit, self._num_objects = clock, now, limit, num_objects
        self._session_begun = self._round_begun = now()
        self._charged = 0.0
        self.is_late = False

    def begin_round(self) -> None:
        self._round_begun = self._now()

    def end_round(self, corrected: bool, num_propagated_frames: int) -> float:
        """The seconds that the round took."""
        if self._clock is None:
            ended = self._now()
            seconds, spent = ended - self._round_begun, ended - self._session_begun
        else:
            seconds = self._clock.seconds(self._num_objects, corrected, num_propagated_frames)
            self._charged += seconds
            spent = self._charged
        self.is_late = self._limit is not None and spent > self._limit
        return seconds


class _Robot:
    """Chooses the next frame and draws on what is wrong there. seconds: what that took in all."""

    def __init__(
        self, sequence: AnnotatedSequence, sample: Sample, settings: ProtocolSettings, now: Callable[[], float]
    ) -> None:
        self._sequence, self._sample, self._settings, self._now = sequence, sample, settings, now
        self._drawn_on: list[int] = []
        self.seconds = 0.0

    def draw(self, number: int, scores: InteractionScores, masks: np.ndarray) -> tuple[int, tuple[Stroke, ...]]:
        """The frame and the strokes after interaction `number`, which left these scores and masks (T, H, W)."""
        started, settings = self._now(), self._settings
        quality = scores.values(settings.metric).mean(axis=1)
        # Until the masks are propagated only the drawn frame is asked for again.
        candidates = None if settings.propagates_after(number) else (scores.frame,)
        frame = next_frame(quality, self._sequence.annotated_frames, self._drawn_on, candidates)
        self._drawn_on.append(frame)
        rng = robot_rng(settings.seed, self._sequence.name, self._sample.scribble_set, number)
        # Labels keep void pixels apart, which are no error of the background.
        labels, ids = self._sequence.read_labels(frame), (0, *self._sample.object_ids)
        strokes = robot_strokes(rng, labels, masks[frame], ids, settings.robot)
        self.seconds += self._now() - started
        return frame, tuple(strokes)


class _Scorer:
    """Scores masks round by round, and only the frames whose masks have changed."""

    def __init__(self, sequence: AnnotatedSequence, object_ids: Sequence[int]) -> None:
        self._sequence, self._object_ids = sequence, object_ids
        self._masks: np.ndarray | None = None
        self._scores = np.zeros((2, len(sequence.annotated_frames), len(object_ids)))

    def score(self, masks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """J and F of uint8 ids (T, H, W): float64 (annotated frames, objects) each."""
        for row, t in enumerate(self._sequence.annotated_frames):
            if self._masks is not None and np.array_equal(self._masks[t], masks[t]):
                continue
            found = measures(self._sequence.read_labels(t), masks[t], self._object_ids)
            self._scores[:, row] = np.array([found[i] for i in self._object_ids]).T
        self._masks = masks
        jaccard, contour = self._scores.copy()
        return jaccard, contour
