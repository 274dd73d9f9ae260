import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
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


def plain_read(keys, values, query, top_k):
    """The definition, over whole matrices: all weights but those of the k best are zero."""
    affinity = torch.einsum("bcm,bcq->bqm", keys.flatten(2), query.flatten(2)) / keys.shape[1] ** 0.5
    if top_k is not None:
        kth = affinity.sort(dim=2, descending=True).values[..., top_k - 1 : top_k]
        affinity = affinity.masked_fill(affinity < kth, -torch.inf)
    readout = torch.einsum("bcm,bqm->bcq", values.flatten(2), affinity.softmax(dim=2))
    return readout.unflatten(2, query.shape[2:])


@pytest.mark.parametrize("top_k", [None, 1, 7, 59, 60])
@pytest.mark.parametrize("chunk", [1, 3, 20])
def test_read_and_its_gradients_are_those_of_the_definition(entries, monkeypatch, top_k, chunk):
    monkeypatch.setattr(memory, "MAX_AFFINITY_CELLS", 60 * chunk)
    ours, plain = ([x.double().requires_grad_() for x in entries] for _ in range(2))
    found, expected = read(*ours, top_k), plain_read(*plain, top_k)
    assert found.dtype == torch.float64 and torch.allclose(found, expected, atol=1e-12)
    upstream = torch.randn_like(expected)
    found.backward(upstream)
    expected.backward(upstream)
    for a, b in zip(ours, plain, strict=True):
        assert torch.allclose(a.grad, b.grad, atol=1e-12)


def test_gradients_of_the_top_k_read_agree_with_finite_differences():
    generator = torch.Generator().manual_seed(3)
    shapes = ((1, 4, 2, 2, 3), (1, 3, 2, 2, 3), (1, 4, 1, 2))
    given = [torch.randn(shape, generator=generator, dtype=torch.float64, requires_grad=True) for shape in shapes]
    assert torch.autograd.gradcheck(lambda *entries: read(*entries, top_k=4), given)


def test_of_equal_affinities_exactly_k_are_read():
    # All 12 cells are alike: any 3 of them may be read, each with a third of the weight.
    keys, query = torch.ones(1, 4, 3, 2, 2), torch.ones(1, 4, 1, 2)
    values = torch.eye(12).view(1, 12, 3, 2, 2)
    readout = read(keys, values, query, top_k=3)
    assert torch.allclose(readout.sort(dim=1, descending=True).values[:, :3], torch.tensor(1 / 3))
    assert torch.equal((readout > 0).sum(dim=1), torch.full((1, 1, 2), 3))


def test_values_in_half_precision_are_read_in_their_own_type(entries):
    keys, values, query = entries
    for top_k in (None, 7):
        found = read(keys, values.bfloat16(), query, top_k)
        assert found.dtype == torch.bfloat16
        assert torch.allclose(found.float(), read(keys, values, query, top_k), atol=0.03)


def test_cells_outside_the_best_get_no_gradient(entries):
    keys, values, query = entries
    values = values[:1].clone().requires_grad_()
    read(keys[:1], values, query[:1, :, :1, :1], top_k=7).sum().backward()
    assert (values.grad[0, 0] != 0).sum() == 7


def test_rows_of_keys_and_values_must_agree(entries):
    keys, values, query = entries
    with pytest.raises(ValueError, match="2 rows of memory keys and 1 of values"):
        read(keys, values[:1], query)


class LargestTensor(TorchDispatchMode):
    """Notes the number of elements of the largest tensor that any operation makes."""

    elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for made in result if isinstance(result, tuple) else (result,):
            if isinstance(made, torch.Tensor):
                self.elements = max(self.elements, made.numel())
        return result


@pytest.mark.parametrize("top_k", [None, 7])
def test_the_whole_affinity_is_never_held(entries, monkeypatch, top_k):
    keys, values, _ = entries
    query = torch.randn(2, 16, 40, 50)
    with LargestTensor() as whole:
        read(keys, values, query, top_k)
    monkeypatch.setattr(memory, "MAX_AFFINITY_CELLS", 6000)
    with LargestTensor() as cut:
        read(keys, values, query, top_k)
    # What remains is the query itself: 16 channels where the affinity has 60 memory cells.
    assert whole.elements >= 60 * 2000 and cut.elements == query.numel()
