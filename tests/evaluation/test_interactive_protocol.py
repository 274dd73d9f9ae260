"""The rules of the interactive benchmark: its settings, its time limit, and which frame comes next."""

import numpy as np
import pytest
from vosforge.train.evaluation.interactive.frame_choice import next_frame
from vosforge.train.evaluation.interactive.protocol import ProtocolSettings


def test_three_frames_propagate_after_every_third_round_and_the_last():
    settings = ProtocolSettings(schedule="three-frames")
    assert [k for k in range(1, 9) if settings.propagates_after(k)] == [3, 6, 8]
    assert all(ProtocolSettings().propagates_after(k) for k in range(1, 9))


def test_time_limit_is_of_all_rounds_and_objects():
    assert ProtocolSettings().time_limit(1) == 240
    assert ProtocolSettings(num_interactions=2, seconds_per_object=5).time_limit(3) == 30
    assert ProtocolSettings(seconds_per_object=None).time_limit(3) is None


def test_next_frame_leaves_out_the_robots_frames_while_others_remain():
    quality = np.array([0.1, 0.2, 0.3])
    assert next_frame(quality, (0, 1, 2), []) == 0
    assert next_frame(quality, (0, 1, 2), [0]) == 1
    assert next_frame(quality, (0, 1, 2), [0, 1, 2]) == 0
    assert next_frame(quality, (0, 1, 2), [0], (0, 2)) == 2
    assert next_frame(quality, (0, 1, 2), [2], (2,)) == 2


def test_next_frame_goes_by_the_numbers_of_the_scored_frames():
    assert next_frame(np.array([0.5, 0.4]), (3, 7), []) == 7
    with pytest.raises(ValueError, match="no frame to draw on"):
        next_frame(np.array([0.5, 0.4]), (3, 7), [], (5,))


@pytest.mark.parametrize(
    "given",
    [
        {"num_interactions": 0},
        {"num_scribble_sets": 0},
        {"seconds_per_object": 0},
        {"threshold_seconds": -1},
        {"metric": "IoU"},
        {"schedule": "two-frames"},
        {"strokes": "some"},
        {"seed": -1},
    ],
)
def test_settings_that_make_no_sense_are_refused(given):
    with pytest.raises(ValueError, match=next(iter(given))):
        ProtocolSettings(**given)
