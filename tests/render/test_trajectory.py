"""Paths go through their control points, steps are capped evenly, and clearance holds at every frame."""

import numpy as np
import pytest
from vosforge.render.camera_path import View
from vosforge.render.trajectory import (
    draw_static_segments,
    evaluate_path,
    look_at_poses,
    smallest_distance,
    step_towards,
)


def test_path_passes_through_its_control_points():
    points = np.random.default_rng(0).normal(size=(5, 3))
    path = evaluate_path(points, 161)
    np.testing.assert_allclose(path[[0, 40, 80, 120, 160]], points, atol=1e-12)


def test_path_reproduces_a_quartic_exactly():
    times = np.linspace(0, 1, 160)
    nodes = np.linspace(0, 1, 5)
    quartic = np.polynomial.Polynomial([0.3, -1.0, 2.0, 0.5, -4.0])
    path = evaluate_path(np.stack([quartic(nodes)] * 3, axis=1), 160)
    np.testing.assert_allclose(path[:, 0], quartic(times), atol=1e-9)


def test_a_path_of_one_frame_is_its_first_point():
    points = np.arange(15.0).reshape(5, 3)
    np.testing.assert_allclose(evaluate_path(points, 1), points[:1])


def test_steps_are_capped_the_same_in_both_directions():
    rng = np.random.default_rng(1)
    steps = {
        sign: np.array([step_towards(rng, np.zeros(3), np.full(3, sign * 1e6), 1.2) for _ in range(4000)])
        for sign in (1.0, -1.0)
    }
    assert (steps[1.0] > 0).all() and (steps[-1.0] < 0).all()
    expected = 1.2 * np.sqrt(2 / np.pi)
    assert steps[1.0].mean() == pytest.approx(expected, rel=0.03)
    assert -steps[-1.0].mean() == pytest.approx(expected, rel=0.03)


def test_the_published_cap_holds_in_the_positive_direction_only():
    rng = np.random.default_rng(4)
    steps = [step_towards(rng, np.zeros(3), np.array([9.0, -9.0, -9.0]), 1.2, symmetric=False) for _ in range(300)]
    assert np.max(steps, axis=0)[0] < 9.0
    assert (np.array(steps)[:, 1:] == -9.0).all()


def test_a_step_never_passes_its_target():
    rng = np.random.default_rng(2)
    target = np.array([0.1, -0.1, 0.0])
    for _ in range(200):
        moved = step_towards(rng, np.zeros(3), target, 5.0)
        assert (np.abs(moved) <= np.abs(target) + 1e-12).all()


def test_static_segments_follow_the_published_automaton():
    rng = np.random.default_rng(3)
    counts = np.bincount([draw_static_segments(rng, 4, 0.10, 0.35).sum() for _ in range(20000)], minlength=5)
    np.testing.assert_allclose(counts / 20000, [0.659, 0.232, 0.083, 0.023, 0.004], atol=0.012)


def test_clearance_sees_an_approach_that_a_coarse_search_misses():
    path = evaluate_path(np.array([[-1.0, 0, 0], [-0.5, 0, 0], [0, 0, 0], [0.5, 0, 0], [1.0, 0, 0]]), 161)
    near_the_end = np.array([1.0, 0.2, 0.0]) + np.zeros((161, 3))
    assert smallest_distance(path, [near_the_end + 5.0, near_the_end]) == pytest.approx(0.2)
    assert smallest_distance(path, []) == float("inf")


def test_camera_looks_at_its_target():
    locations, target = np.array([[0.2, -6.0, 0.1], [0.0, -5.0, 0.3]]), np.array([[0.1, 3.5, -0.2], [0.5, 4.0, 0.0]])
    poses = look_at_poses(locations, target)
    focal_lengths = np.full(2, 192.0 / np.tan(0.375))
    view = View(poses=poses, focal_lengths=focal_lengths, width=384, height=256)
    x, y, depth = view.project(target).T
    np.testing.assert_allclose(x, 192.0, atol=1e-9)
    np.testing.assert_allclose(y, 128.0, atol=1e-9)
    np.testing.assert_allclose(depth, np.linalg.norm(target - locations, axis=1))
    above = view.project(target + [0, 0, 0.5])
    assert (above[:, 1] < 128).all(), "world z up is up in the image"
    rotations = poses[:, :3, :3]
    np.testing.assert_allclose(np.linalg.det(rotations), 1.0)
