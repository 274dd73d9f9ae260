import pytest
import torch
from torch.nn import functional as F
from vosforge.models.difference import difference_maps


@pytest.fixture
def keys():
    """Keys of a frame whose cells are all unlike one another."""
    return F.normalize(torch.randn(1, 64, 3, 4, generator=torch.Generator().manual_seed(0)), dim=1) * 60


def square(top, left):
    mask = torch.zeros(1, 1, 48, 64)
    mask[..., top : top + 16, left : left + 16] = 1
    return mask


def test_in_the_identical_frame_the_difference_stays_where_it_was(keys):
    plus, minus = difference_maps(square(0, 0), square(32, 48), keys, keys)
    assert plus.shape == minus.shape == (1, 1, 48, 64)
    # Between the centres of cells the maps are interpolated.
    assert plus[..., 40:, 56:].min() > 0.9 and plus[..., :24, :].max() < 0.01
    assert minus[..., :8, :8].min() > 0.9 and minus[..., 24:, :].max() < 0.01


def test_difference_moves_with_the_picture(keys):
    # The target frame is the interacted one, moved one cell to the right.
    plus, _ = difference_maps(torch.zeros(1, 1, 48, 64), square(16, 16), keys, keys.roll(1, dims=3))
    assert plus[..., 24, 40] > 0.9 and plus[..., 24, :24].max() < 0.1


def test_equal_masks_have_no_difference(keys):
    plus, minus = difference_maps(square(0, 0), square(0, 0), keys, keys)
    assert not plus.any() and not minus.any()


def test_swapped_masks_swap_the_maps(keys):
    old, new = torch.rand(2, 1, 1, 48, 64)
    plus, minus = difference_maps(old, new, keys, keys)
    for there, back in zip((plus, minus), reversed(difference_maps(new, old, keys, keys)), strict=True):
        assert torch.allclose(there, back)


def test_maps_are_the_mean_of_cells_weighted_by_the_full_softmax():
    generator = torch.Generator().manual_seed(1)
    old, new = torch.rand(2, 2, 1, 32, 32, generator=generator)
    memory, query = torch.randn(2, 2, 8, 2, 2, generator=generator)
    weights = torch.einsum("bcm,bcq->bmq", memory.flatten(2), query.flatten(2)).div(8**0.5).softmax(dim=1)
    cells = (new - old).clamp(min=0).unflatten(2, (2, 16)).unflatten(4, (2, 16)).mean(dim=(3, 5))
    moved = (cells.flatten(2) @ weights).view(2, 1, 2, 2)
    expected = F.interpolate(moved, size=(32, 32), mode="bilinear", align_corners=False)
    assert torch.allclose(difference_maps(old, new, memory, query)[0], expected, atol=1e-6)


def test_top_k_keeps_the_best_cells_only(keys):
    flat = keys / 60
    full, _ = difference_maps(torch.zeros(1, 1, 48, 64), square(0, 0), flat, flat)
    best, _ = difference_maps(torch.zeros(1, 1, 48, 64), square(0, 0), flat, flat, top_k=1)
    assert full.min() > 0 and best.min() == 0 and best.max() == 1


def test_computed_in_single_precision_under_autocast(keys):
    old, new = torch.rand(2, 1, 1, 48, 64)
    expected = difference_maps(old, new, keys, keys)[0]
    with torch.autocast("cpu", torch.bfloat16):
        found = difference_maps(old, new, keys, keys)[0]
    assert found.dtype == torch.float32 and torch.equal(found, expected)


def test_masks_of_other_shapes_are_refused(keys):
    with pytest.raises(ValueError, match=r"both must be \(B, 1, H, W\)"):
        difference_maps(torch.zeros(1, 48, 64), torch.zeros(1, 48, 64), keys, keys)
