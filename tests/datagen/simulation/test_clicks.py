import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mask_worlds import SEEDS, box, disc, mask_pairs, masks
from scipy.ndimage import distance_transform_edt
from vosforge.datagen.simulation.clicks.clicks import ClickSettings, corrective_clicks, positive_clicks
from vosforge.datagen.simulation.clicks.negative_clicks import (
    first_clicks,
    hull_clicks,
    other_object_clicks,
    surround_clicks,
)

QUICK = settings(max_examples=40, deadline=None)


def pixels_of(clicks) -> np.ndarray:
    return np.array([click.pixel for click in clicks], int).reshape(-1, 2)


def smallest_step(clicks) -> float:
    pixels = pixels_of(clicks)
    apart = np.linalg.norm(pixels[:, None] - pixels[None], axis=-1)
    return apart[~np.eye(len(pixels), dtype=bool)].min(initial=np.inf)


def depth_inside(mask: np.ndarray) -> np.ndarray:
    """Distance to the nearest pixel off the mask; the picture's border is no boundary."""
    return distance_transform_edt(mask) if not mask.all() else np.full(mask.shape, np.inf)


@given(mask=masks(), seed=SEEDS)
@QUICK
def test_positive_clicks_keep_their_distances(mask, seed):
    clicks = positive_clicks(np.random.default_rng(seed), mask)
    assert all(click.positive for click in clicks) and bool(clicks) == mask.any() and len(clicks) <= 5
    assert smallest_step(clicks) >= 5
    depth = depth_inside(mask)
    for row, column in pixels_of(clicks):
        assert mask[row, column]
        assert depth[row, column] >= min(3, depth.max()) - 1e-4


@given(mask=masks(), seed=SEEDS)
@QUICK
def test_negative_clicks_lie_in_the_hull(mask, seed):
    distance = distance_transform_edt(~mask) if mask.any() else np.zeros(mask.shape)
    for strategy in (hull_clicks, surround_clicks):
        clicks = strategy(np.random.default_rng(seed), mask, ClickSettings(hull=12))
        assert bool(clicks) == bool(((distance >= 3) & (distance <= 12)).any())
        assert not any(click.positive for click in clicks) and smallest_step(clicks) >= 5 and len(clicks) <= 10
        assert all(3 <= distance[row, column] <= 12 + 1e-4 for row, column in pixels_of(clicks))


@given(pair=mask_pairs(), seed=SEEDS)
@QUICK
def test_clicks_on_other_objects_never_hit_the_object(pair, seed):
    mask, other = pair
    clicks = other_object_clicks(np.random.default_rng(seed), mask, [other])
    assert bool(clicks) == (other & ~mask).any() and smallest_step(clicks) >= 5
    assert all((other & ~mask)[row, column] for row, column in pixels_of(clicks))


@given(pair=mask_pairs(), seed=SEEDS, num=st.sampled_from([None, 0, 1, 5, 20]))
@QUICK
def test_corrective_clicks_hit_errors_with_the_right_sign(pair, seed, num):
    true_mask, predicted = pair
    clicks = corrective_clicks(np.random.default_rng(seed), true_mask, predicted, num=num)
    assert smallest_step(clicks) >= 5 and len(clicks) <= (20 if num is None else num)
    for click in clicks:
        assert (true_mask ^ predicted)[click.pixel] and click.positive == true_mask[click.pixel]
    if num:
        assert bool(clicks) == (true_mask ^ predicted).any()


@given(mask=masks(), seed=SEEDS)
@QUICK
def test_identical_seeds_give_identical_clicks(mask, seed):
    for draw in (positive_clicks, hull_clicks, surround_clicks, first_clicks):
        assert draw(np.random.default_rng(seed), mask) == draw(np.random.default_rng(seed), mask)


@pytest.mark.parametrize("mask", [box(40, 40, 20, 20, 21, 21), box(40, 40, 20, 3, 21, 36), box(40, 40, 0, 0, 40, 1)])
def test_pixel_and_thin_line_are_still_clicked(mask):
    clicks = positive_clicks(np.random.default_rng(0), mask)
    assert clicks and all(mask[click.pixel] for click in clicks)


def test_full_mask_is_clicked_up_to_the_border_and_has_nothing_around_it():
    full = np.ones((12, 12), bool)
    clicks = [c for seed in range(100) for c in positive_clicks(np.random.default_rng(seed), full)]
    assert {c.pixel[0] for c in clicks} == set(range(12))
    assert hull_clicks(np.random.default_rng(0), full) == surround_clicks(np.random.default_rng(0), full) == ()
    assert first_clicks(np.random.default_rng(0), ~full) == ()


def test_room_for_few_clicks_gives_few():
    clicks = positive_clicks(np.random.default_rng(0), disc(40, 6), num=50)
    assert 1 <= len(clicks) < 10


def test_each_pixel_with_room_is_equally_likely():
    mask = box(20, 20, 0, 0, 20, 20)
    settings = ClickSettings(margin=1, step=3)
    pixels = np.concatenate(
        [pixels_of(positive_clicks(np.random.default_rng(s), mask, settings, num=1)) for s in range(4000)]
    )
    counts = np.histogram2d(*pixels.T, bins=4, range=[[0, 20], [0, 20]])[0]
    assert counts.min() > 0.8 * 250 and counts.max() < 1.2 * 250


def test_surround_clicks_are_further_apart_than_hull_clicks():
    mask = disc(240, 50)
    steps = [
        np.mean([smallest_step(draw(np.random.default_rng(seed), mask, num=8)) for seed in range(20)])
        for draw in (hull_clicks, surround_clicks)
    ]
    assert steps[1] > 2 * steps[0]
    angles = np.sort(np.arctan2(*(pixels_of(surround_clicks(np.random.default_rng(1), mask)) - 120).T))
    assert np.diff(np.append(angles, angles[0] + 2 * np.pi)).max() < np.pi / 2


def test_surround_on_a_coarse_grid_is_as_spread_as_on_all_pixels(monkeypatch):
    mask = disc(300, 60)
    coarse = [smallest_step(surround_clicks(np.random.default_rng(seed), mask)) for seed in range(15)]
    monkeypatch.setattr("vosforge.datagen.simulation.clicks.negative_clicks._SURROUND_CANDIDATES", 10**9)
    fine = [smallest_step(surround_clicks(np.random.default_rng(seed), mask)) for seed in range(15)]
    assert np.mean(coarse) > 0.95 * np.mean(fine)


def test_surround_of_the_transposed_object_is_as_far_apart():
    mask = box(160, 220, 60, 50, 90, 160)
    steps = [
        np.mean([smallest_step(surround_clicks(np.random.default_rng(s), np.ascontiguousarray(m))) for s in range(20)])
        for m in (mask, mask.T)
    ]
    assert steps[0] == pytest.approx(steps[1], rel=0.15)


def test_all_counts_of_corrections_are_drawn():
    true_mask, predicted = disc(200, 80), np.zeros((200, 200), bool)
    counts = {len(corrective_clicks(np.random.default_rng(seed), true_mask, predicted)) for seed in range(100)}
    assert counts == {0, 1, 2, 3, 4, 5, 10, 20}


def test_first_clicks_use_every_strategy():
    mask, other = box(100, 100, 30, 10, 60, 40), box(100, 100, 30, 50, 60, 90)
    sets = [first_clicks(np.random.default_rng(seed), mask, [other]) for seed in range(60)]
    assert all(any(c.positive for c in clicks) and any(not c.positive for c in clicks) for clicks in sets)
    on_other = [all(other[c.pixel] for c in clicks if not c.positive) for clicks in sets]
    assert 0.15 < np.mean(on_other) < 0.55


def test_click_knows_its_pixel():
    click = positive_clicks(np.random.default_rng(0), box(9, 9, 4, 6, 5, 7))[0]
    assert (click.x, click.y, click.pixel) == (6.5, 4.5, (4, 6))


@pytest.mark.parametrize("changes", [{"hull": 2.0}, {"step": 0}, {"max_positive": 0}, {"correction_counts": ()}])
def test_wrong_setting_is_named(changes):
    with pytest.raises(ValueError, match=next(iter(changes))):
        ClickSettings(**changes)


def test_masks_of_two_sizes_are_refused_by_name():
    with pytest.raises(ValueError, match=r"predicted_mask is \(8, 9\), but true_mask is \(8, 8\)"):
        corrective_clicks(np.random.default_rng(0), np.ones((8, 8), bool), np.ones((8, 9), bool))
