"""Running statistics: what one network would learn by itself from the micro-batches one after another."""

import copy

import pytest
import torch
from torch import nn
from vosforge.train.batch_statistics import BatchStatistics


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 2, 1), nn.BatchNorm2d(2, momentum=0.3)
    )


def micro_batches(count):
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(2, 3, 6, 6, generator=generator) * (1 + i) + i for i in range(count)]


def own_only(rows):
    return rows


def buffers(module):
    return dict(module.named_buffers())


def test_merged_statistics_are_those_of_a_network_that_saw_the_micro_batches_in_turn():
    plain, merged = network(), network()
    statistics = BatchStatistics(merged)
    for _ in range(2):
        for images in micro_batches(3):
            plain(images)
            with statistics.micro_batch():
                merged(images)
        statistics.merge(own_only)
    for name, value in buffers(plain).items():
        assert torch.allclose(value, buffers(merged)[name], rtol=1e-6, atol=1e-7), name
    assert merged[1].num_batches_tracked == 6


def test_layer_that_is_called_several_times_in_a_micro_batch_counts_each_call():
    plain, merged = network(), network()
    statistics = BatchStatistics(merged)
    first, second, third = micro_batches(3)
    for images in (first, second, third):
        plain(images)
    with statistics.micro_batch():
        merged(first)
        merged(second)
    with statistics.micro_batch():
        merged(third)
    statistics.merge(own_only)
    assert merged[1].num_batches_tracked == 3
    for name, value in buffers(plain).items():
        assert torch.allclose(value, buffers(merged)[name], rtol=1e-6, atol=1e-7), name


def test_order_of_micro_batches_matters_and_is_that_of_the_processes():
    images = micro_batches(2)
    shares = []
    for own in images:
        module = network()
        statistics = BatchStatistics(module)
        with statistics.micro_batch():
            module(own)
        statistics.merge(lambda rows: shares.append(rows) or rows)
    results = []
    for order in (shares, shares[::-1]):
        merged = network()
        statistics = BatchStatistics(merged)
        with statistics.micro_batch():
            merged(images[0])
        statistics.merge(lambda _, order=order: torch.cat(order))
        results.append(merged[1].running_mean)
    plain = network()
    for one in images:
        plain(one)
    assert torch.allclose(results[0], plain[1].running_mean, rtol=1e-6)
    assert not torch.allclose(results[1], plain[1].running_mean, rtol=1e-3)


def test_gradients_are_untouched_by_the_recording():
    plain, recorded = network(), network()
    statistics = BatchStatistics(recorded)
    (images,) = micro_batches(1)
    plain(images).square().mean().backward()
    with statistics.micro_batch():
        loss = recorded(images).square().mean()
    loss.backward()
    for ours, theirs in zip(recorded.parameters(), plain.parameters(), strict=True):
        assert torch.equal(ours.grad, theirs.grad)


def test_an_error_in_a_forward_pass_leaves_the_statistics_as_they_were():
    module = network()
    module(micro_batches(1)[0])
    before = copy.deepcopy(buffers(module))
    statistics = BatchStatistics(module)
    with pytest.raises(RuntimeError), statistics.micro_batch():
        module(torch.zeros(2, 5, 6, 6))
    assert all(torch.equal(value, before[name]) for name, value in buffers(module).items())


def test_momentum_none_is_refused_by_name():
    with pytest.raises(ValueError, match="layer 0 has momentum None"):
        BatchStatistics(nn.Sequential(nn.BatchNorm2d(2, momentum=None)))


def test_network_without_batch_norm_has_nothing_to_merge():
    module = nn.Linear(2, 2)
    statistics = BatchStatistics(module)
    with statistics.micro_batch():
        module(torch.zeros(1, 2))
    statistics.merge(own_only)


def test_layers_in_evaluation_mode_keep_what_they_have_and_are_used_so():
    merged, plain = network(), network()
    for one in (merged, plain):
        one[1].running_mean.fill_(0.7)
        one[1].running_var.fill_(2.0)
        one[1].eval()
    statistics, images = BatchStatistics(merged), micro_batches(1)[0]
    with statistics.micro_batch():
        seen = merged(images)
    statistics.merge(own_only)
    assert torch.equal(seen, plain(images))
    assert merged[1].num_batches_tracked == 0 and merged[4].num_batches_tracked == 1
    for name, value in buffers(plain).items():
        assert torch.allclose(value, buffers(merged)[name], rtol=1e-6, atol=1e-7), name
