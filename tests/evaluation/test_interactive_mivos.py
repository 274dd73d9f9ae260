"""The interactive benchmark played by MiVOS sessions: with networks that are exact, and with checkpoints."""

import numpy as np
import pytest
from tiny_checkpoints import write_tiny_checkpoint
from toy_networks import BlockWorld, ToyFusion, ToyPropagation, ToyS2M
from vosforge.train.evaluation.errors import EvaluationError
from vosforge.train.evaluation.interactive.play import play_sample
from vosforge.train.evaluation.interactive.protocol import ProtocolSettings
from vosforge.train.evaluation.interactive.samples import samples_of
from vosforge.train.evaluation.interactive.systems import check_systems, open_system, parse_systems
from vosforge.train.evaluation.methods import InferenceSettings
from vosforge.train.inference.session.mivos import MiVOSSession
from vosforge.train.inference.session.mivos_settings import MiVOSSettings

NUM_FRAMES, IDS = 7, (2, 5)


@pytest.fixture(scope="module")
def world():
    return BlockWorld(NUM_FRAMES, IDS).sequence()


def checkpoint(folder, kind):
    return write_tiny_checkpoint(folder / f"{kind}.pt", kind)


@pytest.mark.parametrize("schedule", ["every-round", "three-frames"])
@pytest.mark.parametrize("fusion", ["difference", "learned", "linear", "none"])
def test_exact_networks_are_right_everywhere_after_the_first_propagation(world, fusion, schedule):
    settings = ProtocolSettings(num_interactions=4, num_scribble_sets=1, schedule=schedule)
    (sample,) = samples_of(world, settings)
    with MiVOSSession(ToyS2M(), ToyPropagation(), ToyFusion(), MiVOSSettings(fusion=fusion)) as session:
        record, masks = play_sample(session, world, sample, settings)
    assert all(np.array_equal(masks[t], world.read_labels(t)) for t in range(NUM_FRAMES))
    before = 0 if schedule == "every-round" else 2
    drawn = record.interactions[0].jaccard[sample.frame]
    assert drawn.tolist() == [1, 1]
    for number, one in enumerate(record.interactions):
        assert (one.jaccard.min() == 1) == (number >= before)


def test_the_work_of_each_module_is_counted(world):
    settings = ProtocolSettings(num_interactions=1, num_scribble_sets=1)
    (sample,) = samples_of(world, settings)
    with MiVOSSession(ToyS2M(), ToyPropagation(), None, MiVOSSettings(fusion="none")) as session:
        record, _ = play_sample(session, world, sample, settings)
    assert record.module_seconds["s2m"][1] == len(IDS)
    assert record.module_seconds["propagation"][1] == len(IDS) * (NUM_FRAMES - 1)
    assert 0 < record.module_seconds["propagation"][0] <= record.interactions[0].seconds


def test_an_oracle_s_frames_are_true_whatever_the_networks(world, tmp_path):
    files = {"propagation": checkpoint(tmp_path, "propagation")}
    settings = ProtocolSettings(num_interactions=3, num_scribble_sets=1)
    (sample,) = samples_of(world, settings)
    (system,) = parse_systems("oracle-k20", list(files), 50)
    with open_system(system, files, InferenceSettings(device="cpu")) as session:
        assert session.settings.fusion == "linear" and session.settings.top_k == 20
        record, _ = play_sample(session, world, sample, settings, true_masks=True)
    last = record.interactions[-1]
    assert len(record.interacted_frames()) == 3
    for t in record.interacted_frames():
        assert last.jaccard[t].tolist() == [1, 1]
    assert last.jaccard.min() < 1


def test_the_same_session_again_finds_the_same(world, tmp_path):
    files = {kind: checkpoint(tmp_path, kind) for kind in ("s2m", "propagation", "fusion")}
    settings = ProtocolSettings(num_interactions=2, num_scribble_sets=1)
    (sample,) = samples_of(world, settings)
    (system,) = parse_systems("difference", list(files), 50)
    found = []
    for _ in range(2):
        with open_system(system, files, InferenceSettings(device="cpu")) as session:
            found.append(play_sample(session, world, sample, settings)[1])
    assert np.array_equal(*found)


def test_a_checkpoint_of_another_kind_is_named_before_anything_is_played(tmp_path):
    files = {"propagation": checkpoint(tmp_path, "s2m")}
    systems = parse_systems("oracle", list(files), 50)
    with pytest.raises(EvaluationError, match=r"s2m\.pt holds a network of kind 's2m'"):
        check_systems(systems, files, InferenceSettings(device="cpu"))


def test_settings_that_make_no_sense_are_named_before_anything_is_played(tmp_path):
    files = {"propagation": checkpoint(tmp_path, "propagation")}
    systems = parse_systems("oracle", list(files), 50)
    with pytest.raises(EvaluationError, match="short_side is 0"):
        check_systems(systems, files, InferenceSettings(device="cpu", short_side=0))
