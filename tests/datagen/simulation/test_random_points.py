import numpy as np
import pytest
from hypothesis import given, settings
from mask_worlds import SEEDS, disc, masks
from vosforge.datagen.simulation.clicks.points import random_points

QUICK = settings(max_examples=60, deadline=None)


@given(mask=masks(), seed=SEEDS)
@QUICK
def test_points_are_middles_of_different_pixels_of_the_object(mask, seed):
    points = random_points(np.random.default_rng(seed), mask)
    assert points.dtype == np.float64 and points.shape == (len(points), 2)
    assert ((points % 1) == 0.5).all() and len(np.unique(points, axis=0)) == len(points)
    columns, rows = np.floor(points).astype(int).T
    assert mask[rows, columns].all()


@given(mask=masks(), seed=SEEDS)
@QUICK
def test_only_an_empty_mask_has_no_point(mask, seed):
    assert bool(len(random_points(np.random.default_rng(seed), mask))) == mask.any()


@given(mask=masks(), seed=SEEDS)
@QUICK
def test_identical_seeds_give_identical_points(mask, seed):
    first, second = (random_points(np.random.default_rng(seed), mask) for _ in range(2))
    assert (first == second).all()


@pytest.mark.parametrize("k", [100, 700, 3000])
def test_one_point_for_every_k_pixels(k):
    mask = disc(200, 90)
    points = random_points(np.random.default_rng(0), mask, (k, k))
    assert len(points) == round(np.count_nonzero(mask) / k)


def test_k_covers_the_published_range():
    mask = disc(400, 150)
    counts = np.array([len(random_points(np.random.default_rng(seed), mask)) for seed in range(300)])
    area = np.count_nonzero(mask)
    assert counts.min() == round(area / 3000) and counts.max() > area / 200
    assert 0.4 < np.mean(counts < area / 1550) < 0.6


def test_points_are_spread_evenly():
    mask = np.ones((40, 40), bool)
    points = np.concatenate([random_points(np.random.default_rng(seed), mask, (10, 10)) for seed in range(40)])
    counts = np.histogram2d(*points.T, bins=4, range=[[0, 40], [0, 40]])[0]
    assert counts.min() > 0.8 * counts.mean() and counts.max() < 1.2 * counts.mean()


def test_wrong_range_is_refused():
    with pytest.raises(ValueError, match=r"pixels_per_point is \(0, 10\)"):
        random_points(np.random.default_rng(0), disc(9, 3), (0, 10))


def test_object_twice_as_large_and_transposed_object_have_their_share_of_points():
    mask = disc(100, 30, 40, 55)
    pictures = (mask, np.ascontiguousarray(mask.T), np.kron(mask, np.ones((2, 2), bool)))
    counts = [len(random_points(np.random.default_rng(3), picture, (50, 50))) for picture in pictures]
    assert counts[1] == counts[0] and abs(counts[2] - 4 * counts[0]) <= 2
