"""Sessions with networks from checkpoints."""

from dataclasses import asdict

import numpy as np
import pytest
from toy_networks import BlockWorld
from vosforge.train.checkpoint import SCHEMA, save_atomically
from vosforge.train.inference.session.open_session import KINDS, open_mivos_session
from vosforge.train.inference.session.settings import MiVOSSettings


@pytest.fixture
def checkpoints(tmp_path):
    paths = {}
    for name, kind in KINDS.items():
        network = kind.named("tiny")
        content = {"schema": SCHEMA, "stage": "tiny", "kind": name, "size": asdict(network.size), "step": 0}
        paths[name] = save_atomically(tmp_path / f"{name}.pt", {**content, "network": network.state_dict()})
    return paths


def test_a_session_is_opened_from_checkpoints(checkpoints, tmp_path):
    world = BlockWorld(4)
    with open_mivos_session(checkpoints, MiVOSSettings(device="auto"), tmp_path / "session") as session:
        session.start(world, world.object_ids)
        for t in (0, 3):
            session.interact(t, {1: world.truth(t) == 1, 2: world.truth(t) == 2})
            list(session.propagate())
        assert session.module_times["fusion"].frame_objects == 4
        assert np.array_equal(session.masks(3), world.truth(3))


def test_only_what_is_needed_has_to_be_there(checkpoints):
    open_mivos_session({"propagation": checkpoints["propagation"]}, MiVOSSettings(fusion="linear"))
    with pytest.raises(ValueError, match="needs a fusion network"):
        open_mivos_session({"propagation": checkpoints["propagation"]}, MiVOSSettings())
    with pytest.raises(ValueError, match="no checkpoint for 'propagation'"):
        open_mivos_session({"s2m": checkpoints["s2m"]}, MiVOSSettings(fusion="linear"))


def test_a_checkpoint_of_another_kind_is_named(checkpoints):
    with pytest.raises(ValueError, match="holds a network of kind 's2m', expected 'propagation'"):
        open_mivos_session({"propagation": checkpoints["s2m"]}, MiVOSSettings(fusion="linear"))
    with pytest.raises(ValueError, match="a checkpoint is for 'clicks'; choose from s2m, propagation, fusion"):
        open_mivos_session({**checkpoints, "clicks": checkpoints["s2m"]}, MiVOSSettings())
