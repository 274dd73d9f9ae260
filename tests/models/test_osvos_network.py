import pytest
import torch
from torch.nn import functional as F
from vosforge.models.osvos import SIZES, OSVOSNetwork, load_vgg_weights
from vosforge.models.propagation import count_parameters


@pytest.fixture
def tiny():
    torch.manual_seed(0)
    return OSVOSNetwork(SIZES["tiny"])


def vgg16():
    """The keys and shapes of torchvision's VGG-16, on the meta device."""
    channels, state, place, before = (64, 128, 256, 512, 512), {}, 0, 3
    for count, width in zip((2, 2, 3, 3, 3), channels, strict=True):
        for _ in range(count):
            state[f"features.{place}.weight"] = torch.empty(width, before, 3, 3, device="meta")
            state[f"features.{place}.bias"] = torch.empty(width, device="meta")
            place, before = place + 2, width
        place += 1
    return state | {"classifier.0.weight": torch.empty(4096, 25088, device="meta")}


def test_full_network_is_vgg_16_with_four_sides():
    with torch.device("meta"):
        network = OSVOSNetwork(SIZES["full"])
    trunk = 14_714_688  # torchvision's without its classifier
    sides = sum(width * 16 * 9 + 16 for width in (128, 256, 512, 512))
    assert count_parameters(network) == trunk + sides + 4 * 17 + 65 == 14_917_637
    names = load_vgg_weights(network, vgg16())
    assert len(names) == 13 and names[-1] == "stages.4.4"


@pytest.mark.parametrize("side", [(48, 80), (50, 67)])
def test_sides_and_answer_have_the_size_of_the_picture(tiny, side):
    answers = tiny(torch.rand(2, 3, *side))
    assert [answer.shape for answer in answers] == [(2, 1, *side)] * 5


def test_the_answer_is_the_fusion_of_all_enlarged_sides(tiny):
    network, rgb = tiny.double(), torch.rand(2, 3, 37, 50, dtype=torch.float64)
    x, sides = network.normalise(rgb), []
    for index, stage in enumerate(network.stages):
        x = stage(x if index == 0 else network.pool(x))
        if index:
            sides.append(F.interpolate(network.side[index - 1](x), (37, 50), mode="bilinear", align_corners=False))
    torch.nn.init.normal_(network.fuse.bias)
    assert torch.allclose(network(rgb)[-1], network.fuse(torch.cat(sides, dim=1)), rtol=0, atol=1e-12)


def test_every_osvos_parameter_gets_a_gradient(tiny):
    sum(answer.square().mean() for answer in tiny(torch.rand(2, 3, 64, 64))).backward()
    assert [name for name, p in tiny.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []


def test_rates_and_decay_are_shared_out_as_published(tiny):
    factors = {id(parameter): shares for parameter, *shares in tiny.optimiser_factors()}
    named = {name: factors[id(parameter)] for name, parameter in tiny.named_parameters()}
    assert len(factors) == len(named)
    assert named["stages.0.0.weight"] == named["side.0.weight"] == [1, 1] and named["stages.0.0.bias"] == [2, 0]
    assert named["score.0.weight"] == [0.1, 1] and named["fuse.weight"] == [0.01, 1] and named["fuse.bias"] == [0.02, 0]


def test_vgg_weights_land_in_their_stages(tiny):
    names = [f"stages.{i}.0" for i in range(5)]
    state = {}
    for number, name in zip((0, 2, 5, 7, 10), names, strict=True):
        layer = tiny.get_submodule(name)
        state[f"features.{number}.weight"] = torch.rand_like(layer.weight)
        state[f"features.{number}.bias"] = torch.rand_like(layer.bias)
    assert load_vgg_weights(tiny, state) == tuple(names)
    assert torch.equal(tiny.stages[2][0].weight, state["features.5.weight"])


def test_vgg_weights_that_do_not_fit_are_refused_by_name(tiny):
    with pytest.raises(ValueError, match="13 convolutions in 'features', this network 5"):
        load_vgg_weights(tiny, vgg16())
    state = {f"features.{n}.{part}": torch.zeros(1) for n in range(5) for part in ("weight", "bias")}
    with pytest.raises(ValueError, match=r"features\.0\.weight is"):
        load_vgg_weights(tiny, state)
