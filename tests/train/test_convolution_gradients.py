"""Weight gradients of bf16 convolutions on the CPU."""

import contextlib

import pytest
import torch
from torch import nn
from vosforge.train.convolution_gradients import Float32WeightGradients, backward_mode


def gradients(network, picture, mode, dtype=torch.bfloat16):
    network.zero_grad()
    given = picture.clone().requires_grad_()
    with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
        loss = network(given).float().square().mean()
    with mode:
        loss.backward()
    return [given.grad, *(parameter.grad for parameter in network.parameters())]


@pytest.fixture
def convolutions():
    torch.manual_seed(0)
    layers = nn.Conv2d(3, 16, 7, 2, 3), nn.ReLU(), nn.Conv2d(16, 24, 3, 2, 1, bias=False), nn.Conv2d(24, 1, 3, 1, 1)
    return nn.Sequential(*layers), torch.randn(2, 3, 40, 40)


def distance(found, expected):
    return max(float((a - b).norm() / b.norm()) for a, b in zip(found, expected, strict=True))


def test_gradients_are_those_of_bf16_and_nearer_to_the_true_ones(convolutions):
    exact = gradients(*convolutions, contextlib.nullcontext(), torch.float32)
    plain = gradients(*convolutions, contextlib.nullcontext())
    found = gradients(*convolutions, Float32WeightGradients())
    assert torch.equal(found[0], plain[0]), "the gradient of the picture is bf16's"
    assert all(gradient.dtype == torch.float32 for gradient in found)
    assert distance(found, exact) < 0.05
    assert sum(distance([a], [b]) for a, b in zip(found, exact, strict=True)) <= sum(
        distance([a], [b]) for a, b in zip(plain, exact, strict=True)
    )


def test_float32_is_left_alone(convolutions):
    with_mode = gradients(*convolutions, Float32WeightGradients(), torch.float32)
    without = gradients(*convolutions, contextlib.nullcontext(), torch.float32)
    assert all(torch.equal(a, b) for a, b in zip(with_mode, without, strict=True))


def test_frozen_weights_get_none(convolutions):
    network, picture = convolutions
    network[0].weight.requires_grad_(False)
    assert gradients(network, picture, Float32WeightGradients())[1] is None


@pytest.mark.parametrize(
    ("device", "dtype", "is_used"),
    [
        ("cpu", torch.bfloat16, True),
        ("cpu", None, False),
        ("cpu", torch.float16, False),
        ("cuda", torch.bfloat16, False),
    ],
)
def test_mode_is_for_bf16_on_the_cpu(device, dtype, is_used):
    assert isinstance(backward_mode(torch.device(device), dtype), Float32WeightGradients) == is_used
