import numpy as np
import pytest
from hypothesis import given, settings
from mask_worlds import SEEDS, box, disc, iou, masks
from vosforge.datagen.simulation.mask_deformation import DeformationSettings, deform_mask, draw_deformation

QUICK = settings(max_examples=40, deadline=None)


def moved(x: float, y: float, scale: float = 1.0) -> np.ndarray:
    return np.array([[scale, 0, x], [0, scale, y], [0, 0, 1.0]])


@given(mask=masks())
@QUICK
def test_identity_changes_nothing(mask):
    assert (deform_mask(mask, np.eye(3)) == mask).all()


@given(mask=masks())
@QUICK
def test_whole_pixels_of_shift_move_the_mask_and_lose_what_leaves(mask):
    expected = np.zeros_like(mask)
    expected[2:, 3:] = mask[:-2, :-3] if mask.shape[0] > 2 and mask.shape[1] > 3 else expected[2:, 3:]
    assert (deform_mask(mask, moved(3, 2)) == expected).all()


@given(mask=masks(max_side=24))
@QUICK
def test_twice_the_scale_repeats_every_pixel(mask):
    wide = np.zeros((2 * mask.shape[0], 2 * mask.shape[1]), bool)
    wide[: mask.shape[0], : mask.shape[1]] = mask
    assert (deform_mask(wide, moved(0, 0, 2.0)) == np.kron(mask, np.ones((2, 2), bool))).all()


@given(mask=masks())
@QUICK
def test_transposed_mask_under_the_transposed_map_is_transposed(mask):
    matrix = moved(1.3, -2.2, 1.17)
    swap = np.array([[0, 1, 0], [1, 0, 0], [0, 0, 1.0]])
    deformed = deform_mask(mask, matrix)
    assert (deform_mask(np.ascontiguousarray(mask.T), swap @ matrix @ swap) == deformed.T).all()


@given(mask=masks(), seed=SEEDS)
@QUICK
def test_identical_seeds_give_identical_deformations(mask, seed):
    first, second = (draw_deformation(np.random.default_rng(seed), mask) for _ in range(2))
    assert (first == second).all()
    assert deform_mask(mask, first).shape == mask.shape


def test_object_keeps_its_place_and_most_of_its_area():
    mask = disc(200, 50, 70, 120)
    drawn = [deform_mask(mask, draw_deformation(np.random.default_rng(seed), mask)) for seed in range(60)]
    overlaps = np.array([iou(mask, d) for d in drawn])
    assert overlaps.min() > 0.6 and overlaps.max() < 1 and overlaps.std() > 0.02
    areas = [np.count_nonzero(d) / np.count_nonzero(mask) for d in drawn]
    assert 0.95 < np.mean(areas) < 1.05


def test_shift_is_a_share_of_the_object_not_of_the_picture():
    settings = DeformationSettings(rotation_degrees=0, shear_degrees=0, scale=(1, 1), shift=0.5)
    matrices = [draw_deformation(np.random.default_rng(s), box(400, 400, 9, 9, 19, 29), settings) for s in range(50)]
    shifts = np.array([m[:2, 2] for m in matrices])
    assert (abs(shifts) <= [10, 5]).all() and abs(shifts).max(axis=0) == pytest.approx([10, 5], rel=0.1)


@pytest.mark.parametrize("changes", [{"scale": (1.2, 0.8)}, {"rotation_degrees": -1}, {"shear_degrees": 90}])
def test_wrong_setting_is_named(changes):
    with pytest.raises(ValueError, match=next(iter(changes))):
        DeformationSettings(**changes)
