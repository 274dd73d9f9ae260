"""Thin-plate splines: exact at their points, enlarged within their bound, and points carried both ways."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vosforge.datagen.augmentation.spline_warp import draw_spline, fit_spline

CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])


def centres(size):
    line = np.arange(size) + 0.5
    return np.stack(np.meshgrid(line, line), axis=-1)


def test_spline_moves_its_control_points_exactly():
    source = np.vstack([CORNERS, [[0.5, 0.5]]])
    result = np.vstack([CORNERS, [[0.6, 0.45]]])
    assert np.allclose(fit_spline(source, result).source_points(result * 384, 384), source * 384)


def test_spline_through_an_affine_move_is_that_move():
    turn = np.array([[0.9, -0.2], [0.1, 1.1]])
    result = np.vstack([CORNERS, [[0.3, 0.7]]])
    spline = fit_spline(result @ turn.T + 0.05, result)
    points = np.random.default_rng(0).random((20, 2))
    assert np.allclose(spline.source_points(points, 1), points @ turn.T + 0.05)


def test_spline_without_displacement_changes_nothing():
    spline = draw_spline(np.random.default_rng(0), displacement=0.0)
    assert np.allclose(spline.source_points(centres(32), 32), centres(32))


@given(st.integers(0, 10_000), st.sampled_from([33, 64, 200, 384]), st.sampled_from([0.005, 0.02, 0.04]))
@settings(max_examples=12, deadline=None)
def test_enlarged_map_is_within_a_twentieth_of_a_pixel_of_the_spline(seed, size, displacement):
    spline = draw_spline(np.random.default_rng(seed), displacement=displacement)
    enlarged = np.stack(spline.sampling_map(size).maps(), axis=-1)
    error = np.linalg.norm(enlarged - spline.source_points(centres(size), size), axis=-1)
    assert error.max() < 0.05


def test_enlarged_map_computes_few_pixels_one_by_one():
    shares = [len(draw_spline(np.random.default_rng(seed)).sampling_map(384).exact_rows) / 384**2 for seed in range(20)]
    assert np.mean(shares) < 0.05


@given(st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_points_go_through_the_spline_and_back(seed):
    rng = np.random.default_rng(seed)
    spline = draw_spline(rng, displacement=0.008)
    points = rng.uniform(0, 384, (40, 2))
    moved = spline.result_points(points, 384)
    assert np.abs(spline.source_points(moved, 384) - points).max() < 1e-6


def test_no_points_give_no_points():
    assert draw_spline(np.random.default_rng(0)).result_points(np.zeros((0, 2)), 384).shape == (0, 2)


def test_same_seed_gives_the_same_spline():
    one, two = draw_spline(np.random.default_rng(7)), draw_spline(np.random.default_rng(7))
    assert (one.control_points == two.control_points).all() and (one.weights == two.weights).all()


def test_displacement_of_the_control_points_has_the_published_spread():
    rng, moves = np.random.default_rng(0), []
    for _ in range(100):
        spline = draw_spline(rng)
        moves.append(spline.shift(spline.control_points))
    assert np.std(moves) == pytest.approx(0.02, rel=0.06)
    assert abs(np.mean(moves)) < 0.002


def test_spline_refuses_points_on_one_line_and_too_few():
    line = np.array([[0.1, 0.1], [0.2, 0.2], [0.5, 0.5], [0.9, 0.9]])
    with pytest.raises(ValueError, match="one line"):
        fit_spline(line, line)
    with pytest.raises(ValueError, match="3 points or more"):
        draw_spline(np.random.default_rng(0), num_points=2)
