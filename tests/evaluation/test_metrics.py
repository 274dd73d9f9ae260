"""J, F and their statistics against published definitions and hand-made cases."""

import cv2
import numpy as np
import pytest
from vosforge.train.evaluation.metrics import boundary_accuracy, boundary_map, disk, region_similarity, statistics


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


def test_disk_holds_all_offsets_within_its_radius():
    np.testing.assert_array_equal(disk(1), [[0, 1, 0], [1, 1, 1], [0, 1, 0]])
    assert disk(8).shape == (17, 17)
    assert disk(8)[8, 0] == 1
    assert disk(8)[7, 0] == 0


def test_tolerance_from_one_on_counts_pixels():
    assert boundary_accuracy(rectangle(), rectangle(9), tolerance=9) == 1
    assert boundary_accuracy(rectangle(), rectangle(9), tolerance=8) < 1


def plain_boundary_accuracy(truth: np.ndarray, prediction: np.ndarray) -> float:
    """F as the benchmark writes it down: dilation over the whole picture."""
    near = disk(int(np.ceil(0.008 * np.linalg.norm(truth.shape))))
    a, b = boundary_map(truth).astype(np.uint8), boundary_map(prediction).astype(np.uint8)
    precision = (b & cv2.dilate(a, near)).sum() / b.sum()
    recall = (a & cv2.dilate(b, near)).sum() / a.sum()
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def test_cropping_to_the_boundaries_changes_nothing():
    rng = np.random.default_rng(3)
    for _ in range(20):
        masks = []
        for _ in range(2):
            noise = cv2.GaussianBlur(rng.standard_normal((120, 200)), (0, 0), 9)
            masks.append(noise > np.quantile(noise, rng.uniform(0.5, 0.95)))
        assert boundary_accuracy(*masks) == plain_boundary_accuracy(*masks)


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
