"""The self-checks accept true ground truth and see what is wrong with spoiled ground truth. No renderer is needed."""

import dataclasses

import cv2
import numpy as np
import pytest
from vosforge.datagen.imaging import passes as coding
from vosforge.render.camera_path import camera_intrinsics, camera_poses
from vosforge.render.checks import Reason, RejectedScene
from vosforge.render.scene import CameraSpec
from vosforge.render.truth import checks as truth_checks
from vosforge.render.truth import clip as clip_truth
from vosforge.render.truth.clip import ClipTruth
from vosforge.render.truth.surface import ClipGeometry, Surface, pixel_rays
from vosforge.render.truth.tracks import spread_points, visible_points

WIDTH, HEIGHT, FRAMES = 120, 80, 5
BALL, RADIUS, WALL = np.array([-0.8, 0.0, 0.0]), 0.8, 6.0
STEP = np.array([0.25, 0.0, 0.05])


def ball_before_a_wall():
    """(geometry, [Surface]) of a ball that moves before a wall, seen by a moving camera: plain ray casting."""
    camera = CameraSpec(
        location=tuple((x, -5.0, 0.1) for x in np.linspace(0.0, 0.4, 5)),
        look_at=((0.0, 3.0, 0.0),) * 5,
        fov_radians=(0.8,),
    )
    poses, intrinsics = camera_poses(camera, FRAMES), camera_intrinsics(camera, FRAMES, WIDTH, HEIGHT)
    matrices = np.repeat(np.eye(4)[None], FRAMES, axis=0)
    matrices[:, :3, 3] = BALL + np.arange(FRAMES)[:, None] * STEP
    geometry = ClipGeometry(poses=poses, intrinsics=intrinsics, matrices={1: matrices})
    surfaces = []
    for frame in range(FRAMES):
        start, centre = poses[frame, :3, 3], matrices[frame, :3, 3]
        rays = pixel_rays(HEIGHT, WIDTH, intrinsics[frame]) @ poses[frame, :3, :3].T
        square, half = (rays**2).sum(-1), rays @ (start - centre)
        root = half**2 - square * ((start - centre) @ (start - centre) - RADIUS**2)
        hit = root > 0
        depth = np.where(hit, (-half - np.sqrt(np.abs(root))) / square, (WALL - start[1]) / rays[..., 1])
        position = start + rays * depth[..., None]
        normal = np.where(hit[..., None], (position - centre) / RADIUS, (0.0, -1.0, 0.0))
        surfaces.append(
            Surface(
                ids=hit.astype(np.uint8),
                seen=np.ones(hit.shape, bool),
                position=position.astype(np.float32),
                normal=normal.astype(np.float32),
                depth=depth.astype(np.float32),
            )
        )
    return geometry, surfaces


@pytest.fixture(scope="module")
def ball():
    return ball_before_a_wall()


def run(geometry, surfaces):
    truth = ClipTruth("k", geometry, ["depth", "flow"])
    for frame, surface in enumerate(surfaces):
        truth.add(frame, surface)
    return truth


def expect_rejection(geometry, surfaces, check):
    with pytest.raises(RejectedScene, match=f"the {check} check") as caught:
        run(geometry, surfaces)
    assert caught.value.reason == Reason.GROUND_TRUTH


def spoil(name, change):
    """An encoder that stores something else."""
    return lambda values, *others: getattr(coding, name)(change(values), *others)


def test_true_ground_truth_is_accepted_with_room_to_spare(ball, monkeypatch):
    measured = []
    monkeypatch.setattr(truth_checks, "reject_bad_truth", lambda *seen: measured.append(seen))
    truth = run(*ball)
    assert {check for check, _, _ in measured} == {"camera", "depth", "flow", "return"}
    for check, _, agreement in measured:
        assert agreement > 1 - (1 - truth_checks.SMALLEST_AGREEMENT[check]) / 5
    assert [len(truth.passes[name]) for name in ("depth", "flow")] == [FRAMES, 2 * FRAMES - 2]


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (lambda flow: flow * 0, "flow"),
        (lambda flow: -flow, "flow"),
        (lambda flow: flow[..., ::-1].copy(), "flow"),
        (lambda flow: flow + np.float32(2.5), "flow"),
        (lambda flow: flow + np.float32([0.9, 0.0]), "return"),
    ],
    ids=["none", "backwards", "x for y", "off by 2.5 pixels", "off by less than a pixel"],
)
def test_wrong_flow_is_seen(ball, monkeypatch, change, check):
    monkeypatch.setattr(clip_truth, "encode_flow", spoil("encode_flow", change))
    expect_rejection(*ball, check)


@pytest.mark.parametrize("change", [lambda d: d * np.float32(1.01), lambda d: d + np.float32(0.01)])
def test_wrong_depth_is_seen(ball, monkeypatch, change):
    monkeypatch.setattr(clip_truth, "encode_depth", spoil("encode_depth", change))
    expect_rejection(*ball, "camera")


def test_a_camera_that_is_not_where_the_metadata_says_is_seen(ball):
    geometry, surfaces = ball
    poses = geometry.poses.copy()
    poses[:, 0, 3] += 0.02
    expect_rejection(dataclasses.replace(geometry, poses=poses), surfaces, "camera")


def test_an_object_that_moves_otherwise_than_its_matrices_is_seen(ball):
    geometry, surfaces = ball
    matrices = geometry.matrices[1].copy()
    matrices[:, :3, 3] += np.arange(FRAMES)[:, None] * np.array([0.0, 0.15, 0.0])
    expect_rejection(dataclasses.replace(geometry, matrices={1: matrices}), surfaces, "depth")


def test_ids_of_another_frame_are_seen(ball):
    geometry, surfaces = ball
    swapped = [dataclasses.replace(surface, ids=surfaces[0].ids) for surface in surfaces]
    expect_rejection(geometry, swapped, "(depth|flow)")


def test_masks_that_are_off_by_a_pixel_disagree_with_a_finer_render():
    rows, columns = np.mgrid[:640, :960]
    finer = (np.hypot(rows - 320, columns - 480) < 240).astype(np.uint8)
    rows, columns = 8 * rows[:80, :120] + 3.5, 8 * columns[:80, :120] + 3.5
    ids = (np.hypot(rows - 320, columns - 480) < 240).astype(np.uint8)
    assert truth_checks.mask_agreement(ids, finer) > 0.998
    slack = truth_checks.EDGE_SLACK, truth_checks.PIXEL_SLACK
    assert truth_checks.mask_agreement(np.roll(ids, 1, axis=1), finer, *slack) < 0.998
    assert truth_checks.mask_agreement(cv2.dilate(ids, np.ones((3, 3), np.uint8)), finer, *slack) < 0.998


def test_a_few_pixels_of_an_object_at_the_rim_of_a_window_are_not_held_against_it():
    finer = np.zeros((64, 64), np.uint8)
    finer[:10, :10] = 1
    ids = np.zeros((8, 8), np.uint8)
    ids[:2, 0] = 1
    assert truth_checks.mask_agreement(ids, finer) == 0.5
    assert truth_checks.mask_agreement(ids, finer, truth_checks.EDGE_SLACK, truth_checks.PIXEL_SLACK) == 1.0


def test_sampled_frames_are_first_middle_and_last():
    assert truth_checks.sampled_pairs(160) == [0, 79, 158]
    assert [truth_checks.sampled_pairs(count) for count in (1, 2, 3)] == [[], [0], [0, 1]]


def test_flow_of_the_surroundings_is_the_turn_of_the_camera(ball):
    geometry, surfaces = ball
    empty = dataclasses.replace(surfaces[0], ids=surfaces[0].ids * 0, seen=np.zeros((HEIGHT, WIDTH), bool))
    moved = dataclasses.replace(geometry, poses=geometry.poses + np.eye(4, 4, 3) * 0.0)
    moved.poses[1:, :3, :3] = moved.poses[0, :3, :3]
    from vosforge.render.truth.surface import motion_to

    stays = motion_to(empty, moved, 0, 1)
    np.testing.assert_allclose(stays.flow, 0.0, atol=1e-4)
    assert stays.valid.all() and np.isinf(stays.depth).all()
    turns = motion_to(empty, geometry, 0, 1)
    assert np.abs(turns.flow).max() > 0.1


def test_points_are_spread_evenly_by_area_and_the_same_each_time():
    vertices = np.array([[0, 0, 0], [3, 0, 0], [3, 1, 0], [0, 1, 0], [3, 0, 1]], np.float32)
    triangles = np.array([[0, 1, 2], [0, 2, 3], [1, 2, 4]])
    chosen, weights = spread_points(vertices, triangles, 350, seed=7)
    np.testing.assert_allclose(np.bincount(chosen) / 350, [3 / 7, 3 / 7, 1 / 7], atol=0.02)
    np.testing.assert_allclose(weights.sum(axis=1), 1.0)
    assert (weights >= 0).all()
    points = np.einsum("pc,pcx->px", weights, vertices[triangles[chosen]])[chosen < 2]
    np.testing.assert_allclose(points.mean(axis=0), [1.5, 0.5, 0.0], atol=0.05)
    np.testing.assert_array_equal(spread_points(vertices, triangles, 350, seed=7)[1], weights)
    assert not np.array_equal(spread_points(vertices, triangles, 350, seed=8)[1], weights)


def test_a_point_is_visible_on_its_own_object_at_its_own_depth_inside_the_image():
    ids, depth = np.zeros((4, 6), np.uint8), np.full((4, 6), 9.0, np.float32)
    ids[1:3, 1:4], depth[1:3, 1:4] = 1, 5.0
    tracks = np.array([[2.5, 1.5, 5.0, 0], [2.5, 1.5, 5.5, 0], [0.5, 0.5, 9.0, 0], [-0.1, 1.5, 5.0, 0], [np.nan] * 4])
    np.testing.assert_array_equal(
        visible_points(tracks, np.ones(5, int), ids, depth, focal_length=100.0), [True, False, False, False, False]
    )
