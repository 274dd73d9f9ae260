"""Strokes leave the lines on the frame that the benchmark says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vosforge.datagen.simulation.robot.strokes import NO_STROKE, Stroke, bresenham, draw_strokes

LINE = Stroke(object_id=3, path=[[0, 0], [1, 1]])


def picture(labels):
    return ["".join("." if value == NO_STROKE else str(value) for value in row) for row in labels.tolist()]


def test_path_runs_from_first_to_last_pixel():
    assert picture(draw_strokes([LINE], 3, 5)) == ["3....", ".33..", "...33"]


def test_points_are_cut_to_whole_pixels():
    labels = draw_strokes([Stroke(object_id=1, path=[[0.99, 0.49]])], 3, 3)
    assert picture(labels) == [".1.", "...", "..."]


def test_later_stroke_covers_earlier_one():
    across = Stroke(object_id=0, path=[[0, 0.5], [1, 0.5]])
    assert picture(draw_strokes([LINE, across], 3, 3)) == ["3..", "000", "..3"]
    assert picture(draw_strokes([across, LINE], 3, 3)) == ["3..", "030", "..3"]


def test_nothing_drawn_leaves_nothing():
    labels = draw_strokes([], 2, 4)
    assert labels.dtype == np.int16 and (labels == NO_STROKE).all()


@pytest.mark.parametrize(
    ("tip", "thickness", "expected"),
    [
        ("square", 3, [".....", ".111.", ".111.", ".111.", "....."]),
        ("diamond", 5, ["..1..", ".111.", "11111", ".111.", "..1.."]),
        ("ellipse", 5, ["..1..", "11111", "11111", "11111", "..1.."]),
    ],
)
def test_tips_are_the_published_widths(tip, thickness, expected):
    assert picture(draw_strokes([Stroke(object_id=1, path=[[0.5, 0.5]])], 5, 5, thickness, tip)) == expected


def test_bad_thickness_and_tip_are_refused():
    with pytest.raises(ValueError, match="thickness is 4"):
        draw_strokes([LINE], 5, 5, 4)
    with pytest.raises(ValueError, match="'round'"):
        draw_strokes([LINE], 5, 5, 3, "round")


@pytest.mark.parametrize("path", [[], [[0.1, 0.2, 0.3]], [[0.1, 1.5]], [[-0.1, 0]], [[np.nan, 0]]])
def test_bad_paths_are_refused(path):
    with pytest.raises(ValueError, match="path of a stroke"):
        Stroke(object_id=1, path=path)


def test_strokes_compare_by_content():
    assert Stroke(object_id=1, path=[[0, 1]]) == Stroke(object_id=1, path=[[0, 1]])
    assert Stroke(object_id=1, path=[[0, 1]]) != Stroke(object_id=1, path=[[1, 1]])
    assert Stroke(object_id=1, path=[[0, 1]]) != Stroke(object_id=2, path=[[0, 1]])


POINT = st.tuples(st.integers(-30, 30), st.integers(-30, 30))


@settings(max_examples=60, deadline=None)
@given(st.lists(POINT, min_size=1, max_size=6))
def test_lines_pass_all_points_without_gaps_and_stay_within_half_a_pixel(points):
    points = np.array(points)
    pixels = bresenham(points)
    assert (np.abs(np.diff(pixels, axis=0)).max(axis=1, initial=0) <= 1).all()
    lengths = np.abs(np.diff(points, axis=0)).max(axis=1, initial=0)
    assert np.array_equal(pixels[np.concatenate([[0], np.cumsum(lengths)])], points)
    start = 0
    for one, other, length in zip(points[:-1], points[1:], lengths, strict=True):
        exact = one + np.linspace(0, 1, length + 1)[:, None] * (other - one)
        assert (np.abs(pixels[start : start + length + 1] - exact) <= 0.5 + 1e-9).all()
        start += length


@settings(max_examples=40, deadline=None)
@given(st.lists(POINT, min_size=1, max_size=5))
def test_line_of_swapped_axes_is_the_swapped_line(points):
    points = np.array(points)
    assert np.array_equal(bresenham(points[:, ::-1]), bresenham(points)[:, ::-1])
