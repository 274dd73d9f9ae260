"""One way to load a checkpoint for use: once in a process, and never another file than the one that is meant."""

import pytest
import torch
from tiny_checkpoints import write_tiny_checkpoint
from vosforge.datagen.storage.files import sha256_of_file
from vosforge.train import trained_networks
from vosforge.train.networks import KINDS
from vosforge.train.trained_networks import MAX_KEPT, trained_network


def save(path, kind="propagation", seed=1):
    return write_tiny_checkpoint(path, kind, seed=seed, stage="s", step=seed)


@pytest.fixture
def loads(monkeypatch):
    """The files that are read."""
    trained_networks._loaded.cache_clear()
    read, load = [], trained_networks.load_network

    def counting(path, *arguments, **keywords):
        read.append(path.name)
        return load(path, *arguments, **keywords)

    monkeypatch.setattr(trained_networks, "load_network", counting)
    yield read
    trained_networks._loaded.cache_clear()


@pytest.mark.parametrize("kind", KINDS)
def test_a_network_of_every_kind_is_loaded_for_use(kind, tmp_path):
    path = save(tmp_path / "last.pt", kind)
    network, info = trained_network(path, kind)
    assert type(network) is type(KINDS[kind].named("tiny"))
    assert not any(module.training for module in network.modules())
    assert info == {
        "kind": kind,
        "stage": "s",
        "step": 1,
        "size": "tiny",
        "path": str(path),
        "sha256": sha256_of_file(path),
    }


def test_all_who_ask_share_one_network_however_they_name_the_file(loads, tmp_path, monkeypatch):
    path = save(tmp_path / "last.pt")
    monkeypatch.chdir(tmp_path)
    first, info = trained_network(path, "propagation")
    info["stage"] = "changed by a caller"
    second, again = trained_network("last.pt", ("propagation",), torch.device("cpu"), sha256_of_file(path))
    assert first is second and loads == ["last.pt"] and again["stage"] == "s"


def test_a_known_file_is_not_read_again(loads, tmp_path):
    path = save(tmp_path / "last.pt")
    sha256 = sha256_of_file(path)
    network, _ = trained_network(path, "propagation", sha256=sha256)
    path.unlink()
    assert trained_network(path, "propagation", sha256=sha256)[0] is network


def test_a_checkpoint_that_was_written_anew_is_loaded_anew(loads, tmp_path):
    path = save(tmp_path / "last.pt")
    old, _ = trained_network(path, "propagation")
    save(path, seed=2)
    new, info = trained_network(path, "propagation")
    assert info["step"] == 2 and new is not old and len(loads) == 2


def test_a_file_that_is_not_the_one_that_was_meant_is_refused(loads, tmp_path):
    path = save(tmp_path / "last.pt")
    meant = sha256_of_file(path)
    save(path, seed=2)
    for _ in range(2):
        with pytest.raises(ValueError, match=r"last\.pt is another file than when it was chosen.*give the copy"):
            trained_network(path, "propagation", sha256=meant)


def test_one_of_several_kinds_is_told_and_others_are_refused_by_name(loads, tmp_path):
    path = save(tmp_path / "clicks.pt", "clicknet")
    assert trained_network(path, ("s2m", "clicknet"))[1]["kind"] == "clicknet"
    with pytest.raises(ValueError, match=r"clicks\.pt holds a network of kind 'clicknet', expected 's2m'; give"):
        trained_network(path, "s2m")
    with pytest.raises(ValueError, match="of kind 'clicknet', expected 'ipn' or 'atnet'"):
        trained_network(path, ("ipn", "atnet"))


def test_no_file_no_device_and_a_damaged_file_are_named(loads, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r"no checkpoint at .*nothing\.pt"):
        trained_network(tmp_path / "nothing.pt", "s2m")
    path = save(tmp_path / "last.pt")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="'cuda' is asked for, but torch sees no CUDA device"):
        trained_network(path, "propagation", "cuda")
    with pytest.raises(ValueError, match="no device 'gpu'; choose one of auto, cpu, cuda"):
        trained_network(path, "propagation", "gpu")
    assert next(trained_network(path, "propagation", "auto")[0].parameters()).device.type == "cpu"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ValueError, match=r"last\.pt cannot be read"):
        trained_network(path, "propagation")


def test_memory_is_bounded(loads, tmp_path):
    paths = [save(tmp_path / f"{number}.pt", seed=number) for number in range(MAX_KEPT + 1)]
    for path in paths:
        trained_network(path, "propagation")
    trained_network(paths[-1], "propagation")
    assert len(loads) == len(paths)
    trained_network(paths[0], "propagation")
    assert len(loads) == len(paths) + 1
