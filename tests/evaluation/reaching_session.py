"""A session of the interactive benchmark that is exact as far as it reaches, and a world of two squares to play in."""

import numpy as np
from vosforge.datagen.simulation.robot.robot import robot_strokes
from vosforge.train.evaluation.interactive.play import play_sample
from vosforge.train.evaluation.interactive.protocol import ProtocolSettings
from vosforge.train.evaluation.interactive.samples import Sample
from vosforge.train.evaluation.sequences import AnnotatedSequence

HEIGHT, WIDTH, NUM_FRAMES = 40, 60, 9


def labels(t):
    ids = np.zeros((HEIGHT, WIDTH), np.uint8)
    ids[4:16, 3 + t : 19 + t] = 1
    ids[22:36, 30 - t : 44 - t] = 2
    return ids


def world(num_frames=NUM_FRAMES, **given):
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    return AnnotatedSequence(
        name="world",
        frame_names=tuple(f"{t:05d}" for t in range(num_frames)),
        read_frame=lambda t: picture,
        read_luma=lambda t: picture[..., 0],
        read_labels=labels,
        **given,
    )


class Time:
    """A clock that only the session and the robot move."""

    def __init__(self):
        self.seconds = 100.0

    def __call__(self):
        return self.seconds


class ReachingSession:
    """Answers with the truth on the drawn frame, and carries it so many frames to either side, exactly.

    shift: pixels that the answer on the drawn frame lies too far right.
    """

    def __init__(self, reach=1, time=None, start_seconds=0.0, interact_seconds=0.0, propagate_seconds=0.0, shift=0):
        self.reach, self.time, self.shift, self.calls = reach, time or Time(), shift, []
        self.seconds = {"start": start_seconds, "interact": interact_seconds, "propagate": propagate_seconds}

    def spend(self, call, *given):
        self.calls.append((call, *given))
        self.time.seconds += self.seconds.get(call, 0.0)

    def start(self, frames, object_ids):
        self.num_frames, self.object_ids, self.drawn = frames.num_frames, tuple(object_ids), []
        self.shown = {}
        self.spend("start")

    def interact(self, frame, inputs, region=None):
        self.drawn.append(frame)
        self.shown[frame] = np.roll(labels(frame), self.shift, axis=1)
        self.spend("interact", frame, inputs)
        return self.shown[frame]

    def commit(self):
        self.spend("commit")

    def propagate(self):
        self.spend("propagate")
        for t in range(self.num_frames):
            if t not in self.drawn and min(abs(t - d) for d in self.drawn) <= self.reach:
                self.shown[t] = labels(t)
                yield t, labels(t)

    def masks(self, t):
        return self.shown.get(t, np.zeros((HEIGHT, WIDTH), np.uint8)).copy()

    def count(self, call):
        return sum(found[0] == call for found in self.calls)


def first_sample(sequence, frame=0):
    truth = sequence.read_truth(frame)
    strokes = robot_strokes(np.random.default_rng(0), truth, np.zeros_like(truth), (1, 2))
    return Sample(
        sequence=sequence.name,
        scribble_set=1,
        object_ids=(1, 2),
        frame=frame,
        strokes=tuple(strokes),
        source="robot",
    )


def played(session, frame=0, sequence=None, true_masks=False, clock=None, **settings):
    sequence = sequence or world()
    return play_sample(
        session,
        sequence,
        first_sample(sequence, frame),
        ProtocolSettings(**settings),
        true_masks=true_masks,
        clock=clock,
        now=session.time,
    )
