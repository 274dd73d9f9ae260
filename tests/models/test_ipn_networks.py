from dataclasses import replace

import pytest
import torch
from vosforge.models.ipn import NEUTRAL, SIZES, FeatureAggregation, InteractionNet, IPNNetwork, PropagationNet
from vosforge.models.resnet import BasicBlock, Bottleneck, ResNetTrunk
from vosforge.models.weights import load_imagenet

TINY = SIZES["tiny"]


def parameters(module):
    return sum(each.numel() for each in module.parameters())


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return IPNNetwork(TINY).eval()


def picture(num=2, side=64):
    generator = torch.Generator().manual_seed(3)
    return torch.rand(num, 3, side, side, generator=generator), torch.rand(num, 4, side, side, generator=generator)


def test_full_networks_have_the_published_numbers_of_parameters():
    with torch.device("meta"):
        interaction, propagation = InteractionNet(SIZES["full"]), PropagationNet(SIZES["full"])
    assert parameters(interaction) == 46_543_432
    assert parameters(propagation) == 143_542_792
    assert parameters(propagation.aggregation) == 16_783_360


def test_full_network_trains_no_batch_norm_and_the_others_do():
    with torch.device("meta"):
        frozen = {name for name, one in IPNNetwork(SIZES["full"]).named_parameters() if not one.requires_grad}
        assert frozen and all(".bn" in name or ".downsample.1." in name for name in frozen)
        assert all(one.requires_grad for one in IPNNetwork(SIZES["small"]).parameters())


def test_both_networks_share_no_weights(network):
    owned = [{id(one) for one in part.parameters()} for part in (network.interaction, network.propagation)]
    assert owned[0].isdisjoint(owned[1])


def test_predictions_have_the_size_of_the_region_and_coarse_ones_that_of_their_strides(network):
    rgb, maps = picture()
    said = network.interaction(rgb, maps[:, :1], maps[:, 1:2], maps[:, 2:3], num_coarse=4)
    assert said.logits.shape == (2, 2, 64, 64) and said.probability.shape == (2, 1, 64, 64)
    assert [one.shape[-1] for one in said.coarse] == [16, 8, 4, 2]
    assert said.features.shape == (2, 64, 2, 2)
    carried = network.propagation(rgb, maps[:, :1], maps[:, 1:2], said.features, num_coarse=1)
    assert carried.logits.shape == (2, 2, 64, 64) and len(carried.coarse) == 1


@pytest.mark.parametrize("which", range(3))
def test_every_map_changes_what_the_interaction_network_says(network, which):
    rgb, maps = picture()
    given = [maps[:, 0:1], torch.zeros_like(maps[:, :1]), torch.zeros_like(maps[:, :1])]
    before = network.interaction(rgb, *given).logits
    given[which] = torch.ones_like(given[which])
    assert not torch.allclose(network.interaction(rgb, *given).logits, before)


def test_masks_and_reference_change_what_the_propagation_network_says(network):
    rgb, maps = picture()
    reference = torch.rand(2, 64, 2, 2)
    neutral = torch.full_like(maps[:, :1], NEUTRAL)
    before = network.propagation(rgb, neutral, maps[:, 1:2], reference).logits
    for changed in (
        (rgb, maps[:, :1], maps[:, 1:2], reference),
        (rgb, neutral, maps[:, 2:3], reference),
        (rgb, neutral, maps[:, 1:2], reference * 2),
    ):
        assert not torch.allclose(network.propagation(*changed).logits, before)


def test_aggregation_weighs_a_pair_to_one_and_leaves_equal_features_as_they_are():
    torch.manual_seed(1)
    aggregation = FeatureAggregation(6)
    current, previous = torch.rand(2, 6, 3, 3), torch.rand(2, 6, 3, 3)
    weights = aggregation.weights(current, previous)
    torch.testing.assert_close(weights.sum(dim=2), torch.ones(2, 6))
    assert (weights[:, :, 0] - weights[:, :, 1]).abs().max() > 1e-3
    torch.testing.assert_close(aggregation(current, current), current)
    low, high = torch.minimum(current, previous), torch.maximum(current, previous)
    merged = aggregation(current, previous)
    assert (merged >= low - 1e-6).all() and (merged <= high + 1e-6).all()


def test_reference_of_the_first_round_is_the_features_and_no_gradient_reaches_them(network):
    features = torch.rand(1, 64, 1, 1, requires_grad=True)
    first = network.propagation.reference(features, None)
    assert torch.equal(first, features) and not first.requires_grad
    second = network.propagation.reference(features, first)
    assert second.requires_grad, "the aggregation itself is trained"
    second.sum().backward()
    assert features.grad is None


@pytest.mark.parametrize("part", ["interaction", "propagation"])
def test_every_parameter_gets_a_gradient_with_predictions_at_all_strides(part):
    torch.manual_seed(2)
    whole = IPNNetwork(TINY)
    rgb, maps = picture()
    if part == "interaction":
        said = whole.interaction(rgb, maps[:, :1], maps[:, 1:2], maps[:, 2:3], num_coarse=4)
    else:
        features = torch.rand(2, 64, 2, 2)
        reference = whole.propagation.reference(features, torch.rand(2, 64, 2, 2))
        said = whole.propagation(rgb, maps[:, :1], maps[:, 1:2], reference, num_coarse=4)
    sum((one**2).mean() for one in (said.logits, *said.coarse)).backward()
    silent = [name for name, one in getattr(whole, part).named_parameters() if one.grad is None or not one.grad.any()]
    assert not silent


def test_small_is_the_same_classes_on_the_same_path():
    with torch.device("meta"):
        small, full = IPNNetwork(SIZES["small"]), IPNNetwork(SIZES["full"])
    kinds = [[(name.partition(".")[0], type(each)) for name, each in one.named_modules()] for one in (small, full)]
    assert set(kinds[0]) - set(kinds[1]) == {("interaction", BasicBlock), ("propagation", BasicBlock)}
    assert set(kinds[1]) - set(kinds[0]) == {("interaction", Bottleneck), ("propagation", Bottleneck)}
    assert 1e6 < parameters(small) < 2e7


def test_imagenet_weights_go_into_both_encoders_and_new_channels_start_anew():
    whole = IPNNetwork(replace(TINY, block="bottleneck", base_width=16))
    imagenet = ResNetTrunk("bottleneck", (1, 1, 1, 1), base_width=16, strides=(1, 2, 2, 2), dilations=((1,),) * 4)
    done = load_imagenet(whole, imagenet.state_dict())
    assert set(done) == {"interaction.encoder", "propagation.encoder"}
    for network in (whole.interaction, whole.propagation):
        assert torch.equal(network.encoder.conv1.weight[:, :3], imagenet.conv1.weight)
        assert network.encoder.conv1.weight[:, 3:].any() and not network.encoder.conv1.bias.any()
        assert torch.equal(network.encoder.layer4[0].conv2.weight, imagenet.layer4[0].conv2.weight)


def test_sides_that_the_strides_do_not_divide_are_refused(network):
    rgb, maps = picture(side=48)
    with pytest.raises(ValueError, match="multiples of 32"):
        network.interaction(rgb, maps[:, :1], maps[:, 1:2], maps[:, 2:3])
    with pytest.raises(ValueError, match="roi_side is 40"):
        IPNNetwork(replace(TINY, roi_side=40))
