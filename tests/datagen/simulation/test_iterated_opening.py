import numpy as np
import pytest
from hypothesis import given, settings
from mask_worlds import SEEDS, box, disc, mask_pairs, masks
from vosforge.datagen.simulation.scribbles.iterated_opening import OpeningSettings, opened_scribble, opened_scribbles

QUICK = settings(max_examples=40, deadline=None)
ALWAYS = OpeningSettings(allow_none=False)


@given(pair=mask_pairs(), seed=SEEDS)
@QUICK
def test_positive_lies_on_missing_and_negative_on_wrong_pixels(pair, seed):
    true_mask, current_mask = pair
    user = opened_scribbles(np.random.default_rng(seed), true_mask, current_mask)
    assert not (user.positive & ~(true_mask & ~current_mask)).any()
    assert not (user.negative & ~(current_mask & ~true_mask)).any()
    assert user.is_empty == (not user.positive.any() and not user.negative.any())


@given(region=masks(), seed=SEEDS)
@QUICK
def test_every_region_has_a_scribble_where_none_is_not_allowed(region, seed):
    drawn = opened_scribble(np.random.default_rng(seed), region, ALWAYS)
    assert drawn.any() == region.any() and not (drawn & ~region).any()


@given(region=masks(), seed=SEEDS)
@QUICK
def test_identical_seeds_give_identical_scribbles_and_leave_the_region_alone(region, seed):
    before = region.copy()
    first, second = (opened_scribble(np.random.default_rng(seed), region) for _ in range(2))
    assert (first == second).all() and (region == before).all()


@pytest.mark.parametrize("region", [box(40, 40, 20, 20, 21, 21), box(40, 40, 20, 3, 21, 36), np.zeros((40, 40), bool)])
def test_pixel_and_thin_line_are_dropped_by_the_opening(region):
    assert not opened_scribble(np.random.default_rng(0), region).any()


def test_small_scattered_errors_are_dropped_and_large_ones_kept():
    region = disc(120, 25, 60, 40)
    dust = np.zeros_like(region)
    dust[5::9, 80::9] = True
    drawn = opened_scribble(np.random.default_rng(0), region | dust)
    assert drawn.any() and not drawn[:, 70:].any()


@pytest.mark.parametrize(("num_openings", "survives"), [(1, True), (3, True), (4, False), (6, False)])
def test_opening_is_as_wide_as_it_is_repeated(num_openings, survives):
    bar = box(40, 80, 15, 10, 22, 70)  # 7 pixels wide: three erosions leave a line
    settings = OpeningSettings(num_openings=(num_openings, num_openings))
    assert opened_scribble(np.random.default_rng(0), bar, settings).any() == survives


@pytest.mark.parametrize(("widenings", "thickness"), [(0, 1), (1, 3), (2, 5)])
def test_line_is_widened_by_a_cross(widenings, thickness):
    bar = box(60, 120, 20, 10, 41, 110)
    drawn = opened_scribble(np.random.default_rng(0), bar, OpeningSettings(widenings=widenings))
    assert (drawn[:, 40:80].sum(axis=0) == thickness).all()


def test_widened_line_of_a_thin_region_may_stick_out_by_setting():
    bar = box(40, 80, 20, 10, 21, 70)
    settings = OpeningSettings(num_openings=(0, 0), keep_inside=False)
    drawn = opened_scribble(np.random.default_rng(0), bar, settings)
    assert (drawn[:, 30:50].sum(axis=0) == 5).all()


def test_first_round_has_positive_scribbles_alone():
    user = opened_scribbles(np.random.default_rng(0), disc(60, 20), None)
    assert user.positive.any() and not user.negative.any() and user.kinds == ("opened",)


def test_transposed_bar_has_a_line_as_long():
    bar = box(50, 90, 15, 10, 36, 80)
    lengths = [
        np.count_nonzero(opened_scribble(np.random.default_rng(0), np.ascontiguousarray(m))) for m in (bar, bar.T)
    ]
    assert abs(lengths[0] - lengths[1]) <= 0.1 * lengths[0]


def test_wrong_setting_is_named():
    with pytest.raises(ValueError, match="num_openings"):
        OpeningSettings(num_openings=(3, 1))
