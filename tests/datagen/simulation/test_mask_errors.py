import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mask_worlds import SEEDS, box, disc, iou, masks
from vosforge.datagen.simulation.mask_errors import MaskErrorSettings, perturb_mask, perturb_to_iou
from vosforge.datagen.simulation.morphology import edit_rectangle, error_kernel

QUICK = settings(max_examples=40, deadline=None)


@given(mask=masks(), seed=SEEDS)
@QUICK
def test_identical_seeds_give_identical_errors_and_leave_the_mask_alone(mask, seed):
    before = mask.copy()
    first, second = (perturb_mask(np.random.default_rng(seed), mask) for _ in range(2))
    assert (first == second).all() and (mask == before).all() and first.dtype == bool


@given(mask=masks(), seed=SEEDS, target=st.floats(0.4, 0.95))
@QUICK
def test_iou_is_below_its_target_unless_the_rounds_run_out(mask, seed, target):
    perturbed = perturb_to_iou(np.random.default_rng(seed), mask, target)
    if not mask.any():
        assert not perturbed.any()
    elif mask.size > 50 and 0 < np.count_nonzero(mask) < mask.size / 3:
        assert iou(mask, perturbed) < target


@given(mask=masks(), seed=SEEDS, target=st.floats(0.4, 0.95), overshoot=st.floats(0.05, 0.3))
@QUICK
def test_bounded_overshoot_keeps_every_object(mask, seed, target, overshoot):
    settings = MaskErrorSettings(max_overshoot=overshoot, max_rounds=40)
    perturbed = perturb_to_iou(np.random.default_rng(seed), mask, target, settings)
    assert iou(mask, perturbed) >= target - overshoot - 1e-9
    assert perturbed.any() == mask.any()


def test_iou_of_a_large_object_ends_just_below_its_target():
    mask = disc(240, 60)
    targets = np.random.default_rng(0).uniform(0.5, 0.95, 40)
    reached = [iou(mask, perturb_to_iou(np.random.default_rng(i), mask, t)) for i, t in enumerate(targets)]
    short = targets - reached
    assert (short > 0).mean() > 0.9
    assert np.median(short) < 0.02 and short.max() < 0.15


def test_drawn_targets_cover_the_published_range():
    mask = disc(160, 40)
    reached = [iou(mask, perturb_mask(np.random.default_rng(seed), mask)) for seed in range(120)]
    assert 0.25 < min(reached) < 0.48 and 0.9 < max(reached) < 0.95
    assert 0.6 < np.mean(reached) < 0.72


def test_errors_are_missing_and_wrong_pixels_alike():
    mask = disc(160, 40)
    perturbed = [perturb_to_iou(np.random.default_rng(seed), mask, 0.7) for seed in range(60)]
    missing = np.mean([np.count_nonzero(mask & ~p) for p in perturbed])
    wrong = np.mean([np.count_nonzero(p & ~mask) for p in perturbed])
    assert 0.2 < missing / (missing + wrong) < 0.8


@given(mask=masks(), seed=SEEDS)
@QUICK
def test_edits_equal_those_on_the_whole_picture(mask, seed):
    """What is skipped for speed, empty parts of the rectangles, changes nothing."""
    settings = MaskErrorSettings(max_rounds=4, iou_target=(0, 0))
    perturbed = perturb_to_iou(np.random.default_rng(seed), mask, 0.0, settings)
    plain, rng = mask.astype(np.uint8), np.random.default_rng(seed)
    for numbers in rng.random((16, 9)) if mask.any() else ():
        left, top, right, bottom = edit_rectangle(*mask.shape, numbers[:4])
        if numbers[4] < 0.1:
            plain[(top + bottom) // 2, (left + right) // 2] = numbers[5] < 0.5
        kernel = error_kernel(int(numbers[8] * 4), 3 + int(numbers[7] * 7))
        part = plain[top:bottom, left:right].copy()
        plain[top:bottom, left:right] = (cv2.dilate if numbers[6] < 0.5 else cv2.erode)(part, kernel)
    assert (perturbed == plain.astype(bool)).all()


def test_full_mask_gets_holes_or_stays_full():
    full = np.ones((60, 60), bool)
    perturbed = [perturb_to_iou(np.random.default_rng(seed), full, 0.9) for seed in range(10)]
    assert any(not p.all() for p in perturbed)


@pytest.mark.parametrize("target", [-0.1, 1.5, float("nan")])
def test_target_that_is_no_iou_is_refused(target):
    with pytest.raises(ValueError, match=f"iou_target is {target}"):
        perturb_to_iou(np.random.default_rng(0), box(8, 8, 2, 2, 5, 5), target)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"iou_target": (0.9, 0.4)}, "iou_target"),
        ({"kernel_size": (1, 9)}, "kernel_size"),
        ({"dilate_probability": -1}, "dilate_probability is -1"),
        ({"max_rounds": 0}, "max_rounds"),
        ({"max_overshoot": 0.0}, "max_overshoot is 0.0"),
    ],
)
def test_wrong_setting_is_named(changes, message):
    with pytest.raises(ValueError, match=message):
        MaskErrorSettings(**changes)
