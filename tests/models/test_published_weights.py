from dataclasses import replace

import pytest
import torch
from vosforge.models.fusion import INPUTS, FusionNetwork
from vosforge.models.fusion import SIZES as FUSION_SIZES
from vosforge.models.propagation import SIZES as PROPAGATION_SIZES
from vosforge.models.propagation import PropagationNetwork
from vosforge.models.published import load_published, load_starting_weights, published_format
from vosforge.models.resnet import ResNetTrunk
from vosforge.models.s2m import SIZES, S2MNetwork

NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def numbered(shapes):
    """A state dict in which every tensor holds its own number, so that one in the wrong place shows."""
    return {
        key: torch.full(shape, 7) if key.endswith("num_batches_tracked") else torch.full(shape, float(index))
        for index, (key, shape) in enumerate(shapes.items())
    }


def deeplab_state(*, classes=21, in_channels=3):
    """A state dict with the names and shapes of DeepLabV3Plus-Pytorch's deeplabv3plus_resnet50."""
    trunk = ResNetTrunk("bottleneck", (3, 4, 6, 3), in_channels=in_channels)
    shapes = {f"backbone.{key}": tuple(value.shape) for key, value in trunk.state_dict().items()}

    def conv_norm(conv, norm, out_channels, in_channels, side):
        shapes[f"classifier.{conv}.weight"] = (out_channels, in_channels, side, side)
        for name in NORM:
            shapes[f"classifier.{norm}.{name}"] = () if name == "num_batches_tracked" else (out_channels,)

    conv_norm("project.0", "project.1", 48, 256, 1)
    conv_norm("aspp.convs.0.0", "aspp.convs.0.1", 256, 2048, 1)
    for index in (1, 2, 3):
        conv_norm(f"aspp.convs.{index}.0", f"aspp.convs.{index}.1", 256, 2048, 3)
    conv_norm("aspp.convs.4.1", "aspp.convs.4.2", 256, 2048, 1)
    conv_norm("aspp.project.0", "aspp.project.1", 256, 1280, 1)
    conv_norm("classifier.0", "classifier.1", 256, 304, 3)
    shapes["classifier.classifier.3.weight"] = (classes, 256, 1, 1)
    shapes["classifier.classifier.3.bias"] = (classes,)
    return numbered(shapes)


@pytest.fixture(scope="module")
def state():
    return deeplab_state()


@pytest.fixture(scope="module")
def network():
    return S2MNetwork(SIZES["full"])


def test_every_weight_goes_to_its_place(network, state):
    result = load_published(network, {"model_state": state, "best_score": 0.77})
    places = {
        "backbone.layer4.2.conv3.weight": network.encoder.layer4[2].conv3.weight,
        "classifier.project.0.weight": network.low_level[0].weight,
        "classifier.aspp.convs.0.1.bias": network.aspp.point[1].bias,
        "classifier.aspp.convs.2.0.weight": network.aspp.atrous[1][0].weight,
        "classifier.aspp.convs.4.1.weight": network.aspp.pooled[0].weight,
        "classifier.aspp.convs.4.2.running_var": network.aspp.pooled[1].running_var,
        "classifier.aspp.project.0.weight": network.aspp.project[0].weight,
        "classifier.classifier.1.weight": network.decoder[1].weight,
    }
    assert all(torch.equal(state[key], value) for key, value in places.items())
    assert len(result.loaded) == len(state) - 2 and result.unused == ()
    assert set(result.loaded) | set(result.initialised) == set(network.state_dict())


def test_new_inputs_and_the_last_layer_start_orthogonal_and_are_named(network, state):
    result = load_published(network, state)
    weight = network.encoder.conv1.weight
    assert torch.equal(weight[:, :3], state["backbone.conv1.weight"])
    assert torch.allclose(weight[:, 3:].flatten(1) @ weight[:, 3:].flatten(1).T, torch.eye(64), atol=1e-4)
    assert torch.allclose(network.predict.weight.norm(), torch.tensor(1.0), atol=1e-5)
    assert not network.predict.bias.any()
    assert result.initialised == ("predict.weight", "predict.bias")
    assert result.converted == (
        "encoder.conv1.weight: 3 to 6 input channels: mask, positive_scribble, negative_scribble new",
    )


def test_published_s2m_weights_are_taken_whole(network):
    published = deeplab_state(classes=1, in_channels=6)
    result = load_published(network, {f"module.{key}": value for key, value in published.items()})
    assert torch.equal(network.predict.bias, published["classifier.classifier.3.bias"])
    assert torch.equal(network.encoder.conv1.weight, published["backbone.conv1.weight"])
    assert result.initialised == result.converted == ()


def test_weights_that_do_not_fit_change_nothing(network, state):
    before = {key: value.clone() for key, value in network.state_dict().items()}
    spoilt = {key: value for key, value in state.items() if key != "classifier.project.0.weight"}
    spoilt["classifier.aspp.project.0.weight"] = torch.zeros(256, 1024, 1, 1)
    spoilt["aux.weight"] = torch.zeros(1)
    with pytest.raises(
        ValueError, match=r"missing \(low_level.0.weight\).*\(256, 1024, 1, 1\).*unknown \(aux.weight\)"
    ):
        load_published(network, spoilt)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


def test_other_sizes_are_refused(state):
    small = S2MNetwork(replace(SIZES["small"], base_width=64))
    with pytest.raises(ValueError, match=r"fit S2MNetwork.*give .* weights and the size 'full'"):
        load_published(small, state)


def test_old_files_without_counters_of_batches_load(network, state):
    result = load_published(network, {key: value for key, value in state.items() if not key.endswith("tracked")})
    assert torch.equal(network.encoder.bn1.running_var, state["backbone.bn1.running_var"])
    assert "encoder.bn1.num_batches_tracked" in result.initialised


def propagation_state(*, in_channels=5):
    """A state dict with the names and shapes of the published propagation network."""
    memory = ResNetTrunk("bottleneck", (3, 4, 6), in_channels=in_channels, conv_bias=True).state_dict()
    query = ResNetTrunk("bottleneck", (3, 4, 6)).state_dict()
    shapes = {f"mask_rgb_encoder.{key}": tuple(value.shape) for key, value in memory.items()}
    shapes |= {f"rgb_encoder.{key.replace('layer1', 'res2')}": tuple(value.shape) for key, value in query.items()}

    def conv(name, out_channels, in_channels):
        shapes[f"{name}.weight"], shapes[f"{name}.bias"] = (out_channels, in_channels, 3, 3), (out_channels,)

    def block(name, out_channels, in_channels):
        conv(f"{name}.conv1", out_channels, in_channels)
        conv(f"{name}.conv2", out_channels, out_channels)
        if out_channels != in_channels:
            conv(f"{name}.downsample", out_channels, in_channels)

    for head in ("kv_m_f16", "kv_q_f16"):
        conv(f"{head}.key_proj", 128, 1024)
        conv(f"{head}.val_proj", 512, 1024)
    block("decoder.compress", 512, 1024)
    for name, skip, out in (("up_16_8", 512, 256), ("up_8_4", 256, 256)):
        conv(f"decoder.{name}.skip_conv1", skip, skip)
        block(f"decoder.{name}.skip_conv2", skip, skip)
        block(f"decoder.{name}.out_conv", out, skip)
    conv("decoder.pred", 1, 256)
    return numbered(shapes)


def test_published_propagation_weights_of_one_object_get_the_fifth_channel():
    network, state = PropagationNetwork(PROPAGATION_SIZES["full"]), propagation_state(in_channels=4)
    result = load_published(network, state)
    places = {
        "rgb_encoder.res2.2.conv3.weight": network.query_encoder.layer1[2].conv3.weight,
        "mask_rgb_encoder.layer3.5.conv3.bias": network.memory_encoder.layer3[5].conv3.bias,
        "kv_m_f16.val_proj.weight": network.memory_head.value.weight,
        "kv_q_f16.key_proj.bias": network.query_head.key.bias,
        "decoder.compress.downsample.weight": network.compress.shortcut.weight,
        "decoder.up_16_8.skip_conv2.conv2.weight": network.skip8.block.conv2.weight,
        "decoder.up_16_8.out_conv.downsample.bias": network.up8.block.shortcut.bias,
        "decoder.up_8_4.out_conv.conv1.weight": network.up4.block.conv1.weight,
        "decoder.pred.weight": network.predict.weight,
        "mask_rgb_encoder.conv1.weight": network.memory_encoder.conv1.weight[:, :4],
    }
    assert all(torch.equal(state[key], value) for key, value in places.items())
    assert set(result.loaded) == set(network.state_dict()) and result.initialised == ()
    assert result.converted == ("memory_encoder.conv1.weight: 4 to 5 input channels: other_masks new",)


def fusion_state():
    pairs = [("conv1.0", 32, 9), ("conv2.0", 32, 32), ("conv2.2", 32, 32), ("conv3.0", 32, 32), ("conv3.2", 32, 32)]
    shapes = {}
    for name, out_channels, in_channels in (*pairs, ("final_conv", 1, 32)):
        shapes |= {f"{name}.weight": (out_channels, in_channels, 3, 3), f"{name}.bias": (out_channels,)}
    return {key: torch.randn(shape) / 10 for key, shape in shapes.items()}


def test_published_fusion_weights_compute_what_the_published_network_computes():
    network, state = FusionNetwork(FUSION_SIZES["full"]), fusion_state()
    assert load_starting_weights(network, state) == "MiVOS fusion weights"
    masks = {name: torch.rand(2, 1, 16, 24) for name in INPUTS[3:7]}
    rgb, distances = torch.rand(2, 3, 16, 24), torch.rand(2, 2)

    def conv(x, name):
        return torch.nn.functional.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], padding=1)

    x = torch.cat([network.normalise(rgb), *masks.values(), distances[..., None, None].expand(-1, -1, 16, 24)], dim=1)
    x = conv(x, "conv1.0").relu()
    for name in ("conv2", "conv3"):
        x = (x + conv(conv(x, f"{name}.0").relu(), f"{name}.2")).relu()
    found = network(rgb=rgb, **masks, previous_distance=distances[:, 0], new_distance=distances[:, 1])
    assert torch.allclose(found, conv(x, "final_conv"), atol=1e-5)


def test_weights_of_another_network_are_refused_by_name(state):
    with pytest.raises(ValueError, match=r"DeepLabV3\+ weights do not fit FusionNetwork; they fit S2MNetwork only"):
        load_published(FusionNetwork(FUSION_SIZES["tiny"]), state)
    with pytest.raises(ValueError, match="MiVOS fusion weights and the size 'full'"):
        load_published(FusionNetwork(FUSION_SIZES["small"]), fusion_state())


def test_formats_are_told_apart(state):
    assert published_format({"model_state": state}).name == published_format(state).name == "DeepLabV3+"
    trunk = ResNetTrunk("basic", (1, 1, 1)).state_dict()
    for other in (trunk, {"network": {}, "step": 1}, {"model_state": None}):
        assert published_format(other) is None
    with pytest.raises(ValueError, match=r"no known format \(keys conv1.weight, .*known are DeepLabV3\+, Mask-Prop"):
        load_published(S2MNetwork(SIZES["tiny"]), trunk)


def test_what_a_network_starts_from_is_said_in_words(network, state):
    assert load_starting_weights(network, state) == (
        "DeepLabV3+ weights; encoder.conv1.weight: 3 to 6 input channels: mask, positive_scribble, negative_scribble "
        "new; predict.weight and predict.bias start anew"
    )
    tiny = PropagationNetwork(PROPAGATION_SIZES["tiny"])
    assert load_starting_weights(tiny, tiny.query_encoder.state_dict()) == (
        "ImageNet weights into query_encoder and memory_encoder; "
        "memory_encoder.conv1.weight: 3 to 5 input channels: mask, other_masks new"
    )
    assert load_starting_weights(network, {"network": {}, "step": 1}) is None
