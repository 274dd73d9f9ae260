"""The summary of the interactive benchmark: curve, area under it, value at 60 s, and the quality by distance."""

import csv

import numpy as np
import pytest
from vosforge.train.evaluation.interactive.distances import quality_by_distance
from vosforge.train.evaluation.interactive.protocol import ProtocolSettings
from vosforge.train.evaluation.interactive.records import InteractionScores, SampleRecord, write_csv
from vosforge.train.evaluation.interactive.summary import (
    Curve,
    curve_summary,
    end_curve,
    quality_curve,
    summarise_session,
)

# The curves that the authors of ATNet (Heo et al., ECCV 2020) published for DAVIS 2017 val, in seconds.
ATNET_J_AND_F = (
    (9.487896331151326, 0.690892643367614),
    (16.278953917821248, 0.7512954328742666),
    (21.859388258722092, 0.7875513696076725),
    (26.12112567424774, 0.8018014877265979),
    (29.627880615658228, 0.809771518288365),
    (32.95456397533417, 0.8169255790804818),
    (35.73726238409678, 0.822880847995248),
    (38.56137614780002, 0.8271279419489322),
)
ATNET_J = (
    (9.543367825614082, 0.6634230419673162),
    (16.36207738187578, 0.7219753407865033),
    (21.817193643252054, 0.7551480870563894),
    (26.396136294470892, 0.7675534925001973),
    (29.93320824040307, 0.7759233108062968),
    (33.12130610413021, 0.78285585613275),
    (35.9824918879403, 0.787008686963769),
    (38.66884519788954, 0.7895668677930413),
)


def record(rounds, *, sequence="a", scribble_set=1, num_objects=1, frames=(0, 1), drawn_on=None, timed_out=False):
    """A session of rounds (seconds, J of all frames and objects); F is J."""
    interactions = []
    for number, (seconds, value) in enumerate(rounds):
        values = np.broadcast_to(np.asarray(value, float), (len(frames), num_objects)).copy()
        interactions.append(
            InteractionScores(
                frame=0 if drawn_on is None else drawn_on[number],
                num_strokes=1,
                seconds=seconds,
                jaccard=values,
                contour=values,
            )
        )
    return SampleRecord(
        sequence=sequence,
        scribble_set=scribble_set,
        object_ids=tuple(range(1, num_objects + 1)),
        frames=tuple(frames),
        interactions=tuple(interactions),
        timed_out=timed_out,
    )


@pytest.mark.parametrize(
    ("published", "metric", "auc", "at_60"),
    [
        (ATNET_J_AND_F, "J_AND_F", 0.8150432614019845, 0.8271279419489322),
        (ATNET_J, "J", 0.7781946615240677, 0.7895668677930413),
    ],
)
def test_published_curves_have_their_published_areas(published, metric, auc, at_60):
    seconds, values = np.array(published).T
    val_limit = ProtocolSettings().time_limit(61 / 30)
    assert val_limit == pytest.approx(488)
    summary = curve_summary(end_curve(seconds, values, val_limit), 60, metric)
    assert summary["auc"] == pytest.approx(auc, abs=1e-12)
    assert summary["metric_at_threshold"] == {"threshold": 60, metric: pytest.approx(at_60, abs=1e-12)}
    assert len(summary["curve"]["time"]) == len(summary["curve"][metric]) == 10
    assert summary["curve"]["time"][-1] == pytest.approx(488)


def test_area_of_a_curve_made_by_hand():
    # A triangle of 10 s up to 0.5, then flat for 10 s: (2.5 + 5) / 20.
    curve = end_curve(np.array([10.0]), np.array([0.5]), 20.0)
    assert curve.area() == pytest.approx(0.375)
    assert curve.at(5) == pytest.approx(0.25)
    assert curve.at(60) == 0.5


def test_a_curve_without_time_has_no_area():
    assert Curve(seconds=np.zeros(3), values=np.ones(3)).area() == 0


def test_seconds_add_up_over_rounds_and_average_over_sessions():
    settings = ProtocolSettings(num_interactions=2)
    curve = quality_curve([record([(1, 0.5), (2, 0.6)]), record([(3, 0.5), (4, 0.8)])], settings, "J")
    assert curve.seconds.tolist() == [0, 2, 5, 60]
    assert curve.values.tolist() == pytest.approx([0, 0.5, 0.7, 0.7])


def test_every_object_weighs_the_same_and_every_session_takes_its_own_time():
    settings = ProtocolSettings(num_interactions=1)
    curve = quality_curve([record([(2, 1.0)], num_objects=3), record([(4, 0.0)])], settings, "J")
    assert curve.values[1] == pytest.approx(3 / 4)
    assert curve.seconds.tolist() == [0, 3, 60]


def test_a_round_that_did_not_happen_keeps_the_last_value_and_takes_no_time():
    settings = ProtocolSettings(num_interactions=3)
    played = [record([(1, 0.4), (1, 0.6), (1, 0.8)]), record([(3, 0.4)], timed_out=True), record([], timed_out=True)]
    curve = quality_curve(played, settings, "J")
    assert curve.values[1:-1].tolist() == pytest.approx([0.8 / 3, 1.0 / 3, 1.2 / 3])
    assert curve.seconds[1:-1].tolist() == pytest.approx([4 / 3, 5 / 3, 2])


def test_without_a_limit_all_rounds_last_as_long_as_the_longest():
    settings = ProtocolSettings(num_interactions=2, seconds_per_object=None)
    assert quality_curve([record([(1, 0.5), (7, 0.5)])], settings, "J").seconds[-1] == 14


def test_summary_has_the_keys_of_the_benchmark():
    summary = summarise_session([record([(1, 0.5)])], ProtocolSettings(num_interactions=1), "J_AND_F")
    assert list(summary) == ["auc", "metric_at_threshold", "curve"]
    assert list(summary["metric_at_threshold"]) == ["threshold", "J_AND_F"]
    assert list(summary["curve"]) == ["time", "J_AND_F"]


def test_the_summary_follows_from_the_rows_of_the_csv(tmp_path):
    rng = np.random.default_rng(3)
    settings = ProtocolSettings(num_interactions=3)
    sessions = [
        record(
            [(float(rng.random()), rng.random((4, num_objects))) for _ in range(num_rounds)],
            sequence=name,
            scribble_set=scribble_set,
            num_objects=num_objects,
            frames=range(4),
        )
        for name, num_objects, num_rounds in (("a", 1, 3), ("b", 3, 2))
        for scribble_set in (1, 2)
    ]
    with open(write_csv(tmp_path / "result.csv", sessions, "x"), newline="") as file:
        rows = list(csv.DictReader(file))
    curve_values, curve_seconds = [0.0], [0.0]
    for interaction in ("1", "2", "3"):
        means, timings = {}, {}
        for row in rows:
            # What a session lacks is filled with its last round, which took its time before.
            last = max(r["interaction"] for r in rows if same_session(r, row))
            if row["interaction"] == min(interaction, last):
                session = row["sequence"], row["scribble_idx"]
                means.setdefault((*session, row["object_id"]), []).append(float(row["j_and_f"]))
                timings[session] = float(row["timing"]) if row["interaction"] == interaction else 0.0
        curve_values.append(np.mean([np.mean(values) for values in means.values()]))
        curve_seconds.append(curve_seconds[-1] + np.mean(list(timings.values())))
    found = quality_curve(sessions, settings, "J_AND_F")
    # One and three objects, two sessions each: two objects on average, of 90 s each.
    assert found.seconds.tolist() == pytest.approx([*curve_seconds, 180])
    assert found.values.tolist() == pytest.approx([*curve_values, curve_values[-1]])


def same_session(one, other):
    return (one["sequence"], one["scribble_idx"]) == (other["sequence"], other["scribble_idx"])


def test_no_session_cannot_be_summarised():
    with pytest.raises(ValueError, match="at least one"):
        quality_curve([], ProtocolSettings(), "J")


def test_distance_is_to_the_nearest_drawn_frame():
    values = np.array([[0.9], [0.7], [0.5], [0.6], [0.8]])
    one = record([(1, values / 2), (1, values)], frames=range(5), drawn_on=[0, 4])
    at_the_end = quality_by_distance([one], "J")
    assert at_the_end.distances.tolist() == [0, 1, 2]
    assert at_the_end.values.tolist() == pytest.approx([0.85, 0.65, 0.5])
    assert at_the_end.counts.tolist() == [2, 2, 1]
    after_one = quality_by_distance([one], "J", 1)
    assert after_one.distances.tolist() == [0, 1, 2, 3, 4]
    assert after_one.values.tolist() == pytest.approx((values[:, 0] / 2).tolist())


def test_a_session_without_a_round_has_no_distance():
    assert quality_by_distance([record([])], "J").distances.size == 0
