import pytest
import torch
from vosforge.models.dropout import KeyedDropout, set_dropout_keys
from vosforge.models.memory import read
from vosforge.models.s2m import SIZES, S2MNetwork

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


@pytest.mark.parametrize("top_k", [None, 7])
@pytest.mark.parametrize("value_type", [torch.float64, torch.bfloat16])
def test_memory_read_and_its_gradients_are_those_of_the_cpu(top_k, value_type):
    generator = torch.Generator().manual_seed(0)
    entries = [
        torch.randn(shape, generator=generator, dtype=torch.float64)
        for shape in ((2, 16, 3, 4, 5), (2, 6, 3, 4, 5), (2, 16, 4, 5))
    ]
    entries[1] = entries[1].to(value_type)
    results = []
    for device in ("cpu", "cuda"):
        given = [entry.to(device).requires_grad_() for entry in entries]
        readout = read(*given, top_k)
        readout.square().sum().backward()
        results.append([readout.detach().cpu(), *(entry.grad.cpu() for entry in given)])
    tolerance = 1e-9 if value_type == torch.float64 else 0.1
    for ours, theirs in zip(*results, strict=True):
        assert torch.allclose(ours, theirs, atol=tolerance, rtol=tolerance)


def test_dropout_drops_the_same_on_every_device():
    layer = KeyedDropout(0.3).train()
    set_dropout_keys(layer, torch.tensor([4, 5]))
    x = torch.rand(2, 8, 6, 6)
    assert torch.allclose(layer(x), layer(x.cuda()).cpu())


def test_s2m_gives_the_logits_of_the_cpu():
    torch.manual_seed(0)
    network = S2MNetwork(SIZES["tiny"]).double().eval()
    given = [torch.rand(2, channels, 48, 64, dtype=torch.float64) for channels in (3, 1, 1, 1)]
    with torch.no_grad():
        expected = network(*given)
        found = network.cuda()(*(x.cuda() for x in given)).cpu()
    assert torch.allclose(found, expected, atol=1e-9)
