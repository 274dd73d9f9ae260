import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from mask_worlds import SEEDS, box, disc, mask_pairs, masks
from vosforge.datagen.simulation.scribbles.correction_sample import CorrectionSettings, sample_correction
from vosforge.datagen.simulation.scribbles.region_scribbles import RegionScribbleSettings
from vosforge.datagen.simulation.scribbles.scribble_mixture import MixtureSettings, robot_scribbles, simulate_scribbles

QUICK = settings(max_examples=30, deadline=None)
NO_FREE_CURVES = MixtureSettings(free_curves_probability=0.0, min_free_area=10**9)
REGION_ALONE = MixtureSettings(robot_probability=0.0, free_curves_probability=0.0, min_free_area=10**9)
STRAYING = MixtureSettings(region=RegionScribbleSettings(keep_inside=False))


@given(pair=mask_pairs(), seed=SEEDS)
@QUICK
def test_positive_lies_on_the_object_and_negative_off_it(pair, seed):
    true_mask, current_mask = pair
    user = simulate_scribbles(np.random.default_rng(seed), true_mask, current_mask)
    assert user.positive.dtype == user.negative.dtype == bool
    assert not (user.positive & ~true_mask).any() and not (user.negative & true_mask).any()


@given(pair=mask_pairs(), seed=SEEDS)
@QUICK
def test_region_procedure_draws_on_errors_alone(pair, seed):
    true_mask, current_mask = pair
    user = simulate_scribbles(np.random.default_rng(seed), true_mask, current_mask, REGION_ALONE)
    assert not (user.positive & ~(true_mask & ~current_mask)).any()
    assert not (user.negative & ~(current_mask & ~true_mask)).any()


@given(pair=mask_pairs(), seed=SEEDS)
@QUICK
def test_user_states_none_exactly_when_nothing_is_drawn(pair, seed):
    for settings_ in (MixtureSettings(), NO_FREE_CURVES):
        user = simulate_scribbles(np.random.default_rng(seed), *pair, settings_)
        if user.is_empty:
            assert not user.positive.any() and not user.negative.any()
        else:
            assert user.positive.any() or user.negative.any()


@given(pair=mask_pairs(), seed=SEEDS)
@QUICK
def test_identical_seeds_give_identical_samples(pair, seed):
    first, second = (sample_correction(np.random.default_rng(seed), *pair) for _ in range(2))
    assert (first.current_mask == second.current_mask).all() and first.user.kinds == second.user.kinds
    assert (first.user.positive == second.user.positive).all() and (first.user.negative == second.user.negative).all()


@given(true_mask=masks(), seed=SEEDS)
@QUICK
def test_empty_mask_is_the_first_round(true_mask, seed):
    users = [
        simulate_scribbles(np.random.default_rng(seed), true_mask, current)
        for current in (None, np.zeros_like(true_mask))
    ]
    assert (users[0].positive == users[1].positive).all() and users[0].kinds == users[1].kinds
    assert "robot" not in users[0].kinds


def test_robot_and_free_curves_come_as_often_as_published():
    true_mask, current_mask = disc(96, 40), disc(96, 25, 40, 60)
    kinds = [simulate_scribbles(np.random.default_rng(s), true_mask, current_mask).kinds for s in range(150)]
    assert 0.65 < np.mean(["robot" in k for k in kinds]) < 0.85
    assert not any("robot" in k and "free-curves" in k for k in kinds)
    first_kinds = [simulate_scribbles(np.random.default_rng(s), true_mask, None).kinds for s in range(150)]
    assert 0.25 < np.mean(["free-curves" in k for k in first_kinds]) < 0.5  # also where the boundary is eroded away


def test_first_round_has_negative_scribbles_only_as_free_curves():
    for seed in range(40):
        user = simulate_scribbles(np.random.default_rng(seed), disc(96, 30), None)
        assert user.negative.any() == ("free-curves" in user.kinds)


def test_perfect_mask_gets_free_curves_and_nothing_from_the_robot():
    mask, pixel = disc(96, 30), box(5, 5, 2, 2, 3, 3)
    users = [simulate_scribbles(np.random.default_rng(seed), mask, mask) for seed in range(20)]
    assert {user.kinds for user in users} == {(), ("free-curves", "free-curves")}
    assert all(user.positive.any() == user.negative.any() == bool(user.kinds) for user in users)
    assert simulate_scribbles(np.random.default_rng(0), pixel, pixel).is_empty


def test_robot_strokes_are_as_wide_as_published():
    drawn, kinds = robot_scribbles(np.random.default_rng(0), box(80, 160, 30, 10, 61, 150))
    assert kinds == ("robot",)
    assert set(drawn[:, 60:100].sum(axis=0)) <= {3, 4} and drawn[40:51, 60:100].any(axis=0).all()


def test_straying_scribbles_stay_near():
    true_mask, current_mask = disc(96, 40), disc(96, 25, 40, 60)
    stray = 0
    for seed in range(40):
        user = simulate_scribbles(np.random.default_rng(seed), true_mask, current_mask, STRAYING)
        distance = cv2.distanceTransform((~true_mask).astype(np.uint8), cv2.DIST_L2, 3)
        stray = max(stray, distance[user.positive].max(initial=0))
    assert 0 < stray < 12


def test_samples_start_from_zero_as_often_as_published():
    mask = disc(64, 20)
    samples = [sample_correction(np.random.default_rng(seed), mask) for seed in range(150)]
    assert 0.23 < np.mean([not s.current_mask.any() for s in samples]) < 0.43
    assert all(s.user.positive.shape == mask.shape for s in samples)


def test_other_object_lends_its_scribbles_or_its_mask():
    true_mask, other = box(100, 100, 20, 5, 80, 45), box(100, 100, 20, 55, 80, 95)
    settings_ = CorrectionSettings(from_zero_probability=0, other_probability=1)
    mask_added, negative_added = 0, 0
    for seed in range(40):
        sample = sample_correction(np.random.default_rng(seed), true_mask, other, settings_)
        assert not (sample.user.negative & true_mask).any()
        mask_added += np.count_nonzero(sample.current_mask & other) > 500
        negative_added += (sample.user.negative & other).any() and not (sample.current_mask & other).sum() > 500
    assert 10 < mask_added < 30 and negative_added > 8


@pytest.mark.parametrize("sequence", ["blackswan", "camel"])
def test_real_objects_are_corrected_on_the_right_side(shared_data, sequence):
    ids = cv2.imread(str(shared_data / "davis/Annotations/480p" / sequence / "00010.png"), cv2.IMREAD_UNCHANGED)
    if ids is None:
        pytest.skip(f"the sequence {sequence} is not here")
    true_mask = ids.reshape(*ids.shape[:2], -1).max(axis=2) > 0
    samples = [sample_correction(np.random.default_rng(seed), true_mask) for seed in range(6)]
    assert all(sample.user.positive.any() or sample.user.negative.any() for sample in samples)
    for sample in samples:
        assert not (sample.user.positive & ~true_mask).any() and not (sample.user.negative & true_mask).any()


@pytest.mark.parametrize("changes", [{"robot_probability": 2}, {"num_free_curves": (0, 2)}, {"min_free_area": 0}])
def test_wrong_setting_is_named(changes):
    with pytest.raises(ValueError, match=next(iter(changes))):
        MixtureSettings(**changes)
