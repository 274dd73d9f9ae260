import pytest
import torch
from vosforge.models.input_channels import INPUT_CHANNELS, convert_input_channels
from vosforge.models.propagation import SIZES, PropagationNetwork
from vosforge.models.resnet import ResNetTrunk


def first_weight(num_channels):
    return torch.randn(64, num_channels, 7, 7, generator=torch.Generator().manual_seed(num_channels))


@pytest.mark.parametrize(("given", "wanted"), [(3, 4), (3, 5), (3, 6), (4, 5), (4, 6)])
def test_channels_of_the_same_name_are_kept_and_new_ones_are_orthogonal(given, wanted):
    weight = first_weight(given)
    converted, said = convert_input_channels(weight, wanted)
    assert torch.equal(converted[:, :given], weight)
    new = converted[:, given:].flatten(1)
    assert (
        torch.allclose(new @ new.T, torch.eye(64), atol=1e-4)
        if new.shape[1] >= 64
        else torch.allclose(new.T @ new, torch.eye(new.shape[1]), atol=1e-4)
    )
    assert said == f"{given} to {wanted} input channels: {', '.join(INPUT_CHANNELS[wanted][given:])} new"


@pytest.mark.parametrize("number", [3, 4, 5, 6])
def test_the_same_channels_are_left_as_they_are(number):
    weight = first_weight(number)
    assert convert_input_channels(weight, number) == (weight, "")


@pytest.mark.parametrize(("given", "wanted", "lost"), [(5, 6, "other_masks"), (4, 3, "mask"), (5, 4, "other_masks")])
def test_channels_are_never_lost_unasked(given, wanted, lost):
    with pytest.raises(ValueError, match=f"{lost} would be lost"):
        convert_input_channels(first_weight(given), wanted)


def test_numbers_of_channels_that_no_encoder_takes_are_named():
    with pytest.raises(ValueError, match="no encoder takes 7 input channels; known are 3: red, green, blue; 4: "):
        convert_input_channels(first_weight(3), 7)


@pytest.fixture
def network():
    torch.manual_seed(0)
    return PropagationNetwork(SIZES["tiny"])


def single_object_state(network):
    state = network.state_dict()
    state["memory_encoder.conv1.weight"] = state["memory_encoder.conv1.weight"][:, :4]
    return state


def test_without_other_objects_five_channels_work_as_the_four_of_the_static_stage(network):
    network.eval()
    alone = ResNetTrunk("basic", (1, 1, 1), base_width=8, in_channels=4, conv_bias=True).eval()
    alone.load_state_dict(
        {
            key.removeprefix("memory_encoder."): value
            for key, value in single_object_state(network).items()
            if key.startswith("memory_encoder.")
        }
    )
    rgb, mask = torch.rand(2, 3, 32, 48), torch.rand(2, 1, 32, 48)
    with torch.no_grad():
        key, value = network.memorize(rgb, mask, torch.zeros_like(mask))
        expected = network.memory_head(alone(torch.cat([network.normalise(rgb), mask], dim=1))[2])
    assert torch.allclose(key, expected[0], atol=1e-5) and torch.allclose(value, expected[1], atol=1e-5)
