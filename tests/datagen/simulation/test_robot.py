"""The robot draws the benchmark's strokes, and its files hold what was drawn."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from vosforge.datagen.simulation.robot.robot import (
    DAVIS_ROBOT,
    S2M_ROBOT,
    RobotSettings,
    mask_strokes,
    open_by_area,
    robot_strokes,
    worst_frame,
)
from vosforge.datagen.simulation.robot.scribble_file import (
    ScribbleFileError,
    frame_scribbles,
    read_scribbles,
    scribbles_from_dict,
    scribbles_to_dict,
    write_scribbles,
)
from vosforge.datagen.simulation.robot.skeleton import medial_axis
from vosforge.datagen.simulation.robot.strokes import Stroke

THINNING = RobotSettings(method="thinning")
HEIGHT, WIDTH = 300, 500


def rectangle(rows, columns, height=HEIGHT, width=WIDTH):
    mask = np.zeros((height, width), bool)
    mask[slice(*rows), slice(*columns)] = True
    return mask


SQUARE = rectangle((100, 200), (100, 200))
BAR = rectangle((140, 161), (60, 441))


def pixel_path(mask, robot=DAVIS_ROBOT, seed=0):
    (stroke,) = mask_strokes(np.random.default_rng(seed), mask, 1, robot)
    return stroke.path * (mask.shape[1], mask.shape[0])


@pytest.mark.parametrize(("kernel_size", "num_pixels"), [(0.2, 136), (0.15, 167)])
def test_square_has_the_published_skeleton(kernel_size, num_pixels):
    opened = open_by_area(SQUARE, kernel_size, 16)
    assert medial_axis(np.random.default_rng(0), opened).sum() == num_pixels


def test_square_has_the_published_stroke():
    path = pixel_path(SQUARE)
    assert path.shape == (1000, 2)
    assert np.allclose(path[[0, -1]], [[115, 115], [184, 184]])
    assert np.allclose(path.mean(axis=0), (149.51, 149.49), atol=0.006)
    assert np.allclose(path[500], (149.58, 149.48), atol=0.006)


def test_square_has_the_published_stroke_with_the_smaller_kernel():
    assert np.allclose(pixel_path(SQUARE, RobotSettings(kernel_size=0.15))[[0, -1]], [[109, 109], [107, 194]])


def test_bar_has_the_published_stroke():
    path = pixel_path(BAR)
    assert np.allclose(path[[0, -1]], [[70, 150], [432, 152]])
    assert np.allclose(path.mean(axis=0), (251.0, 150.01), atol=0.006)
    assert medial_axis(np.random.default_rng(0), open_by_area(BAR, 0.2, 16)).sum() == 363


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("robot", [DAVIS_ROBOT, THINNING, S2M_ROBOT])
def test_stroke_of_a_bar_runs_along_its_middle_whatever_the_ties(seed, robot):
    x, y = pixel_path(BAR, robot, seed).T
    assert np.ptp(x) >= 340
    middle = y[(x > 100) & (x < 400)]
    assert (middle >= 149).all() and (middle <= 151 + robot.block_size).all()


@pytest.mark.parametrize("side", range(1, 11))
def test_squares_below_four_skeleton_pixels_are_dropped(side):
    mask = rectangle((20, 20 + side), (30, 30 + side), 60, 80)
    strokes = mask_strokes(np.random.default_rng(0), mask, 1)
    axis = medial_axis(np.random.default_rng(0), mask)
    assert bool(strokes) == (axis.sum() >= 4)
    assert bool(strokes) == (side > 2)


@pytest.mark.parametrize(("thickness", "num_strokes"), [(1, 0), (2, 1)])
def test_opening_removes_a_long_error_of_one_pixel_but_not_of_two(thickness, num_strokes):
    mask = rectangle((150, 150 + thickness), (60, 441))
    assert len(mask_strokes(np.random.default_rng(0), mask, 1)) == num_strokes


def test_small_error_beside_a_large_one_vanishes():
    mask = rectangle((50, 250), (20, 320)) | rectangle((100, 112), (400, 412))
    strokes = mask_strokes(np.random.default_rng(0), mask, 1)
    assert len(strokes) == 1 and strokes[0].path[:, 0].max() < 320 / WIDTH


def test_perfect_prediction_gets_no_strokes():
    assert robot_strokes(np.random.default_rng(0), SQUARE * 1, SQUARE * 1, [0, 1]) == []


def test_missed_object_gets_its_own_stroke_and_spilling_gets_background():
    true_ids = SQUARE * 2
    predicted_ids = np.roll(true_ids, 60, axis=1)
    strokes = robot_strokes(np.random.default_rng(0), true_ids, predicted_ids, [0, 1, 2])
    assert [stroke.object_id for stroke in strokes] == [0, 2]
    background, missed = (stroke.path[:, 0] * WIDTH for stroke in strokes)
    assert background.min() >= 200 and background.max() < 260
    assert missed.min() >= 100 and missed.max() < 160


def test_object_taken_for_another_is_missed():
    strokes = robot_strokes(np.random.default_rng(0), SQUARE * 1, SQUARE * 2, [0, 1, 2])
    assert [stroke.object_id for stroke in strokes] == [1]


def test_ignored_pixels_get_no_strokes():
    assert robot_strokes(np.random.default_rng(0), SQUARE * 255, SQUARE * 1, [0, 1]) == []


def test_equal_seeds_give_equal_strokes_and_thinning_needs_none():
    for robot in (DAVIS_ROBOT, S2M_ROBOT):
        one, other = (mask_strokes(np.random.default_rng(3), SQUARE, 1, robot) for _ in range(2))
        assert one == other
    one, other = (mask_strokes(np.random.default_rng(seed), SQUARE, 1, THINNING) for seed in (1, 2))
    assert one == other


def test_s2m_robot_keeps_the_shortest_skeletons():
    mask = rectangle((30, 34), (30, 34), 60, 80)
    assert len(mask_strokes(np.random.default_rng(0), mask, 1, S2M_ROBOT)) == 1


@pytest.mark.parametrize(("share", "num_strokes"), [(0.0, 1), (0.5, 1), (0.75, 0)])
def test_blocks_are_set_by_the_share_of_their_pixels(share, num_strokes):
    mask = rectangle((30, 31), (20, 60), 60, 80)
    robot = RobotSettings(reduction=2, block_share=share)
    assert len(mask_strokes(np.random.default_rng(0), mask, 1, robot)) == num_strokes


MASKS = arrays(bool, st.tuples(st.integers(1, 7), st.integers(1, 7))).map(lambda mask: mask.repeat(7, 0).repeat(6, 1))


@pytest.mark.parametrize("robot", [DAVIS_ROBOT, THINNING, S2M_ROBOT])
@settings(max_examples=30, deadline=None)
@given(mask=MASKS, room=st.integers(0, 12))
def test_strokes_stay_in_the_frame_and_move_with_the_mask(robot, mask, room):
    strokes = mask_strokes(np.random.default_rng(0), mask, 1, robot)
    assert all(stroke.path.min() >= 0 and stroke.path.max() < 1 for stroke in strokes)
    # Beside the frame nothing erodes, beside the mask the background does: shift within a frame with room alone.
    near, far = np.pad(mask, 12), np.pad(mask, ((12 + 2 * room, 12), (12, 12)))
    before = [stroke.path * near.shape[::-1] for stroke in mask_strokes(np.random.default_rng(0), near, 1, robot)]
    after = [stroke.path * far.shape[::-1] for stroke in mask_strokes(np.random.default_rng(0), far, 1, robot)]
    assert len(before) == len(after)
    assert all(np.allclose(one + (0, 2 * room), other) for one, other in zip(before, after, strict=True))


@settings(max_examples=30, deadline=None)
@given(mask=MASKS)
def test_opening_adds_no_more_than_the_off_centre_of_the_disk(mask):
    grown = np.pad(mask, 3)
    near = sum(np.roll(grown, (row, column), (0, 1)) for row in range(-2, 3) for column in range(-2, 3)) > 0
    assert not (open_by_area(grown, 0.2, 16) & ~near).any()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"method": "lee"}, "method is 'lee'"),
        ({"kernel_size": -1.0}, "kernel_size is -1.0"),
        ({"num_points": 0}, "num_points is 0"),
        ({"num_points": 1001}, "num_points is 1001"),
        ({"reduction": 0}, "reduction is 0"),
        ({"block_share": 1.5}, "block_share is 1.5"),
    ],
)
def test_bad_settings_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        RobotSettings(**changes)


def test_maps_of_different_frames_are_refused():
    with pytest.raises(ValueError, match="two maps of one frame"):
        robot_strokes(np.random.default_rng(0), np.zeros((3, 4)), np.zeros((4, 3)), [1])


def test_worst_frame_is_the_first_of_the_smallest_mean():
    assert worst_frame(np.array([[1, 0.8], [0.25, 0.5], [0.5, 0.25]])) == 1
    with pytest.raises(ValueError, match="shape"):
        worst_frame(np.zeros((0, 2)))


def test_scribble_file_returns_what_was_written(tmp_path):
    strokes = robot_strokes(np.random.default_rng(0), SQUARE * 2, SQUARE * 0, [0, 2])
    scribbles = frame_scribbles("bear", 5, 3, strokes)
    write_scribbles(tmp_path / "001.json", scribbles)
    assert read_scribbles(tmp_path / "001.json") == scribbles
    assert scribbles.annotated_frame == 3
    assert [path.name for path in tmp_path.iterdir()] == ["001.json"]
    content = json.loads((tmp_path / "001.json").read_text())
    assert [len(strokes) for strokes in content["scribbles"]] == [0, 0, 0, 1, 0]
    assert content["sequence"] == "bear" and content["annotated_frame"] == 3
    assert set(content["scribbles"][3][0]) == {"path", "object_id", "start_time", "end_time"}


def test_file_of_the_benchmark_is_read():
    stroke = {"path": [[0.25, 0.5], [0.5, 1.0]], "object_id": 2, "start_time": 120, "end_time": 900}
    scribbles = scribbles_from_dict({"scribbles": [[], [stroke]], "sequence": "dogs-jump"})
    assert scribbles.annotated_frame == 1
    assert scribbles.frames[1] == (Stroke(object_id=2, path=[[0.25, 0.5], [0.5, 1.0]]),)


def test_frame_is_asked_for_only_where_there_is_one():
    empty = scribbles_from_dict({"scribbles": [[], []], "sequence": "bear"})
    assert empty.annotated_frames == () and "annotated_frame" not in scribbles_to_dict(empty)
    with pytest.raises(ValueError, match="one frame is asked"):
        _ = empty.annotated_frame
    with pytest.raises(ValueError, match="frame is 7"):
        frame_scribbles("bear", 5, 7, [])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[]", "a list; expected an object"),
        ("{", "is not JSON"),
        ('{"scribbles": []}', "'sequence' is missing"),
        ('{"sequence": "bear", "scribbles": [3]}', "one list of strokes for each frame"),
        ('{"sequence": "bear", "scribbles": [[], [7]]}', r"scribbles\[1\]\[0\] is a number"),
        ('{"sequence": "bear", "scribbles": [[{"path": [[0, 0]], "object_id": "a"}]]}', "object_id is 'a'"),
        ('{"sequence": "bear", "scribbles": [[{"path": [[0, 2]], "object_id": 1}]]}', r"within \[0, 1\]"),
        ('{"sequence": "bear", "scribbles": [[{"object_id": 1}]]}', r"scribbles\[0\]\[0\]\.path"),
        ('{"sequence": "b", "annotated_frame": 1, "scribbles": [[{"path": [[0, 0]], "object_id": 1}], []]}', "lie on"),
    ],
)
def test_wrong_scribble_file_says_what_and_where(tmp_path, content, message):
    path = tmp_path / "002.json"
    path.write_text(content)
    with pytest.raises(ScribbleFileError, match=message) as caught:
        read_scribbles(path)
    assert "002.json" in str(caught.value)
