import pytest
import torch
from torch import nn
from vosforge.models.dropout import set_dropout_keys
from vosforge.models.propagation import count_parameters, train_batch_norm
from vosforge.models.resnet import ResNetTrunk
from vosforge.models.s2m import SIZES, S2MNetwork


@pytest.fixture(scope="module")
def full():
    return S2MNetwork(SIZES["full"])


@pytest.fixture
def tiny():
    torch.manual_seed(0)
    return S2MNetwork(SIZES["tiny"])


def inputs(batch, height, width, dtype=torch.float32):
    return [torch.rand(batch, channels, height, width, dtype=dtype) for channels in (3, 1, 1, 1)]


def test_full_network_has_the_published_number_of_parameters(full):
    assert count_parameters(full) == 39_766_113
    assert full.encoder.conv1.weight.shape == (64, 6, 7, 7)


def test_trunk_ends_at_stride_16_with_a_dilated_fourth_stage(full):
    full.eval()
    with torch.no_grad():
        f4, f8, f16, last = full.encoder(torch.rand(1, 6, 64, 96))
    assert f4.shape == (1, 256, 16, 24) and f8.shape == (1, 512, 8, 12) and f16.shape == (1, 1024, 4, 6)
    assert last.shape == (1, 2048, 4, 6)
    assert [block.conv2.dilation for block in full.encoder.layer4] == [(1, 1), (2, 2), (2, 2)]
    assert all(block.conv2.dilation == (1, 1) for block in full.encoder.layer3)


def test_pyramid_has_the_published_rates(full):
    assert [branch[0].dilation[0] for branch in full.aspp.atrous] == [6, 12, 18]
    assert full.aspp.dropout.p == 0.1


def test_a_trunk_has_three_stages_or_four():
    with pytest.raises(ValueError, match="depths of 2 stages"):
        ResNetTrunk("basic", (1, 1))


def test_small_network_trains_on_a_cpu():
    assert count_parameters(S2MNetwork(SIZES["small"])) < 4_000_000


@pytest.mark.parametrize("side", [(48, 80), (50, 67)])
def test_logits_have_the_size_of_the_picture(tiny, side):
    logits = tiny.eval()(*inputs(2, *side))
    assert logits.shape == (2, 1, *side) and torch.isfinite(logits).all()


def test_every_input_and_parameter_matters(tiny):
    tiny.train()
    given = [x.requires_grad_() for x in inputs(2, 64, 64)]
    set_dropout_keys(tiny, torch.tensor([1, 2]))
    tiny(*given).square().mean().backward()
    assert all(x.grad.abs().sum() > 0 for x in given)
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in tiny.parameters())


def test_rows_of_a_batch_are_apart_in_evaluation(tiny):
    tiny.eval()
    given = inputs(3, 32, 48)
    with torch.no_grad():
        assert torch.allclose(tiny(*given)[1:2], tiny(*(x[1:2] for x in given)), atol=1e-5)


def test_last_layer_starts_orthogonal_without_bias(full):
    assert torch.allclose(full.predict.weight.flatten().norm(), torch.tensor(1.0), atol=1e-5)
    assert not full.predict.bias.any()


def test_one_sample_with_batch_statistics_is_refused_by_name(tiny):
    tiny.train()
    set_dropout_keys(tiny, torch.tensor([1]))
    with pytest.raises(ValueError, match="micro-batches of two samples or more"):
        tiny(*inputs(1, 32, 32))
    train_batch_norm(tiny, False)
    assert tiny(*inputs(1, 32, 32)).shape == (1, 1, 32, 32)


def test_doubles_stay_doubles_and_autocast_gives_single_logits(tiny):
    given = inputs(2, 32, 32)
    tiny.eval()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert tiny(*given).dtype == torch.float32
    assert tiny.double()(*(x.double() for x in given)).dtype == torch.float64


def test_state_dict_holds_parameters_and_batch_statistics_only(tiny):
    parts = {type(tiny.get_submodule(name.rpartition(".")[0])) for name in tiny.state_dict()}
    assert parts == {nn.Conv2d, nn.BatchNorm2d}
