"""Networks under `vosforge-eval clicks`: variants of click networks, and sessions of the other systems."""

import contextlib
import json

import numpy as np
import pytest
import torch
from davis_tree import picture, truth
from PIL import Image
from tiny_checkpoints import write_tiny_checkpoint
from vosforge.datagen.imaging.images import encode_jpeg
from vosforge.datagen.simulation.clicks.clicks import Click
from vosforge.models.click_net import SIZES, ClickNetwork
from vosforge.train.checkpoint import read_checkpoint, save_atomically
from vosforge.train.evaluation.cli import main
from vosforge.train.evaluation.clicks.methods import (
    clicknet_clicks,
    method_specs,
    parse_variants,
    session_clicks,
)
from vosforge.train.evaluation.errors import EvaluationError
from vosforge.train.inference.click_interaction import ClickNetSettings
from vosforge.train.inference.dense_crf import is_lattice_installed


@pytest.fixture
def checkpoint(tmp_path):
    path = write_tiny_checkpoint(tmp_path / "clicknet.pt", "clicknet")
    content = read_checkpoint(path)
    # Finds nothing by itself: what there is are the pixels of clicks.
    content["network"]["predict.bias"].fill_(-20)
    return save_atomically(path, content)


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


@pytest.mark.parametrize("kind", ["ipn", "atnet"])
def test_networks_of_other_systems_are_clicked_on_too(kind, pairs, tmp_path):
    checkpoint = write_tiny_checkpoint(tmp_path / f"{kind}.pt", kind)
    few = ["--max-clicks", 2, "--no-grabcut", "--strategies", "farthest-point", "--short-side", 32, "--device", "cpu"]
    found = []
    for out in ("one", "two"):
        arguments = ["clicks", "--root", pairs, "--out", tmp_path / out, "--checkpoint", checkpoint, *few]
        assert main([str(one) for one in arguments]) == 0
        method = json.loads((tmp_path / out / "results.json").read_text())["methods"][kind]
        assert method["kind"] == kind and "variant" not in method
        found.append(method["strategies"]["farthest-point"]["mIoU"])
    assert len(found[0]) == 2 and found[0] == found[1]


def test_a_session_is_given_the_present_mask_and_then_all_clicks():
    calls = []

    class Recording:
        def start(self, frames, object_ids):
            calls.append(("start", frames.read(0).shape, object_ids))

        def interact(self, frame, inputs):
            calls.append(inputs[1])
            return np.array([[0, 1], [1, 0]], np.uint8)

    rgb, present = np.zeros((2, 2, 3), np.uint8), np.array([[True, False], [False, False]])
    clicks = [Click(x=0.5, y=1.5, positive=True), Click(x=1.5, y=0.5, positive=False)]
    method = session_clicks(lambda: contextlib.nullcontext(Recording()))
    assert method(rgb, present, clicks).tolist() == [[False, True], [True, False]]
    assert calls[0] == ("start", (2, 2, 3), (1,)) and calls[1] is present
    assert (calls[2].positive, calls[2].negative) == (((0.5, 1.5),), ((1.5, 0.5),))
    calls.clear()
    method(rgb, np.zeros_like(present), clicks[:1])
    assert len(calls) == 2 and calls[1].negative == ()


def test_variants_without_a_click_network_are_refused(tmp_path):
    path = write_tiny_checkpoint(tmp_path / "s2m.pt", "s2m")
    with pytest.raises(EvaluationError, match="--variants no-mask are of click networks; no checkpoint is of one"):
        method_specs([str(path)], True, 4.0, None, "cpu", "no-mask")


def test_variants_are_read_and_unknown_ones_refused():
    assert parse_variants("plain, no-mask+crf") == {"plain": frozenset(), "no-mask+crf": frozenset({"crf", "no-mask"})}
    for wrong in ("mask", "plain+crf", ","):
        with pytest.raises(EvaluationError, match="variant"):
            parse_variants(wrong)


def test_networks_of_clicks_may_run_on_the_gpus_of_other_machines(checkpoint):
    (spec,) = method_specs([f"net={checkpoint}"], False, 4.0, None, "cuda")
    assert spec.device == "cuda", "and it was checked without one"
