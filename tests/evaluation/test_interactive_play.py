"""One session of the interactive benchmark, played by a session that is exact as far as it reaches."""

import numpy as np
import pytest
from reaching_session import HEIGHT, NUM_FRAMES, WIDTH, ReachingSession, first_sample, labels, played, world
from vosforge.datagen.simulation.robot.robot import robot_strokes
from vosforge.train.evaluation.interactive import play
from vosforge.train.evaluation.interactive.play import play_sample
from vosforge.train.evaluation.interactive.protocol import FixedClock, ProtocolSettings
from vosforge.train.evaluation.interactive.samples import Sample
from vosforge.train.evaluation.metrics import measures
from vosforge.train.evaluation.sequences import AnnotatedSequence


def test_frames_that_are_right_score_one_and_the_others_zero():
    record, masks = played(ReachingSession(reach=1), frame=4, num_interactions=1)
    expected = [1.0 if 3 <= t <= 5 else 0.0 for t in range(NUM_FRAMES)]
    for values in (record.interactions[0].jaccard, record.interactions[0].contour):
        assert values.tolist() == [[value, value] for value in expected]
    assert [np.array_equal(masks[t], labels(t)) for t in range(NUM_FRAMES)] == [value == 1 for value in expected]


def test_scores_are_those_of_every_frame_though_only_changed_ones_are_scored_again():
    record, masks = played(ReachingSession(reach=2, shift=2), num_interactions=3)
    last = record.interactions[-1]
    for t in range(NUM_FRAMES):
        found = measures(labels(t), masks[t], (1, 2))
        assert [tuple(pair) for pair in zip(last.jaccard[t], last.contour[t], strict=True)] == list(found.values())


def test_three_frames_are_drawn_on_three_times_and_propagated_after_the_third_and_the_last():
    # The robot has nothing to add where the truth is reached at once, so the answer here is a little off.
    session = ReachingSession(reach=1, shift=5)
    record, _ = played(session, schedule="three-frames")
    assert [one.frame for one in record.interactions] == [0, 0, 0, 2, 2, 2, 4, 4]
    order = [call[0] for call in session.calls if call[0] in ("interact", "propagate")]
    assert order == ["interact"] * 3 + ["propagate"] + ["interact"] * 3 + ["propagate"] + ["interact"] * 2 + [
        "propagate"
    ]


def test_between_propagations_only_the_drawn_frame_changes():
    record, _ = played(ReachingSession(reach=9), schedule="three-frames", num_interactions=4)
    assert [one.jaccard.mean(axis=1).tolist() for one in record.interactions[:2]] == [[1.0] + [0.0] * 8] * 2
    assert record.interactions[2].jaccard.min() == 1.0


def test_each_round_is_committed_so_that_only_its_own_strokes_count():
    session = ReachingSession()
    played(session, num_interactions=3)
    assert session.count("commit") == session.count("interact") == 3
    session = ReachingSession()
    played(session, num_interactions=3, strokes="all")
    assert session.count("commit") == 0


def test_strokes_reach_the_session_by_object():
    session = ReachingSession()
    played(session, num_interactions=1)
    (_, frame, inputs), *_ = [call for call in session.calls if call[0] == "interact"]
    assert frame == 0 and set(inputs) == {1, 2}
    for object_id, scribbles in inputs.items():
        assert {stroke.object_id for stroke in scribbles.strokes} == {object_id}


def test_an_oracle_is_given_true_masks():
    session = ReachingSession()
    played(session, num_interactions=1, true_masks=True)
    (_, frame, inputs), *_ = [call for call in session.calls if call[0] == "interact"]
    assert all(np.array_equal(mask, labels(frame) == i) for i, mask in inputs.items())


def test_when_nothing_is_left_to_draw_the_masks_stay_and_rounds_go_on():
    session = ReachingSession(reach=NUM_FRAMES)
    record, _ = played(session, num_interactions=4)
    assert session.count("interact") == session.count("propagate") == 1
    assert [one.num_strokes for one in record.interactions][1:] == [0, 0, 0]
    assert all(one.jaccard.min() == 1 for one in record.interactions)


def test_a_round_takes_what_the_session_took():
    session = ReachingSession(start_seconds=2, interact_seconds=3, propagate_seconds=5)
    record, _ = played(session, num_interactions=2)
    assert [one.seconds for one in record.interactions] == [10, 8]


def test_a_round_past_the_limit_is_not_scored_and_ends_the_session():
    # Two objects and three rounds of 4 s: 24 s in all, and 9 s a round.
    session = ReachingSession(reach=0, interact_seconds=9)
    record, masks = played(session, num_interactions=3, seconds_per_object=4)
    assert record.timed_out and len(record.interactions) == 2
    assert session.count("interact") == 3
    drawn_in_time = record.interacted_frames()
    assert [t for t in range(NUM_FRAMES) if masks[t].any()] == sorted(drawn_in_time)


def test_time_of_the_robot_counts_for_the_limit_but_not_for_the_round(monkeypatch):
    session = ReachingSession(reach=0, interact_seconds=1)

    def slow_robot(*given):
        session.time.seconds += 20
        return robot_strokes(*given)

    monkeypatch.setattr(play, "robot_strokes", slow_robot)
    record, _ = played(session, num_interactions=3, seconds_per_object=4)
    assert record.timed_out
    assert [one.seconds for one in record.interactions] == [1, 1]
    assert record.robot_seconds == 40


def test_without_a_limit_no_session_ends_early():
    record, _ = played(ReachingSession(interact_seconds=1e6), num_interactions=3, seconds_per_object=None)
    assert len(record.interactions) == 3 and not record.timed_out


def test_a_fixed_clock_charges_work_whatever_time_it_took():
    session = ReachingSession(reach=1, interact_seconds=1e6)
    clock = FixedClock(seconds_per_correction=1, seconds_per_frame=0.1)
    record, _ = played(session, frame=4, num_interactions=2, clock=clock)
    # Two objects: one correction each, and two frames each beside the drawn one; then 1, 3, 5 around 0 and 4.
    assert [one.seconds for one in record.interactions] == pytest.approx([2.4, 2.6])
    # True masks are not made of strokes.
    record, _ = played(ReachingSession(reach=1), frame=4, num_interactions=2, clock=clock, true_masks=True)
    assert [one.seconds for one in record.interactions] == pytest.approx([0.4, 0.6])
    late = FixedClock(seconds_per_correction=40, seconds_per_frame=0)
    assert played(ReachingSession(), num_interactions=2, clock=late)[0].timed_out


def test_frames_without_annotation_are_neither_scored_nor_drawn_on():
    record, _ = played(ReachingSession(reach=0), sequence=world(annotated=(0, 4, 8)), num_interactions=4)
    assert record.frames == (0, 4, 8)
    assert record.interactions[0].jaccard.shape == (3, 2)
    assert {one.frame for one in record.interactions} == {0, 4, 8}


def test_void_is_not_drawn_on():
    def with_void(t):
        found = labels(t)
        found[20:] = 255
        return found

    sequence = AnnotatedSequence(
        name="void",
        frame_names=tuple("abc"),
        read_frame=lambda t: np.zeros((HEIGHT, WIDTH, 3), np.uint8),
        read_luma=lambda t: np.zeros((HEIGHT, WIDTH), np.uint8),
        read_labels=with_void,
    )
    session = ReachingSession(reach=9)
    session.object_ids = (1,)
    sample = Sample(
        sequence="void",
        scribble_set=1,
        object_ids=(1,),
        frame=0,
        strokes=first_sample(world()).strokes[:1],
        source="robot",
    )
    # What the session says on void (object 2 of the other world) is no error of object 1, nor of the background.
    record, _ = play_sample(session, sequence, sample, ProtocolSettings(num_interactions=2), now=session.time)
    assert record.interactions[1].num_strokes == 0
