"""ATNet's session from one checkpoint that holds both of its networks."""

from dataclasses import asdict

import pytest
from toy_networks import BlockWorld
from vosforge.train.checkpoint import SCHEMA, save_atomically
from vosforge.train.inference.session.atnet_settings import ATNetSettings
from vosforge.train.inference.session.open_session import open_atnet_session
from vosforge.train.networks import ATNET, S2M


def checkpoint(folder, kind, stage="tiny"):
    network = kind.named("tiny")
    content = {"schema": SCHEMA, "stage": stage, "kind": kind.name, "size": asdict(network.size), "step": 0}
    return save_atomically(folder / f"{kind.name}.pt", {**content, "network": network.state_dict()})


def test_a_session_is_opened_from_a_checkpoint(tmp_path):
    world = BlockWorld(4)
    path = checkpoint(tmp_path, ATNET)
    with open_atnet_session(path, ATNetSettings(device="cpu"), tmp_path / "session") as session:
        session.start(world, world.object_ids)
        session.interact(1, {1: world.truth(1) == 1, 2: world.truth(1) == 2})
        assert [t for t, _ in session.propagate()] == [1, 2, 3, 0]


def test_a_checkpoint_of_another_kind_is_refused(tmp_path):
    with pytest.raises(ValueError, match="holds a network of kind 's2m', expected 'atnet'"):
        open_atnet_session(checkpoint(tmp_path, S2M), ATNetSettings())


def test_a_checkpoint_without_a_trained_t_net_is_refused(tmp_path):
    with pytest.raises(ValueError, match="of stage atnet-a-mini: its T-Net is untrained; give one of atnet-t"):
        open_atnet_session(checkpoint(tmp_path, ATNET, "atnet-a-mini"), ATNetSettings())
