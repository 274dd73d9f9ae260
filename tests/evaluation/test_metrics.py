"""J, F and their statistics against published definitions and hand-made cases."""

import cv2
import numpy as np
import pytest
import skimage.morphology
from vosforge.train.evaluation.metrics import (
    boundary_accuracy,
    boundary_map,
    measures,
    region_similarity,
    statistics,
)


def rectangle(shift: int = 0) -> np.ndarray:
    mask = np.zeros((480, 854), bool)
    mask[100:200, 100 + shift : 300 + shift] = True
    return mask


# Measured with the DAVIS benchmark's own code.
GOLDEN = [
    (1, 0.990050, 1.0),
    (4, 0.960784, 1.0),
    (8, 0.923077, 1.0),
    (9, 0.913876, 0.693333),
    (16, 0.851852, 0.670),
    (40, 0.666667, 0.590),
]


@pytest.mark.parametrize(("shift", "region", "boundary"), GOLDEN)
def test_shifted_rectangle_scores_as_in_the_published_code(shift, region, boundary):
    assert region_similarity(rectangle(), rectangle(shift)) == pytest.approx(region, abs=1e-6)
    assert boundary_accuracy(rectangle(), rectangle(shift)) == pytest.approx(boundary, abs=1e-6)


def test_identical_masks_score_one():
    assert region_similarity(rectangle(), rectangle()) == 1
    assert boundary_accuracy(rectangle(), rectangle()) == 1


def test_two_empty_masks_agree_and_one_empty_mask_scores_zero():
    empty = np.zeros((480, 854), bool)
    assert region_similarity(empty, empty) == boundary_accuracy(empty, empty) == 1
    for pair in ((empty, rectangle()), (rectangle(), empty)):
        assert region_similarity(*pair) == boundary_accuracy(*pair) == 0


def test_full_mask_has_no_boundary_because_the_image_border_is_none():
    assert not boundary_map(np.ones((9, 7), bool)).any()


def test_boundary_lies_on_the_pixel_left_of_above_and_diagonal_to_a_change():
    mask = np.zeros((4, 4), bool)
    mask[2, 2] = True
    expected = np.zeros((4, 4), bool)
    expected[1:3, 1:3] = True
    np.testing.assert_array_equal(boundary_map(mask), expected)


def test_last_row_and_column_look_along_the_border_only():
    mask = np.zeros((3, 3), bool)
    mask[2, 2] = True
    np.testing.assert_array_equal(
        boundary_map(mask), np.array([[False, False, False], [False, True, True], [False, True, False]])
    )


def pixel(row: int, column: int) -> np.ndarray:
    mask = np.zeros((12, 12), bool)
    mask[row, column] = True
    return mask


@pytest.mark.parametrize(
    ("prediction", "tolerance", "boundary"),
    [
        # The boundary of a pixel is a block of 2 x 2, so the blocks of two pixels in a row, 3 apart, have a gap of one.
        (pixel(5, 8), 1, 0),
        (pixel(5, 8), 2, 0.5),
        (pixel(5, 8), 3, 1),
        # One row lower only the inner columns' shared row lies within 2 pixels; the diagonal to the next is longer.
        (pixel(6, 8), 2, 0.25),
        (pixel(5, 8) | pixel(5, 5), 1, 2 * 0.5 * 1 / 1.5),
    ],
)
def test_boundaries_of_single_pixels_score_as_counted_by_hand(prediction, tolerance, boundary):
    assert boundary_accuracy(pixel(5, 5), prediction, tolerance=tolerance) == pytest.approx(boundary)


def test_region_of_shifted_squares_scores_as_counted_by_hand():
    square, shifted = np.zeros((2, 9, 9), bool)
    square[2:5, 2:5] = shifted[2:5, 3:6] = True
    assert region_similarity(square, shifted) == 6 / 12


def test_tolerance_from_one_on_counts_pixels():
    assert boundary_accuracy(rectangle(), rectangle(9), tolerance=9) == 1
    assert boundary_accuracy(rectangle(), rectangle(9), tolerance=8) < 1


def plain_boundary_accuracy(truth: np.ndarray, prediction: np.ndarray, radius: int) -> float:
    """F as the benchmark writes it down: dilation over the whole picture."""
    near = skimage.morphology.disk(radius).astype(np.uint8)
    a, b = boundary_map(truth).astype(np.uint8), boundary_map(prediction).astype(np.uint8)
    if not a.any() or not b.any():
        return float(a.any() == b.any())
    precision = (b & cv2.dilate(a, near)).sum() / b.sum()
    recall = (a & cv2.dilate(b, near)).sum() / a.sum()
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def blobs(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """A mask of uneven outline, bool (H, W), that often touches the border of the picture."""
    noise = cv2.GaussianBlur(rng.standard_normal((height, width)), (0, 0), rng.uniform(0.5, 9)).reshape(height, width)
    return noise > np.quantile(noise, rng.uniform(0, 1))


@pytest.mark.parametrize("size", [(120, 200), (61, 33), (7, 90), (1, 40), (40, 1)])
def test_bits_in_a_box_give_what_the_whole_picture_gives(size):
    rng = np.random.default_rng(3)
    for radius in (1, 2, 3, 8, 9, 13):
        for _ in range(6):
            masks = blobs(rng, *size), blobs(rng, *size)
            assert boundary_accuracy(*masks, tolerance=radius) == plain_boundary_accuracy(*masks, radius)


def test_a_frame_at_once_gives_what_each_object_gives():
    rng = np.random.default_rng(4)
    truth, prediction = (np.select([blobs(rng, 90, 120), blobs(rng, 90, 120)], [3, 7]).astype(np.uint8) for _ in "ab")
    found = measures(truth, prediction, [3, 7, 200])
    for i in (3, 7):
        pair = truth == i, prediction == i
        assert found[i] == (region_similarity(*pair), boundary_accuracy(*pair))
    assert found[200] == (1, 1)


@pytest.mark.parametrize("size", [(1, 1), (1, 4), (4, 1), (2, 2)])
def test_the_smallest_frames_are_scored(size):
    one, other = np.full(size, 1, np.uint8), np.full(size, 2, np.uint8)
    assert measures(one, one, [1, 3]) == {1: (1, 1), 3: (1, 1)}
    # The border of the picture is no boundary, so there is none to miss.
    assert measures(one, other, [1]) == {1: (0, 1)}


def test_scores_of_one_frame_do_not_depend_on_the_frame_before():
    rng = np.random.default_rng(5)
    frames = [tuple(blobs(rng, 50, 60).astype(np.uint8) for _ in "ab") for _ in range(3)]
    alone = [measures(*frame, [1]) for frame in frames]
    assert [measures(*frame, [1]) for frame in reversed(frames)] == alone[::-1]


def test_void_is_scored_neither_for_nor_against():
    truth = np.zeros((60, 80), np.uint8)
    truth[20:40, 20:40] = 1
    truth[20:40, 40:50] = 255
    prediction = np.zeros_like(truth)
    prediction[20:40, 20:50] = 1
    assert measures(truth, prediction, [1]) == {1: (1, 1)}
    assert measures(np.where(truth == 255, 0, truth).astype(np.uint8), prediction, [1])[1][0] == pytest.approx(2 / 3)


class TestProperties:
    """What any pair of masks must fulfil."""

    @pytest.fixture(params=range(5))
    def pair(self, request):
        rng = np.random.default_rng(request.param)
        return blobs(rng, 100, 140), blobs(rng, 100, 140)

    def test_swapping_truth_and_prediction_changes_nothing(self, pair):
        truth, prediction = pair
        assert region_similarity(truth, prediction) == region_similarity(prediction, truth)
        assert boundary_accuracy(truth, prediction) == pytest.approx(boundary_accuracy(prediction, truth), abs=1e-15)

    def test_a_mask_agrees_with_itself(self, pair):
        assert all(region_similarity(mask, mask) == boundary_accuracy(mask, mask) == 1 for mask in pair)

    def test_moving_both_within_the_picture_changes_nothing(self, pair):
        def placed(mask, top, left):
            canvas = np.zeros((160, 220), bool)
            canvas[top : top + 100, left : left + 140] = mask
            return canvas

        here, there = ([placed(mask, *place) for mask in pair] for place in ((5, 5), (31, 64)))
        assert region_similarity(*here) == region_similarity(*there)
        assert boundary_accuracy(*here) == boundary_accuracy(*there)

    def test_turning_both_half_round_keeps_the_region(self, pair):
        assert region_similarity(*pair) == region_similarity(*(mask[::-1, ::-1] for mask in pair))

    def test_a_larger_tolerance_is_never_worse(self, pair):
        found = [boundary_accuracy(*pair, tolerance=radius) for radius in (1, 2, 4, 8, 16)]
        assert found == sorted(found)


def test_far_apart_objects_score_zero():
    assert boundary_accuracy(rectangle(), rectangle(500)) == 0


def test_masks_of_two_sizes_are_refused_with_both_sizes():
    with pytest.raises(ValueError, match=r"\(4, 4\).*\(4, 5\)"):
        region_similarity(np.zeros((4, 4), bool), np.zeros((4, 5), bool))


def test_recall_counts_values_above_a_half_strictly():
    assert statistics([0.5, 0.6, 0.4, 1.0]).recall == 0.5


def test_decay_is_first_quarter_minus_last_with_shared_end_frames():
    found = statistics([1.0, 0.8, 0.6, 0.4, 0.2])
    assert found.mean == pytest.approx(0.6)
    assert found.decay == pytest.approx((1.0 + 0.8) / 2 - (0.4 + 0.2) / 2)


def test_decay_of_three_hundred_frames_is_not_lost():
    # The published code keeps bin limits in 8 bits and gives nan here.
    assert statistics(np.arange(300) / 300).decay == pytest.approx(-0.747, abs=5e-4)


def test_statistics_of_nothing_are_refused():
    with pytest.raises(ValueError, match="no frame"):
        statistics([])
