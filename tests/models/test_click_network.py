import pytest
import torch
from vosforge.models.click_net import SIZES, ClickNetwork
from vosforge.models.input_channels import convert_input_channels
from vosforge.models.propagation import count_parameters
from vosforge.models.resnet import ResNetTrunk
from vosforge.models.weights import load_imagenet


@pytest.fixture
def tiny():
    torch.manual_seed(0)
    return ClickNetwork(SIZES["tiny"])


def inputs(batch, height, width, channels=1):
    return [torch.rand(batch, count, height, width) for count in (3, 1, channels)]


def on_meta(name):
    with torch.device("meta"):
        return ClickNetwork(SIZES[name])


def test_full_network_is_resnet_101_with_pyramid_pooling():
    network = on_meta("full")
    trunk = 42_500_160 + 2 * 64 * 7 * 7  # torchvision's without its classifier, and two input channels
    pyramid = 4 * 2048 * 512 + (2048 + 4 * 512) * 512 + 2 * 512
    assert count_parameters(network) == trunk + pyramid + 512 + 1 == 48_799_425
    assert network.pyramid.bins == (1, 2, 3, 6) and network.encoder.conv1.in_channels == 5


def test_stages_three_and_four_are_dilated_to_stride_8():
    encoder = on_meta("full").encoder
    assert [feature.shape[-1] for feature in encoder(torch.empty(1, 5, 64, 64, device="meta"))] == [16, 8, 8, 8]
    assert [encoder.layer3[0].conv2.dilation[0], encoder.layer3[1].conv2.dilation[0]] == [1, 2]
    assert [block.conv2.dilation[0] for block in encoder.layer4] == [2, 4, 4]


def test_distance_maps_are_one_channel_more():
    assert count_parameters(on_meta("full-distance")) - count_parameters(on_meta("full")) == 64 * 7 * 7
    assert on_meta("small-distance").encoder.input_names[-2:] == ("positive_distance", "negative_distance")


@pytest.mark.parametrize("side", [(48, 80), (50, 67)])
def test_click_logits_have_the_size_of_the_picture(tiny, side):
    logits = tiny.eval()(*inputs(2, *side))
    assert logits.shape == (2, 1, *side) and torch.isfinite(logits).all()


def test_every_click_input_and_parameter_matters(tiny):
    given = [x.requires_grad_() for x in inputs(2, 64, 64)]
    tiny.train()(*given).square().mean().backward()
    assert all(x.grad.abs().sum() > 0 for x in given)
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in tiny.parameters())


def test_maps_of_another_kind_are_refused(tiny):
    with pytest.raises(ValueError, match="clicks have 2 channels, gaussian maps have 1"):
        tiny(*inputs(1, 32, 32, channels=2))


def test_imagenet_weights_load_and_mask_and_clicks_are_new(tiny):
    size = SIZES["tiny"]
    state = ResNetTrunk(size.block, size.depths, base_width=size.base_width).state_dict()
    loaded = load_imagenet(tiny, state)["encoder"]
    assert loaded.converted == ("conv1.weight: 3 to 5 input channels: mask, signed_clicks new",)
    assert torch.equal(tiny.encoder.conv1.weight[:, :3], state["conv1.weight"])


def test_named_channels_keep_their_own_weights_and_refuse_foreign_ones():
    names = ("red", "green", "blue", "mask", "signed_clicks")
    weight = torch.rand(4, 5, 3, 3)
    assert convert_input_channels(weight, names) == (weight, "")
    with pytest.raises(ValueError, match="positive_scribble and negative_scribble would be lost"):
        convert_input_channels(torch.rand(4, 6, 3, 3), names)
