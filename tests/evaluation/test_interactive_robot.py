"""Where the robot of the interactive benchmark draws, and by what chance."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from reaching_session import HEIGHT, NUM_FRAMES, WIDTH, ReachingSession, first_sample, played, world
from vosforge.datagen.simulation.robot.robot import robot_strokes
from vosforge.train.evaluation.interactive import play
from vosforge.train.evaluation.interactive.play import play_sample
from vosforge.train.evaluation.interactive.protocol import ProtocolSettings


def test_robot_draws_on_the_worst_frame_the_first_of_equals():
    record, _ = played(ReachingSession(reach=1), frame=4, num_interactions=4)
    # Frames 3 to 5 are right after the first round, then 0 and 1, then 2, then 6 and 7.
    assert [one.frame for one in record.interactions] == [4, 0, 2, 6]
    assert record.interacted_frames() == (4, 0, 2, 6)


def test_robot_does_not_come_back_to_a_frame_that_stays_the_worst():
    class NeverRightAtFirst(ReachingSession):
        def masks(self, t):
            return super().masks(t) if t else np.zeros((HEIGHT, WIDTH), np.uint8)

    record, _ = played(NeverRightAtFirst(reach=NUM_FRAMES), frame=4, num_interactions=4)
    assert [one.frame for one in record.interactions] == [4, 0, 1, 2]


@pytest.mark.parametrize(("metric", "worst"), [("J", 2), ("F", 6), ("J_AND_F", 6)])
def test_the_metric_says_which_frame_is_the_worst(metric, worst):
    class OneMissedOneTooLarge(ReachingSession):
        """Frame 2 lacks an object: J and F .5. In frame 6 both are 2 pixels too large on all sides: J .6, F 0."""

        def masks(self, t):
            found = super().masks(t)
            if t == 2:
                found[found == 2] = 0
            return cv2.dilate(found, np.ones((5, 5), np.uint8)) if t == 6 else found

    record, _ = played(OneMissedOneTooLarge(reach=NUM_FRAMES), num_interactions=2, metric=metric)
    assert record.interactions[1].frame == worst


def test_chance_of_the_robot_is_that_of_seed_set_and_round(monkeypatch):
    def chances(seed, scribble_set):
        found = []

        def robot(rng, *given):
            found.append(rng.random())
            return robot_strokes(rng, *given)

        monkeypatch.setattr(play, "robot_strokes", robot)
        sequence = world()
        sample = replace(first_sample(sequence), scribble_set=scribble_set)
        session = ReachingSession(reach=0)
        play_sample(session, sequence, sample, ProtocolSettings(num_interactions=3, seed=seed), now=session.time)
        return found

    found = [*chances(0, 1), *chances(0, 2), *chances(1, 1)]
    assert len(found) == len(set(found)) == 6
    assert found[:2] == chances(0, 1)
