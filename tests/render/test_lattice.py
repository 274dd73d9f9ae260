"""A lattice bends a model smoothly, exactly where it should be exact, and never turns it inside out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vosforge.render.lattice import CONTROLS, Lattice, lattice_weights, limit_strain

BOX = np.array([0.6, 0.3, 0.74])


def points_in(box, count=200):
    points = np.random.default_rng(1).uniform(-0.5, 0.5, size=(count, 3)) * box
    points[:2] = -box / 2, box / 2
    return points


def control_positions(box):
    z, y, x = np.meshgrid(*(np.linspace(-0.5, 0.5, 3) * side for side in box[::-1]), indexing="ij")
    return np.stack([x, y, z], axis=-1).reshape(CONTROLS, 3)


def drawn_offsets(seed, amplitude, times=5):
    return np.random.default_rng(seed).uniform(-amplitude, amplitude, size=(times, CONTROLS, 3))


def gradient_determinants(lattice_of_points, box, frame):
    """Volume change around points of the box, by central differences."""
    step = 1e-4
    grid = np.stack(np.meshgrid(*[np.linspace(-0.49, 0.49, 7)] * 3), axis=-1).reshape(-1, 3) * box
    corners = np.stack([-box / 2, box / 2])
    columns = []
    for axis in range(3):
        shift = np.eye(3)[axis] * step * box[axis]
        ahead = lattice_of_points(np.concatenate([corners, grid + shift])).vertices(frame)[2:]
        behind = lattice_of_points(np.concatenate([corners, grid - shift])).vertices(frame)[2:]
        columns.append((ahead.astype(float) - behind) / (2 * step * box[axis]))
    return np.linalg.det(np.stack(columns, axis=-1))


def test_without_offsets_every_point_stays_where_it_is():
    points = points_in(BOX)
    lattice = Lattice(points, np.zeros((5, CONTROLS, 3)), 4)
    for frame in range(4):
        np.testing.assert_array_equal(lattice.vertices(frame), points.astype(np.float32))


def test_offsets_of_an_affine_map_move_points_by_that_map():
    points, controls = points_in(BOX), control_positions(BOX)
    turn = np.array([[0.05, -0.1, 0.0], [0.12, 0.0, 0.03], [0.0, 0.02, -0.08]])
    offsets = controls @ turn.T + np.array([0.1, -0.2, 0.3])
    bent = Lattice(points, np.tile(offsets, (5, 1, 1)), 3).vertices(1)
    np.testing.assert_allclose(bent, points + points @ turn.T + np.array([0.1, -0.2, 0.3]), atol=1e-6)


def test_a_corner_of_the_box_follows_its_control_alone():
    points = points_in(BOX)
    for control, corner in ((0, 0), (CONTROLS - 1, 1)):
        weights = lattice_weights(points, -BOX / 2, BOX / 2)[corner]
        assert weights[control] == 1 and np.count_nonzero(weights) == 1


def test_weights_are_positive_and_sum_to_one():
    weights = lattice_weights(points_in(BOX), -BOX / 2, BOX / 2)
    assert weights.min() >= 0
    np.testing.assert_allclose(weights.sum(axis=1), 1.0)


def test_the_second_control_is_one_step_along_x():
    points = np.array([[-0.5, -0.5, -0.5], [0.5, 0.5, 0.5], [0.0, -0.5, -0.5]])
    weights = lattice_weights(points, points[0], points[1])
    assert weights[2].argmax() == 1


def test_motion_is_smooth_in_time():
    frames = 41
    lattice = Lattice(points_in(BOX), drawn_offsets(3, 0.08), frames)
    path = np.stack([lattice.vertices(frame) for frame in range(frames)]).astype(float)
    steps, turns = np.abs(np.diff(path, axis=0)).max(), np.abs(np.diff(path, n=2, axis=0)).max()
    assert steps > 0 and turns < steps, "no frame jumps out of the run of its neighbours"


def test_bending_changes_distances_between_points():
    points = points_in(BOX)
    bent = Lattice(points, drawn_offsets(5, 0.1), 5).vertices(2)
    before, after = (np.linalg.norm(entry[1:] - entry[:-1], axis=1) for entry in (points, bent))
    assert np.abs(after - before).max() > 0.02


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.05, 1.5), st.sampled_from([BOX, np.array([0.9, 0.02, 0.4])]))
def test_nothing_folds_over_or_turns_inside_out(seed, amplitude, box):
    offsets = drawn_offsets(seed, amplitude)
    for frame in (0, 3):
        volumes = gradient_determinants(lambda points: Lattice(points, offsets, 7), box, frame)
        assert volumes.min() > 0


def test_gentle_offsets_are_left_as_they_are():
    offsets = drawn_offsets(2, 0.02)
    np.testing.assert_array_equal(limit_strain(offsets, np.array([0.6, 0.5, 0.6])), offsets)


def test_a_plate_still_bends_as_a_sheet():
    plate = points_in(np.array([0.8, 0.0, 0.6]))
    bent = Lattice(plate, drawn_offsets(4, 0.15), 3).vertices(0)
    assert np.ptp(bent[:, 1]) > 0.05


@pytest.mark.parametrize("offsets", [np.zeros((5, 26, 3)), np.zeros((27, 3)), np.full((5, CONTROLS, 3), np.nan)])
def test_offsets_of_another_shape_are_refused(offsets):
    with pytest.raises(ValueError, match="lattice offsets"):
        Lattice(points_in(BOX), offsets, 3)
