from dataclasses import replace

import numpy as np
import pytest
import torch
from vosforge.models.propagation import SIZES, PropagationNetwork
from vosforge.models.resnet import ResNetTrunk
from vosforge.models.s2m import SIZES as S2M_SIZES
from vosforge.models.s2m import S2MNetwork
from vosforge.train import checkpoint
from vosforge.train.checkpoint import (
    checkpoint_content,
    initialise_from,
    load_network,
    read_checkpoint,
    save_atomically,
)
from vosforge.train.networks import as_trained


@pytest.fixture
def network():
    torch.manual_seed(2)
    return PropagationNetwork(SIZES["tiny"])


@pytest.fixture
def saved(network, tmp_path):
    content = checkpoint_content(
        network,
        stage="s",
        step=3,
        optimiser=torch.optim.Adam(network.parameters()),
        window={"count": 0, "sums": {}},
        step_settings={"top_k": 7, "clicks": (1, 2)},
    )
    return save_atomically(tmp_path / "checkpoints" / "last.pt", content)


def test_loaded_network_answers_as_the_saved_one(network, saved):
    loaded, info = load_network(saved)
    assert info == {"kind": "propagation", "stage": "s", "step": 3, "size": "tiny", "path": str(saved)}
    rgb = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(loaded.encode_query(rgb).key, network.eval().encode_query(rgb).key)


def test_a_loaded_network_knows_what_it_was_trained_with(network, saved):
    loaded, _ = load_network(saved)
    assert (as_trained(loaded, "top_k", 3), as_trained(loaded, "clicks", ()), as_trained(loaded, "other", 3)) == (
        7,
        (1, 2),
        3,
    )
    assert as_trained(network, "top_k", 3) == 3, "a network that was not loaded"
    content = torch.load(saved, weights_only=True)
    del content["step_settings"]
    older, _ = load_network(save_atomically(saved.with_name("older.pt"), content))
    assert as_trained(older, "top_k", 3) == 3


def test_missing_checkpoint_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"no checkpoint at .*nothing\.pt"):
        load_network(tmp_path / "nothing.pt")


@pytest.mark.parametrize("keep", [0, 10, 0.5, 0.99])
def test_truncated_checkpoint_is_one_clear_error(saved, keep):
    content = saved.read_bytes()
    saved.write_bytes(content[: keep if isinstance(keep, int) else int(keep * len(content))])
    with pytest.raises(ValueError, match=r"last\.pt cannot be read: found \d+ bytes.*expected a checkpoint"):
        load_network(saved)


def test_other_files_are_no_checkpoint(tmp_path):
    (tmp_path / "text.pt").write_text("hello")
    with pytest.raises(ValueError, match=r"text\.pt cannot be read"):
        load_network(tmp_path / "text.pt")
    torch.save({"weights": torch.zeros(2)}, tmp_path / "other.pt")
    with pytest.raises(
        ValueError, match=r"other\.pt is not a vosforge checkpoint: found keys weights, expected schema"
    ):
        load_network(tmp_path / "other.pt")


def test_checkpoint_with_code_inside_is_not_executed(tmp_path):
    class Payload:
        def __reduce__(self):
            return (open, (str(tmp_path / "executed"), "w"))

    torch.save({"schema": 1, "network": Payload()}, tmp_path / "evil.pt")
    with pytest.raises(ValueError, match=r"evil\.pt cannot be read"):
        load_network(tmp_path / "evil.pt")
    assert not (tmp_path / "executed").exists()


def test_checkpoint_of_another_size_names_both(saved):
    with pytest.raises(
        ValueError, match=r"last\.pt holds a network of size 'tiny', expected 'small': .*base_width 8 instead"
    ):
        load_network(saved, expected_size=SIZES["small"])
    with pytest.raises(ValueError, match="size 'tiny', expected 'small'"):
        initialise_from(PropagationNetwork(SIZES["small"]), saved)


@pytest.mark.parametrize("stage", ["propagation-static", "propagation-static-mini", "propagation-rendered"])
def test_the_channel_that_a_stage_of_one_object_let_decay_is_drawn_anew(network, saved, stage):
    content = read_checkpoint(saved)
    decayed = content["network"]["memory_encoder.conv1.weight"]
    decayed[:, 4] *= 1e-6
    save_atomically(saved, content | {"stage": stage})
    told = initialise_from(network, saved)
    found = network.memory_encoder.conv1.weight.detach()
    assert torch.equal(found[:, :4], decayed[:, :4])
    drawn = found[:, 4].flatten(1)
    if stage == "propagation-rendered":
        assert torch.equal(found, decayed) and "anew" not in told
    else:
        assert "the channel of the other objects' masks drawn anew" in told
        assert torch.allclose(drawn @ drawn.T, torch.eye(len(drawn)), atol=1e-5)


def test_weight_of_another_shape_is_named(saved):
    content = read_checkpoint(saved)
    content["network"]["predict.weight"] = torch.zeros(2, 8, 3, 3)
    save_atomically(saved, content)
    with pytest.raises(ValueError, match=r"last\.pt does not fit.*predict\.weight is \(2, 8, 3, 3\), expected \(1, 8"):
        load_network(saved)


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (OSError("disk full"), "disk full"),
        # What torch says when the disk is full.
        (
            RuntimeError("unexpected pos 64 vs 0"),
            r"last\.pt could not be written \(unexpected pos.*is there room on the disk",
        ),
    ],
)
def test_write_that_breaks_off_is_named_and_leaves_the_old_checkpoint_whole(saved, monkeypatch, failure, said):
    def half(content, file):
        file.write(b"half")
        raise failure

    monkeypatch.setattr(checkpoint.torch, "save", half)
    with pytest.raises(OSError, match=said):
        save_atomically(saved, {"schema": 1})
    monkeypatch.undo()
    assert read_checkpoint(saved)["step"] == 3
    assert [path.name for path in saved.parent.iterdir()] == ["last.pt"]


def test_torchvision_weights_start_a_run(tmp_path):
    state = {
        key: torch.randn_like(value.float()) for key, value in ResNetTrunk("basic", (2, 2, 2)).state_dict().items()
    }
    torch.save(state, tmp_path / "resnet18.pth")
    network = PropagationNetwork(replace(SIZES["small"], base_width=64))
    assert "query_encoder and memory_encoder" in initialise_from(network, tmp_path / "resnet18.pth")
    assert torch.equal(network.query_encoder.conv1.weight, state["conv1.weight"])
    with pytest.raises(ValueError, match=r"resnet18\.pth: these weights do not fit"):
        initialise_from(PropagationNetwork(SIZES["tiny"]), tmp_path / "resnet18.pth")


def test_weights_with_a_number_of_numpy_beside_them_are_read(tmp_path):
    network, other = (S2MNetwork(S2M_SIZES["full"]) for _ in range(2))
    renamed = {"encoder.": "backbone.", "low_level.": "classifier.project.", "predict.": "classifier.classifier.3."}
    named = {
        "aspp.point.": "classifier.aspp.convs.0.",
        "aspp.atrous.0.": "classifier.aspp.convs.1.",
        "aspp.atrous.1.": "classifier.aspp.convs.2.",
        "aspp.atrous.2.": "classifier.aspp.convs.3.",
        "aspp.pooled.0.": "classifier.aspp.convs.4.1.",
        "aspp.pooled.1.": "classifier.aspp.convs.4.2.",
        "aspp.project.": "classifier.aspp.project.",
        "decoder.": "classifier.classifier.",
    }
    state = {}
    for key, value in other.state_dict().items():
        ours, theirs = next(pair for pair in (renamed | named).items() if key.startswith(pair[0]))
        state[theirs + key.removeprefix(ours)] = value
    state["backbone.conv1.weight"] = state["backbone.conv1.weight"][:, :3].clone()
    torch.save({"model_state": state, "best_score": np.float64(0.77)}, tmp_path / "voc.pth")
    assert "DeepLabV3+" in initialise_from(network, tmp_path / "voc.pth")
    assert torch.equal(network.state_dict()["encoder.layer4.0.conv1.weight"], state["backbone.layer4.0.conv1.weight"])


def test_a_checkpoint_of_another_kind_is_refused_by_name(saved):
    with pytest.raises(ValueError, match="network of kind 'propagation', expected 's2m'"):
        initialise_from(S2MNetwork(S2M_SIZES["tiny"]), saved)


def test_a_damaged_checkpoint_is_never_used(saved):
    content = bytearray(saved.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 40] = bytes(byte ^ 0x55 for byte in content[middle : middle + 40])
    saved.write_bytes(content)
    with pytest.raises(ValueError, match=r"last\.pt is damaged at .*give another checkpoint"):
        load_network(saved)
