from dataclasses import replace

import pytest
import torch
from vosforge.models.fusion import SIZES as FUSION_SIZES
from vosforge.models.fusion import FusionNetwork
from vosforge.models.propagation import SIZES, PropagationNetwork
from vosforge.models.resnet import ResNetTrunk
from vosforge.models.s2m import SIZES as S2M_SIZES
from vosforge.models.s2m import S2MNetwork
from vosforge.models.weights import is_torchvision_resnet, load_imagenet, load_trunk_weights


@pytest.fixture
def resnet18():
    """A state dict as torchvision's resnet18 saves it: trunk, layer4 and classifier."""
    state = {
        key: torch.randn_like(value.float()) for key, value in ResNetTrunk("basic", (2, 2, 2)).state_dict().items()
    }
    return {**state, "layer4.0.conv1.weight": torch.zeros(512, 256, 3, 3), "fc.weight": torch.zeros(1000, 512)}


def test_every_trunk_weight_is_taken_and_the_rest_is_named(resnet18):
    trunk = ResNetTrunk("basic", (2, 2, 2))
    result = load_trunk_weights(trunk, resnet18)
    assert torch.equal(trunk.layer3[1].conv2.weight, resnet18["layer3.1.conv2.weight"])
    assert torch.equal(trunk.bn1.running_var, resnet18["bn1.running_var"])
    assert result.unused == ("layer4.0.conv1.weight", "fc.weight") and result.initialised == ()


def test_mask_channels_of_the_memory_encoder_are_added_and_named(resnet18):
    trunk = ResNetTrunk("basic", (2, 2, 2), in_channels=5, conv_bias=True)
    result = load_trunk_weights(trunk, resnet18)
    assert torch.equal(trunk.conv1.weight[:, :3], resnet18["conv1.weight"])
    assert trunk.conv1.weight[:, 3:].abs().sum() > 0
    assert result.converted == ("conv1.weight: 3 to 5 input channels: mask, other_masks new",)
    assert "layer1.0.conv1.bias" in result.initialised
    assert not trunk.layer1[0].conv1.bias.any()


def test_weights_of_another_trunk_are_refused_by_key_and_change_nothing(resnet18):
    trunk = ResNetTrunk("bottleneck", (3, 4, 6))
    before = trunk.conv1.weight.clone()
    with pytest.raises(ValueError, match=r"missing \(layer1.0.conv3.weight.*of another shape \(layer1.0.conv1.weight"):
        load_trunk_weights(trunk, resnet18)
    assert torch.equal(trunk.conv1.weight, before)


def test_unknown_keys_are_refused(resnet18):
    with pytest.raises(ValueError, match=r"unknown \(attention.weight\)"):
        load_trunk_weights(ResNetTrunk("basic", (2, 2, 2)), {**resnet18, "attention.weight": torch.zeros(1)})


def test_imagenet_weights_go_into_both_encoders(resnet18):
    network = PropagationNetwork(replace(SIZES["small"], base_width=64))
    assert set(load_imagenet(network, resnet18)) == {"query_encoder", "memory_encoder"}
    assert torch.equal(network.query_encoder.conv1.weight, resnet18["conv1.weight"])
    assert torch.equal(network.memory_encoder.layer3[1].conv2.weight, resnet18["layer3.1.conv2.weight"])
    with pytest.raises(ValueError, match=r"of another shape \(conv1.weight: file \(64, 3, 7, 7\), network \(32, 3, 7"):
        load_imagenet(PropagationNetwork(SIZES["small"]), resnet18)


def test_a_trunk_of_four_stages_takes_the_fourth_too():
    state = ResNetTrunk("basic", (2, 2, 2, 2)).state_dict()
    trunk = ResNetTrunk("basic", (2, 2, 2, 2), in_channels=6)
    result = load_trunk_weights(trunk, {**state, "fc.bias": torch.zeros(1000)})
    assert torch.equal(trunk.layer4[1].conv2.weight, state["layer4.1.conv2.weight"])
    assert result.unused == ("fc.bias",)
    assert result.converted == ("conv1.weight: 3 to 6 input channels: mask, positive_scribble, negative_scribble new",)
    with pytest.raises(ValueError, match=r"missing \(layer4.0.conv1.weight"):
        load_trunk_weights(trunk, {key: value for key, value in state.items() if not key.startswith("layer4.")})


def test_imagenet_weights_go_into_the_encoder_of_s2m():
    state = ResNetTrunk("basic", (2, 2, 2, 2)).state_dict()
    network = S2MNetwork(replace(S2M_SIZES["small"], base_width=64))
    assert set(load_imagenet(network, state)) == {"encoder"}
    assert torch.equal(network.encoder.conv1.weight[:, :3], state["conv1.weight"])


def test_a_network_without_a_trunk_takes_no_imagenet_weights(resnet18):
    with pytest.raises(ValueError, match="FusionNetwork has no ResNet"):
        load_imagenet(FusionNetwork(FUSION_SIZES["tiny"]), resnet18)


def test_resnet_state_dicts_are_told_from_other_files(resnet18):
    assert is_torchvision_resnet(resnet18)
    assert not is_torchvision_resnet({"network": {}, "step": 3})
