"""The camera's frames: poses follow the path, focal lengths the zoom, and a view agrees with plain projection."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vosforge.render.camera_path import View, camera_focal_lengths, camera_intrinsics, camera_poses, project_points
from vosforge.render.scene import CameraSpec, ShakeWave

FRAMES = 9


def camera(**changes):
    location = tuple((0.1 * step, -5.5, 0.05 * step) for step in range(5))
    values = {"location": location, "look_at": ((0.2, 3.5, -0.1),) * 5, "fov_radians": (0.75,), **changes}
    return CameraSpec(**values)


def test_a_lens_that_does_not_zoom_keeps_its_focal_length():
    focal = camera_focal_lengths(camera(), FRAMES, 96, 64)
    np.testing.assert_allclose(focal, 48 / np.tan(0.375))


def test_a_zoom_runs_through_its_control_values():
    focal = camera_focal_lengths(camera(fov_radians=(0.8, 0.7, 0.5)), FRAMES, 96, 64)
    np.testing.assert_allclose(focal[[0, 4, 8]], 48 / np.tan(np.array([0.4, 0.35, 0.25])))
    assert (np.diff(focal) > 0).all()


def test_a_shake_wave_moves_the_camera_by_its_sine():
    wave = ShakeWave(location=(0.1, 0.0, 0.0), look_at=(0.0, 0.0, 0.0), cycles_per_frame=0.25, phase=0.0)
    moved = camera_poses(camera(shake=(wave,)), FRAMES)[:, 0, 3] - camera_poses(camera(), FRAMES)[:, 0, 3]
    np.testing.assert_allclose(moved, [0, 0.1, 0, -0.1, 0, 0.1, 0, -0.1, 0], atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.tuples(st.floats(-2, 2), st.floats(-2, 9), st.floats(-2, 2)), st.floats(0.3, 1.2))
def test_a_view_projects_as_each_frame_alone_does(point, fov):
    spec = camera(fov_radians=(fov, 0.7))
    view = View.of(spec, FRAMES, 96, 64)
    seen = view.project(np.tile(point, (FRAMES, 1)))
    poses, intrinsics = camera_poses(spec, FRAMES), camera_intrinsics(spec, FRAMES, 96, 64)
    alone = [project_points(np.array(point), pose, matrix) for pose, matrix in zip(poses, intrinsics, strict=True)]
    np.testing.assert_allclose(seen, alone, atol=1e-9)


def test_a_view_sees_what_lies_inside_the_image():
    view = View.of(camera(location=((0.0, -5.0, 0.0),) * 5, look_at=((0.0, 3.0, 0.0),) * 5), 1, 96, 64)
    half_width, half_height = view.half_size()[0]
    assert half_width == pytest.approx(np.tan(0.375)) and half_height == pytest.approx(half_width * 2 / 3)
    inside = np.array([[0.99 * 8 * half_width, 3.0, 0.99 * 8 * half_height]])
    assert view.sees(inside).all()
    assert not view.sees(inside * [1.02, 1.0, 1.0]).any()
    assert not view.sees(inside * [1.0, 1.0, -1.02]).any()
    assert not view.sees(np.array([[0.0, -9.0, 0.0]])).any(), "behind the camera"
    np.testing.assert_allclose(view.in_camera(np.array([[0.5, 3.0, -0.25]])), [[0.5, -0.25, 8.0]], atol=1e-12)
