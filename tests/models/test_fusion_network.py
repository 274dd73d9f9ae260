import pytest
import torch
from vosforge.models.fusion import INPUTS, SIZES, FusionNetwork
from vosforge.models.propagation import count_parameters

MASKS = ("previous_mask", "new_mask", "a_plus", "a_minus")


@pytest.fixture
def tiny():
    torch.manual_seed(0)
    return FusionNetwork(SIZES["tiny"])


def inputs(batch=2, height=24, width=40):
    return {
        "rgb": torch.rand(batch, 3, height, width),
        **{name: torch.rand(batch, 1, height, width) for name in MASKS},
        "previous_distance": torch.rand(batch),
        "new_distance": torch.rand(batch),
    }


def test_full_network_has_the_published_number_of_parameters():
    full = FusionNetwork(SIZES["full"])
    assert count_parameters(full) == 39_905
    assert full.conv.weight.shape == (32, 9, 3, 3)
    assert sum(isinstance(module, torch.nn.Conv2d) for module in full.modules()) == 6


def test_logits_have_the_size_of_the_frame(tiny):
    assert tiny(**inputs(height=31, width=45)).shape == (2, 1, 31, 45)


def test_inputs_enter_in_the_published_order(tiny):
    seen = []
    tiny.conv.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    given = inputs()
    tiny(**given)
    for name in MASKS:
        assert torch.equal(seen[0][:, INPUTS.index(name)], given[name][:, 0])
    for name in ("previous_distance", "new_distance"):
        channel = seen[0][:, INPUTS.index(name)]
        assert torch.equal(channel, given[name][:, None, None].expand_as(channel))
    assert torch.allclose(seen[0][:, 0], (given["rgb"][:, 0] - 0.485) / 0.229)


def test_every_input_and_parameter_gets_a_gradient(tiny):
    given = {name: value.requires_grad_() for name, value in inputs().items()}
    tiny(**given).square().mean().backward()
    assert all(value.grad.abs().sum() > 0 for value in given.values())
    assert all(parameter.grad.abs().sum() > 0 for parameter in tiny.parameters())


def test_inputs_are_taken_by_name_only(tiny):
    with pytest.raises(TypeError):
        tiny(*inputs().values())


def test_untrained_network_is_undecided():
    assert FusionNetwork(SIZES["full"])(**inputs()).abs().max() < 3


def test_doubles_stay_doubles_and_autocast_gives_single_logits(tiny):
    given = inputs()
    with torch.autocast("cpu", torch.bfloat16):
        assert tiny(**given).dtype == torch.float32
    assert tiny.double()(**{name: value.double() for name, value in given.items()}).dtype == torch.float64
