import pytest
import torch
from vosforge.models import memory
from vosforge.models.memory import read


@pytest.fixture
def entries():
    generator = torch.Generator().manual_seed(1)
    keys = torch.randn(2, 16, 3, 4, 5, generator=generator)
    values = torch.randn(2, 6, 3, 4, 5, generator=generator)
    return keys, values, torch.randn(2, 16, 4, 5, generator=generator)


def test_reading_the_identical_frame_returns_its_own_mask():
    key = torch.nn.functional.normalize(torch.randn(1, 32, 4, 6), dim=1) * 30
    mask = (torch.rand(1, 1, 4, 6) > 0.5).float()
    for top_k in (None, 5):
        readout = read(key[:, :, None], mask[:, :, None], key, top_k)
        assert torch.allclose(readout, mask, atol=1e-3)


def test_read_is_the_softmax_of_scaled_dot_products(entries):
    keys, values, query = entries
    weights = torch.einsum("bcm,bcq->bmq", keys.flatten(2), query.flatten(2)).div(4).softmax(dim=1)
    expected = torch.einsum("bcm,bmq->bcq", values.flatten(2), weights).view(2, 6, 4, 5)
    assert torch.allclose(read(keys, values, query), expected, atol=1e-5)


def test_top_k_of_all_cells_is_the_full_softmax(entries):
    assert torch.equal(read(*entries, top_k=60), read(*entries))
    assert torch.equal(read(*entries, top_k=1000), read(*entries))
    assert not torch.allclose(read(*entries, top_k=59), read(*entries), atol=1e-7)


def test_top_1_copies_the_value_of_the_best_cell(entries):
    keys, values, query = entries
    best = torch.einsum("bcm,bcq->bmq", keys.flatten(2), query.flatten(2)).argmax(dim=1)
    expected = values.flatten(2).gather(2, best[:, None].expand(-1, 6, -1)).view(2, 6, 4, 5)
    assert torch.allclose(read(keys, values, query, top_k=1), expected)


def test_top_k_treats_every_row_of_the_batch_by_itself(entries):
    keys, values, query = entries
    # Row 1's affinities are far larger: a maximum shared over the batch would empty row 0's softmax.
    query = query * torch.tensor([1.0, 1000.0]).view(2, 1, 1, 1)
    alone = read(keys[:1], values[:1], query[:1], top_k=7)
    assert torch.allclose(read(keys, values, query, top_k=7)[:1], alone, atol=1e-5)


@pytest.mark.parametrize("top_k", [None, 7])
def test_chunks_change_no_result(entries, monkeypatch, top_k):
    whole = read(*entries, top_k=top_k)
    monkeypatch.setattr(memory, "MAX_AFFINITY_CELLS", 2 * 60 * 3)
    assert torch.allclose(read(*entries, top_k=top_k), whole, atol=1e-6)


@pytest.mark.parametrize("top_k", [None, 7])
def test_affinities_keep_fp32_under_autocast(entries, top_k):
    keys, values, query = entries
    # Large affinities, where the rounding of bf16 would move the weights.
    expected = read(5 * keys, values, 5 * query, top_k)
    with torch.autocast("cpu", torch.bfloat16):
        found = read(5 * keys, values, 5 * query, top_k)
    assert torch.allclose(found.float(), expected, atol=0.02)


def test_shapes_that_disagree_are_refused(entries):
    keys, values, query = entries
    with pytest.raises(ValueError, match="memory_key"):
        read(keys[:, :8], values, query)
    with pytest.raises(ValueError, match="top_k is 0"):
        read(keys, values, query, top_k=0)
