"""Click networks under `vosforge-eval clicks`: a row for each variant, with and without mask, CRF and clamping."""

import json

import numpy as np
import pytest
import torch
from davis_tree import picture, truth
from PIL import Image
from vosforge.datagen.imaging.images import encode_jpeg
from vosforge.datagen.simulation.clicks.clicks import Click
from vosforge.models.click_net import SIZES, ClickNetwork
from vosforge.train.checkpoint import checkpoint_content, save_atomically
from vosforge.train.evaluation.cli import main
from vosforge.train.evaluation.clicks.methods import clicknet_clicks, method_specs, parse_variants
from vosforge.train.evaluation.errors import EvaluationError
from vosforge.train.inference.click_interaction import ClickNetSettings
from vosforge.train.inference.dense_crf import is_lattice_installed


@pytest.fixture
def checkpoint(tmp_path):
    torch.manual_seed(0)
    network = ClickNetwork(SIZES["tiny"])
    # Finds nothing by itself: what there is are the pixels of clicks.
    torch.nn.init.constant_(network.predict.bias, -20)
    optimiser = torch.optim.SGD(network.parameters(), lr=1)
    content = checkpoint_content(network, stage="clicknet-mini", step=1, optimiser=optimiser, window={})
    return save_atomically(tmp_path / "clicknet.pt", content)


@pytest.fixture
def pairs(tmp_path):
    root = tmp_path / "Berkeley"
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True)
    (root / "images/a.jpg").write_bytes(encode_jpeg(picture(0)))
    Image.fromarray((truth(0) > 0).astype(np.uint8) * 255).save(root / "masks/a.png")
    return root


def test_every_variant_of_a_click_network_is_a_row(checkpoint, pairs, tmp_path):
    variants = "plain,no-mask,no-clamp" + (",crf" if is_lattice_installed() else "")
    arguments = ["clicks", "--root", pairs, "--out", tmp_path / "out", "--checkpoint", f"net={checkpoint}"]
    more = ["--variants", variants, "--max-clicks", "3", "--no-grabcut", "--strategies", "farthest-point"]
    assert main([str(one) for one in [*arguments, *more]]) == 0
    results = json.loads((tmp_path / "out/results.json").read_text())["methods"]
    expected = ["net", "net-no-mask", "net-no-clamp", "net-crf"][: len(variants.split(","))]
    assert list(results) == expected
    assert [one["variant"] for one in results.values()] == variants.split(",")
    first = [one["strategies"]["farthest-point"]["mIoU"][0] for one in results.values()]
    assert first[0] == first[1] > first[2] == 0


def test_a_click_network_is_given_its_last_mask_unless_it_does_without():
    class Given(torch.nn.Module):
        def __init__(self):
            super().__init__()
            network = ClickNetwork(SIZES["tiny"])
            self.size, self.normalise = network.size, network.normalise
            self.weight = torch.nn.Parameter(torch.ones(()))

        def forward(self, rgb, mask, clicks):
            return (mask - 0.5) * self.weight

    rgb, present = np.zeros((32, 32, 3), np.uint8), np.zeros((32, 32), bool)
    present[8:16, 8:16] = True
    clicks = [Click(x=20.5, y=20.5, positive=True)]
    settings = ClickNetSettings(clamp_radius=0)
    answer = clicknet_clicks(Given(), settings, with_mask=True)(rgb, present, clicks)
    assert answer[present].all() and answer[20, 20] and answer.sum() == 65
    assert clicknet_clicks(Given(), settings, with_mask=False)(rgb, present, clicks).sum() == 1


def test_variants_are_read_and_unknown_ones_refused():
    assert parse_variants("plain, no-mask+crf") == {"plain": frozenset(), "no-mask+crf": frozenset({"crf", "no-mask"})}
    for wrong in ("mask", "plain+crf", ","):
        with pytest.raises(EvaluationError, match="variant"):
            parse_variants(wrong)


def test_networks_of_clicks_may_run_on_the_gpus_of_other_machines(checkpoint):
    (spec,) = method_specs([f"net={checkpoint}"], False, 4.0, None, "cuda")
    assert spec.device == "cuda", "and it was checked without one"
