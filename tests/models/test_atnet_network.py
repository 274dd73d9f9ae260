import pytest
import torch
from torch import nn
from vosforge.models.atnet import SIZES, ATNetwork
from vosforge.models.dropout import set_dropout_keys
from vosforge.models.propagation import count_parameters, train_batch_norm
from vosforge.models.resnet import ResNetTrunk
from vosforge.models.weights import load_imagenet


@pytest.fixture(scope="module")
def full():
    with torch.device("meta"):
        return ATNetwork(SIZES["full"])


@pytest.fixture
def tiny():
    torch.manual_seed(0)
    return ATNetwork(SIZES["tiny"])


def annotation_inputs(batch, height, width):
    return [torch.rand(batch, channels, height, width) for channels in (3, 1, 1, 1)]


def annotated_and_target(network, batch, height=32, width=48):
    annotation = network.annotation(*annotation_inputs(batch, height, width))
    frames = [network.transfer.encode(torch.rand(batch, 3, height, width)) for _ in range(2)]
    return annotation, *frames


def transferred(network, batch, height=32, width=48):
    annotation, first, target = annotated_and_target(network, batch, height, width)
    objects = network.transfer.object_features(annotation)
    mask = annotation.logits.sigmoid()
    return network.transfer(target, [first.f16], [objects], first.f4, mask)


def test_full_encoder_is_the_plain_resnet_with_squeeze_and_excitation(full):
    plain = 23_508_032  # ResNet-50 without its classifier
    # Two 1x1 convolutions without bias, between 4p and p / 4 channels, in each of the 3, 4, 6 and 3 blocks.
    excitation = sum(depth * 2 * p**2 for depth, p in zip((3, 4, 6, 3), (64, 128, 256, 512), strict=True))
    assert count_parameters(full.transfer.encoder) == plain + excitation + 64
    assert count_parameters(full.annotation.encoder) == plain + excitation + 64 + 3 * 64 * 49


def test_full_networks_keep_their_numbers_of_parameters(full):
    assert count_parameters(full.annotation) == 55_727_937
    assert count_parameters(full.transfer) == 80_772_993


def test_full_widths_and_dilations_are_the_published_ones(full):
    encoder, transfer = full.annotation.encoder, full.transfer
    assert [block.conv2.dilation[0] for block in encoder.layer4] == [2, 4, 8]
    assert [getattr(encoder, f"layer{n}")[0].conv2.stride[0] for n in (1, 2, 3, 4)] == [1, 2, 2, 1]
    assert encoder.conv1.bias is not None and encoder.layer1[0].conv1.bias is None
    assert transfer.halve8.conv3.weight.shape == (1024, 256, 1, 1)
    assert transfer.halve16.conv3.weight.shape == (2048, 512, 1, 1)
    assert transfer.object.weight.shape == transfer.join.weight.shape == (2048, 4096, 1, 1)
    assert transfer.local.weight.shape == (256, 256, 1, 1)
    assert full.annotation.decoder.head[0].weight.shape == (256, 512, 3, 3)
    assert [full.annotation.decoder.head[index].p for index in (3, 7)] == [0.5, 0.1]
    assert full.size.affinity_scale == 1


def test_small_networks_train_on_a_cpu():
    with torch.device("meta"):
        assert count_parameters(ATNetwork(SIZES["small"])) < 10_000_000


@pytest.mark.parametrize("side", [(32, 48), (64, 80)])
def test_shapes_of_what_both_networks_say(tiny, side):
    tiny.eval()
    height, width = side
    with torch.no_grad():
        annotation, _, target = annotated_and_target(tiny, 2, height, width)
        result = transferred(tiny, 2, height, width)
    assert annotation.logits.shape == result.logits.shape == (2, 1, height, width)
    assert annotation.f16.shape[-2:] == target.f16.shape[-2:] == (height // 16, width // 16)
    assert annotation.decoded.shape == (2, 16, height // 4, width // 4)
    assert result.local_map.shape == (2, 1, height // 4, width // 4)
    assert result.local_map.min() >= 0 and result.local_map.max() <= 1 + 1e-6


def test_frames_that_no_stride_divides_are_refused(tiny):
    with pytest.raises(ValueError, match="multiples of 16, not 40x32"):
        tiny.annotation(*annotation_inputs(2, 32, 40))
    with pytest.raises(ValueError, match="multiples of 16, not 32x30"):
        tiny.transfer.encode(torch.rand(1, 3, 30, 32))


def test_every_input_and_parameter_of_a_net_matters(tiny):
    tiny.train()
    given = [x.requires_grad_() for x in annotation_inputs(2, 64, 64)]
    set_dropout_keys(tiny, torch.tensor([1, 2]))
    tiny.annotation(*given).logits.square().mean().backward()
    assert all(x.grad.abs().sum() > 0 for x in given)
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in tiny.annotation.parameters())


def test_every_parameter_of_t_net_matters(tiny):
    tiny.train()
    set_dropout_keys(tiny, torch.tensor([1, 2]))
    # Larger than the reach of local transfer and of the dilations, so that every weight sees the frame.
    result = transferred(tiny, 2, 160, 160)
    (result.logits.square().mean() + result.local_map.square().mean()).backward()
    silent = [name for name, p in tiny.transfer.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert not silent


def test_objects_of_a_frame_are_apart_and_share_its_features(tiny):
    tiny.eval()
    with torch.no_grad():
        frame, target = (tiny.transfer.encode(torch.rand(1, 3, 32, 48)) for _ in range(2))
        annotation = tiny.annotation(*annotation_inputs(3, 32, 48))
        objects, masks = tiny.transfer.object_features(annotation), annotation.logits.sigmoid()
        together = tiny.transfer(target, [frame.f16], [objects], frame.f4, masks)
        alone = tiny.transfer(target, [frame.f16], [objects[1:2]], frame.f4, masks[1:2])
    assert torch.allclose(together.logits[1:2], alone.logits, atol=1e-5)
    assert torch.allclose(together.local_map[1:2], alone.local_map, atol=1e-5)


def test_the_previous_mask_reaches_the_target_by_local_transfer_alone(tiny):
    tiny.eval()
    with torch.no_grad():
        annotation, first, target = annotated_and_target(tiny, 1)
        objects = tiny.transfer.object_features(annotation)
        one, other = (
            tiny.transfer(target, [first.f16], [objects], first.f4, torch.full((1, 1, 32, 48), value))
            for value in (0.0, 1.0)
        )
    assert not one.local_map.any() and other.local_map.max() > 0
    assert not torch.allclose(one.logits, other.logits)


def test_frozen_statistics_allow_one_sample(tiny):
    train_batch_norm(tiny, False)
    set_dropout_keys(tiny, torch.tensor([1]))
    assert transferred(tiny, 1).logits.shape == (1, 1, 32, 48)


def test_autocast_gives_single_logits(tiny):
    tiny.eval()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        result = transferred(tiny, 1)
    assert result.logits.dtype == result.local_map.dtype == torch.float32


def test_imagenet_weights_load_into_both_encoders():
    network = ATNetwork(SIZES["small"])
    state = {
        key: torch.randn_like(value.float())
        for key, value in ResNetTrunk("basic", (2, 2, 2, 2), base_width=32).state_dict().items()
    }
    excitation = network.transfer.encoder.layer1[0].excitation.down.weight.clone()
    done = load_imagenet(network, state)
    assert set(done) == {"annotation.encoder", "transfer.encoder"}
    for part in (network.annotation, network.transfer):
        assert torch.equal(part.encoder.conv1.weight[:, :3], state["conv1.weight"])
        assert torch.equal(part.encoder.layer4[1].conv2.weight, state["layer4.1.conv2.weight"])
        assert not part.encoder.conv1.bias.any()
    assert torch.equal(network.transfer.encoder.layer1[0].excitation.down.weight, excitation)
    assert "conv1.bias" in done["transfer.encoder"].initialised


def test_state_dict_holds_parameters_and_batch_statistics_only(tiny):
    parts = {type(tiny.get_submodule(name.rpartition(".")[0])) for name in tiny.state_dict()}
    assert parts == {nn.Conv2d, nn.BatchNorm2d}
