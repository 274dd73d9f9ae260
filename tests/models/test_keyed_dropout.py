import pytest
import torch
from torch import nn
from vosforge.models.dropout import KeyedDropout, set_dropout_keys


def dropped(keys, p=0.5, shape=(8, 4, 4)):
    layer = KeyedDropout(p).train()
    set_dropout_keys(layer, torch.tensor(keys))
    return layer(torch.ones(len(keys), *shape))


def test_mask_of_a_sample_does_not_depend_on_its_batch():
    whole = dropped([7, 11, 13])
    assert torch.equal(dropped([11]), whole[1:2])
    assert torch.equal(dropped([13, 7]), whole[[2, 0]])


def test_every_key_drops_other_elements():
    masks = dropped(list(range(100)))
    assert len({tuple(mask.flatten().tolist()) for mask in masks}) == 100


def test_all_64_bits_of_a_key_count():
    low, high, negative = dropped([5, 5 + (1 << 40), -5])
    assert not torch.equal(low, high) and not torch.equal(low, negative)


def test_fraction_and_mean_are_those_of_dropout():
    result = dropped(list(range(50)), p=0.1, shape=(64, 8, 8))
    assert result.unique().tolist() == pytest.approx([0, 1 / 0.9])
    assert (result == 0).float().mean().item() == pytest.approx(0.1, abs=0.005)
    assert result.mean().item() == pytest.approx(1, abs=0.005)


def test_two_layers_drop_other_elements():
    network = nn.Sequential(KeyedDropout(0.5), KeyedDropout(0.5)).train()
    set_dropout_keys(network, torch.tensor([3]))
    x = torch.ones(1, 100)
    assert not torch.equal(network[0](x), network[1](x))


def test_global_generator_is_neither_read_nor_moved():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = dropped([3])
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert torch.equal(dropped([3]), first)


def test_gradients_flow_through_what_was_kept_only():
    layer = KeyedDropout(0.5).train()
    set_dropout_keys(layer, torch.tensor([3]))
    x = torch.ones(1, 1000, requires_grad=True)
    result = layer(x)
    result.sum().backward()
    assert torch.equal(x.grad, result.detach())


def test_evaluation_and_zero_are_the_identity_and_need_no_keys():
    x = torch.rand(2, 3)
    assert KeyedDropout(0.5).eval()(x) is x
    assert KeyedDropout(0).train()(x) is x


def test_missing_keys_and_too_few_are_named():
    layer = KeyedDropout(0.1).train()
    with pytest.raises(ValueError, match="none are set; call set_dropout_keys"):
        layer(torch.ones(2, 3))
    set_dropout_keys(layer, torch.tensor([1]))
    with pytest.raises(ValueError, match="each of the 2 rows of the batch, but 1 are set"):
        layer(torch.ones(2, 3))


def test_a_fraction_that_drops_all_is_refused():
    with pytest.raises(ValueError, match=r"dropout of 1\.0"):
        KeyedDropout(1.0)


def test_doubles_stay_doubles():
    layer = KeyedDropout(0.1).train()
    set_dropout_keys(layer, torch.tensor([1]))
    # 1 / 0.9 rounded to single would be off in the eighth digit.
    assert layer(torch.ones(1, 100, dtype=torch.float64)).max().item() == pytest.approx(1 / 0.9, abs=1e-15)
