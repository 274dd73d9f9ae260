import pytest
import torch
from vosforge.models.propagation import SIZES, PropagationNetwork, count_parameters, train_batch_norm
from vosforge.models.resnet import ResNetTrunk


@pytest.fixture(scope="module")
def full():
    return PropagationNetwork(SIZES["full"])


@pytest.fixture
def tiny():
    torch.manual_seed(0)
    return PropagationNetwork(SIZES["tiny"])


def segment_once(network, rgb, mask, others):
    key, value = network.memorize(rgb, mask, others)
    return network.segment(network.encode_query(rgb), key[:, :, None], value[:, :, None])


def test_full_network_has_the_published_number_of_parameters(full):
    assert count_parameters(full) == 53_685_953
    assert count_parameters(full.memory_encoder) == 8_564_864
    assert count_parameters(full.query_encoder) == 8_543_296
    assert count_parameters(full.memory_head) + count_parameters(full.query_head) == 11_797_760
    decoder = (full.compress, full.skip8, full.up8, full.skip4, full.up4, full.predict)
    assert sum(map(count_parameters, decoder)) == 24_780_033


def test_memory_encoder_has_five_inputs_and_biases_and_query_encoder_neither(full):
    assert full.memory_encoder.conv1.weight.shape[1] == 5
    assert full.memory_encoder.layer3[5].conv3.bias is not None
    assert full.query_encoder.conv1.weight.shape[1] == 3
    assert full.query_encoder.layer3[5].conv3.bias is None


def test_full_network_works_at_stride_16_with_key_128_and_value_512(full):
    full.eval()
    with torch.no_grad():
        key, value = full.memorize(torch.rand(1, 3, 32, 48), torch.zeros(1, 1, 32, 48), torch.zeros(1, 1, 32, 48))
        query = full.encode_query(torch.rand(1, 3, 32, 48))
    assert key.shape == (1, 128, 2, 3) and value.shape == (1, 512, 2, 3)
    assert query.key.shape == (1, 128, 2, 3) and query.value.shape == (1, 512, 2, 3)
    assert query.f8.shape[-2:] == (4, 6) and query.f4.shape[-2:] == (8, 12)


def test_small_network_has_a_resnet18_trunk_of_half_the_width():
    small = PropagationNetwork(SIZES["small"])
    assert small.query_encoder.channels == small.memory_encoder.channels == (32, 64, 128)
    assert [len(getattr(small.query_encoder, f"layer{i}")) for i in (1, 2, 3)] == [2, 2, 2]
    assert count_parameters(small) < 4_000_000


def test_logits_have_the_size_of_the_frame(tiny):
    logits = segment_once(tiny, torch.rand(2, 3, 48, 80), torch.zeros(2, 1, 48, 80), torch.zeros(2, 1, 48, 80))
    assert logits.shape == (2, 1, 48, 80) and logits.dtype == torch.float32


def test_sides_that_are_no_multiple_of_16_are_refused(tiny):
    with pytest.raises(ValueError, match="multiples of 16, not 50x48"):
        tiny.encode_query(torch.rand(1, 3, 48, 50))


def test_mask_of_the_object_and_masks_of_the_others_are_told_apart(tiny):
    tiny.eval()
    rgb, mask, other = torch.rand(1, 3, 32, 32), torch.zeros(1, 1, 32, 32), torch.zeros(1, 1, 32, 32)
    mask[..., :16], other[..., 16:] = 1, 1
    with torch.no_grad():
        one, two = tiny.memorize(rgb, mask, other)[1], tiny.memorize(rgb, other, mask)[1]
    assert not torch.allclose(one, two, atol=1e-4)


def test_objects_of_a_frame_share_its_query(tiny):
    query = tiny.encode_query(torch.rand(2, 3, 32, 32)).for_objects(3)
    assert query.key.shape[0] == query.f4.shape[0] == 6
    assert torch.equal(query.key[0], query.key[2]) and not torch.equal(query.key[2], query.key[3])


def test_frozen_batch_norm_keeps_its_statistics_and_learns_scale_and_shift(tiny):
    train_batch_norm(tiny, False)
    before = tiny.query_encoder.bn1.running_mean.clone()
    segment_once(tiny, torch.rand(2, 3, 32, 32), torch.ones(2, 1, 32, 32), torch.zeros(2, 1, 32, 32)).sum().backward()
    assert torch.equal(tiny.query_encoder.bn1.running_mean, before)
    assert tiny.query_encoder.bn1.weight.grad.abs().sum() > 0
    train_batch_norm(tiny, True)
    tiny.encode_query(torch.rand(2, 3, 32, 32))
    assert not torch.equal(tiny.query_encoder.bn1.running_mean, before)


def test_untrained_network_matches_cells_that_look_alike(tiny):
    tiny.eval()
    rgb = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        # Zero masks: what the memory encoder sees beyond the frame is nothing, so the keys are the query's.
        key = tiny.memorize(rgb, torch.zeros(1, 1, 64, 64), torch.zeros(1, 1, 64, 64))[0]
        assert torch.allclose(key, tiny.encode_query(rgb).key, atol=1e-5)


def test_untrained_network_is_undecided_not_saturated(tiny):
    logits = segment_once(tiny, torch.rand(2, 3, 64, 64), torch.ones(2, 1, 64, 64), torch.zeros(2, 1, 64, 64))
    assert logits.abs().max() < 3


def test_doubles_stay_doubles_through_the_whole_network(tiny):
    rgb, mask = torch.rand(1, 3, 32, 32, dtype=torch.float64), torch.rand(1, 1, 32, 32, dtype=torch.float64)
    single = segment_once(tiny.eval(), rgb.float(), mask.float(), 1 - mask.float())
    double = segment_once(tiny.double(), rgb, mask, 1 - mask)
    assert double.dtype == torch.float64 and torch.allclose(double.float(), single, atol=1e-4)


def test_names_of_parameters_are_those_of_the_checkpoints(tiny):
    trunk = {"conv1", "bn1", "layer1", "layer2", "layer3"}
    expected = {f"{encoder}.{part}" for encoder in ("memory_encoder", "query_encoder") for part in trunk}
    expected |= {f"{head}.{part}" for head in ("memory_head", "query_head") for part in ("key", "value")}
    expected |= {f"compress.{part}" for part in ("conv1", "conv2", "shortcut")} | {"predict.weight", "predict.bias"}
    expected |= {f"skip{stride}.{part}" for stride in (4, 8) for part in ("conv", "block")} | {"up4.block", "up8.block"}
    assert {".".join(name.split(".")[:2]) for name in tiny.state_dict()} == expected


def test_trunk_parameters_carry_torchvision_names():
    names = {name for name, _ in ResNetTrunk("bottleneck", (3, 4, 6)).named_parameters()}
    expected = {"conv1.weight", "bn1.weight", "bn1.bias"}
    for layer, depth in enumerate((3, 4, 6), start=1):
        for block in range(depth):
            for part in (1, 2, 3):
                prefix = f"layer{layer}.{block}"
                expected |= {f"{prefix}.conv{part}.weight", f"{prefix}.bn{part}.weight", f"{prefix}.bn{part}.bias"}
        expected |= {f"layer{layer}.0.downsample.{name}" for name in ("0.weight", "1.weight", "1.bias")}
    assert names == expected


def test_keys_alone_are_those_of_the_whole_encoding(tiny):
    rgb, mask, other = torch.rand(2, 3, 32, 48), torch.rand(2, 1, 32, 48), torch.rand(2, 1, 32, 48)
    for module in (tiny.memory_head.value, tiny.query_head.value, tiny.skip8, tiny.skip4):
        module.register_forward_hook(lambda *_: calls.append(1))
    calls = []
    with torch.no_grad():
        keys = tiny.memory_key(rgb, mask, other), tiny.query_key(rgb)
        assert not calls
        assert torch.equal(keys[0], tiny.memorize(rgb, mask, other)[0])
        assert torch.equal(keys[1], tiny.encode_query(rgb).key)
    assert len(calls) == 4
