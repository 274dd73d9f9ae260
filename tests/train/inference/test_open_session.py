"""Sessions with networks from checkpoints."""

import numpy as np
import pytest
from tiny_checkpoints import write_tiny_checkpoint
from toy_networks import BlockWorld
from vosforge.train.inference.session.atnet_settings import ATNetSettings
from vosforge.train.inference.session.mivos_settings import MiVOSSettings
from vosforge.train.inference.session.open_session import open_atnet_session, open_mivos_session, open_wild_session
from vosforge.train.inference.session.wild_settings import WildSettings


@pytest.fixture
def checkpoints(tmp_path):
    return {kind: write_tiny_checkpoint(tmp_path / f"{kind}.pt", kind) for kind in ("s2m", "propagation", "fusion")}


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
    with pytest.raises(ValueError, match="a checkpoint is for 'clicks'; choose from propagation, s2m, fusion"):
        open_mivos_session({**checkpoints, "clicks": checkpoints["s2m"]}, MiVOSSettings())


def test_a_checkpoint_of_another_system_is_refused(checkpoints):
    with pytest.raises(ValueError, match="holds a network of kind 's2m', expected 'atnet'"):
        open_atnet_session(checkpoints["s2m"], ATNetSettings())
    with pytest.raises(ValueError, match="no checkpoint for 'osvos'"):
        open_wild_session({"clicknet": checkpoints["s2m"]}, WildSettings())


def test_a_checkpoint_without_a_trained_t_net_is_refused(tmp_path):
    path = write_tiny_checkpoint(tmp_path / "atnet.pt", "atnet", stage="atnet-a-mini")
    with pytest.raises(ValueError, match="of stage atnet-a-mini: its T-Net is untrained; give one of atnet-t"):
        open_atnet_session(path, ATNetSettings())
