"""The dense CRF: what its energy asks for, on pictures of a few pixels, and the library against the exact sums."""

from dataclasses import replace

import numpy as np
import pytest
from vosforge.train.inference.dense_crf import DenseCRFSettings, is_lattice_installed, refine, refine_mask

EXACT = DenseCRFSettings(engine="exact")
SIDE = 24


def square():
    """A red square on blue, and its mask."""
    mask = np.zeros((SIDE, SIDE), bool)
    mask[6:18, 6:18] = True
    rgb = np.where(mask[..., None], np.array([220, 30, 30], np.uint8), np.array([30, 30, 220], np.uint8))
    return rgb, mask


def doubtful(mask, wrong):
    """Probabilities of 0.7 and 0.3 after the mask, the other way round where it is wrong."""
    return np.where(mask ^ wrong, 0.7, 0.3).astype(np.float32)


def iou(one, other):
    return (one & other).sum() / (one | other).sum()


def test_wrong_pixels_take_the_class_of_their_colour():
    rgb, mask = square()
    wrong = np.random.default_rng(0).random(mask.shape) < 0.15
    given = doubtful(mask, wrong)
    refined = refine_mask(given, rgb, EXACT)
    assert iou(given > 0.5, mask) < 0.8 and np.array_equal(refined > 0.5, mask)


def test_a_mask_snaps_to_the_edge_of_the_picture():
    rgb, mask = square()
    too_large = np.zeros_like(mask)
    too_large[4:20, 4:20] = True
    assert np.array_equal(refine_mask(doubtful(too_large, too_large & ~too_large), rgb, EXACT) > 0.5, mask)


def test_without_colour_smoothness_removes_single_pixels_alone():
    grey = np.full((SIDE, SIDE, 3), 128, np.uint8)
    _, mask = square()
    wrong = np.zeros_like(mask)
    wrong[2, 2] = wrong[12, 12] = True
    smooth = replace(EXACT, appearance_weight=0.0)
    refined = refine_mask(doubtful(mask, wrong), grey, smooth) > 0.5
    assert not refined[2, 2] and refined[12, 12] and np.array_equal(refined[8:16, 8:16], mask[8:16, 8:16])


def test_without_pairs_or_iterations_probabilities_stay():
    rgb, mask = square()
    given = doubtful(mask, mask & ~mask)
    for settings in (replace(EXACT, appearance_weight=0.0, smoothness_weight=0.0), replace(EXACT, iterations=0)):
        assert np.allclose(refine_mask(given, rgb, settings), given, atol=1e-5)


def test_certain_pixels_persuade_doubtful_ones():
    rgb, mask = square()
    given = np.full(mask.shape, 0.5, np.float32)
    given[12, 12], given[1, 1] = 1.0, 0.0
    refined = refine_mask(given, rgb, EXACT)
    assert refined[7, 7] > 0.5 > refined[22, 22]


def test_three_classes_share_the_pixels():
    rgb, mask = square()
    probabilities = np.full((3, SIDE, SIDE), 0.2, np.float32)
    probabilities[1][mask], probabilities[0][~mask] = 0.6, 0.6
    refined = refine(probabilities, rgb, EXACT)
    assert np.allclose(refined.sum(axis=0), 1, atol=1e-5)
    assert np.array_equal(refined.argmax(axis=0), mask.astype(int))


def test_one_pair_of_pixels_by_hand():
    """Two pixels of one colour, side by side: one round of mean field as written down."""
    settings = replace(EXACT, iterations=1, appearance_weight=2.0, smoothness_weight=0.0, appearance_pixels=1.0)
    given = np.array([[0.9, 0.4]], np.float32)
    near = np.exp(-0.5)
    message = (given + near * given[:, ::-1]) / (1 + near)
    log_odds = np.log(given / (1 - given)) + 2.0 * (message - (1 - message))
    expected = 1 / (1 + np.exp(-log_odds))
    rgb = np.full((1, 2, 3), 7, np.uint8)
    assert np.allclose(refine_mask(given, rgb, settings), expected, atol=1e-5)


def test_sums_over_pixels_are_normalised_on_both_sides():
    """Three pixels in a row: the one in the middle has more neighbours, so its sums are larger."""
    settings = replace(EXACT, iterations=1, appearance_weight=0.0, smoothness_weight=2.0, smoothness_pixels=1.0)
    given = np.array([0.9, 0.4, 0.6])
    kernel = np.exp(-0.5 * np.subtract.outer(np.arange(3), np.arange(3)) ** 2)
    norm = 1 / np.sqrt(kernel.sum(axis=1))
    message = norm * (kernel @ (norm * given))
    opposite = norm * (kernel @ (norm * (1 - given)))
    log_odds = np.log(given / (1 - given)) + 2.0 * (message - opposite)
    refined = refine_mask(given[None].astype(np.float32), np.full((1, 3, 3), 7, np.uint8), settings)
    assert np.allclose(refined[0], 1 / (1 + np.exp(-log_odds)), atol=1e-5)


@pytest.mark.skipif(not is_lattice_installed(), reason="needs the extra crf")
def test_the_library_finds_the_exact_masks():
    rgb, mask = square()
    noisy = np.clip(rgb.astype(int) + np.random.default_rng(1).integers(-15, 16, rgb.shape), 0, 255).astype(np.uint8)
    given = doubtful(mask, np.random.default_rng(2).random(mask.shape) < 0.15)
    exact, lattice = (refine_mask(given, noisy, DenseCRFSettings(engine=engine)) for engine in ("exact", "lattice"))
    assert iou(exact > 0.5, lattice > 0.5) > 0.98 and np.abs(exact - lattice).mean() < 0.05


def test_what_does_not_fit_is_refused_by_name():
    rgb, _ = square()
    with pytest.raises(ValueError, match="give \\(K, H, W\\)"):
        refine(np.zeros((2, 3, 3), np.float32), rgb, EXACT)
    with pytest.raises(ValueError, match="choose the engine 'lattice'"):
        refine_mask(np.zeros((200, 200), np.float32), np.zeros((200, 200, 3), np.uint8), EXACT)
    with pytest.raises(ValueError, match="appearance_colour is 0"):
        DenseCRFSettings(appearance_colour=0)
    with pytest.raises(ValueError, match="iterations is -1"):
        DenseCRFSettings(iterations=-1)


def test_a_missing_library_is_told_with_the_way_out(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pydensecrf", None)
    rgb, mask = square()
    with pytest.raises(ValueError, match=r"pip install '\.\[crf\]'"):
        refine_mask(mask.astype(np.float32), rgb, DenseCRFSettings())
