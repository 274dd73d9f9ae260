"""The interactive benchmark played by the systems beside MiVOS, each from checkpoints of tiny networks."""

import numpy as np
import pytest
from tiny_checkpoints import write_tiny_checkpoint
from toy_networks import BlockWorld
from vosforge.train.evaluation.errors import EvaluationError
from vosforge.train.evaluation.interactive.job import Plan
from vosforge.train.evaluation.interactive.other_systems import OTHERS
from vosforge.train.evaluation.interactive.play import play_sample
from vosforge.train.evaluation.interactive.protocol import ProtocolSettings
from vosforge.train.evaluation.interactive.results import module_times
from vosforge.train.evaluation.interactive.samples import samples_of
from vosforge.train.evaluation.interactive.systems import check_systems, open_system, parse_systems
from vosforge.train.evaluation.methods import InferenceSettings

NUM_FRAMES, IDS = 4, (2, 5)
INFERENCE = InferenceSettings(device="cpu")
PROTOCOL = ProtocolSettings(num_interactions=2, num_scribble_sets=1)


@pytest.fixture(scope="module")
def blocks():
    return BlockWorld(NUM_FRAMES, IDS).sequence()


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoints")
    kinds = {kind for other in OTHERS.values() for kind in other.needs}
    return {kind: write_tiny_checkpoint(folder / f"{kind}.pt", kind) for kind in kinds}


@pytest.mark.parametrize("name", [*OTHERS, *(f"{name}-oracle" for name in OTHERS)])
def test_every_system_plays_a_session(name, blocks, checkpoints):
    (system,) = parse_systems(name, list(checkpoints), None)
    check_systems([system], checkpoints, INFERENCE)
    (sample,) = samples_of(blocks, PROTOCOL)
    with open_system(system, checkpoints, INFERENCE, tuning_iterations=1) as session:
        record, masks = play_sample(session, blocks, sample, PROTOCOL, true_masks=system.true_masks)
    assert masks.shape[0] == NUM_FRAMES and set(np.unique(masks)) <= {0, *IDS}
    assert len(record.interactions) == 2 and record.module_seconds
    worked = {module for module, (_, frame_objects) in record.module_seconds.items() if frame_objects}
    assert worked and set(module_times([record])) == worked
    if system.true_masks:
        first = record.interactions[0].frame
        assert np.array_equal(masks[first], blocks.read_labels(first))


@pytest.mark.parametrize("name", ["atnet", "atnet-oracle"])
def test_a_t_net_that_was_never_trained_is_refused_before_it_plays(name, tmp_path):
    path = write_tiny_checkpoint(tmp_path / "a.pt", "atnet", stage="atnet-a")
    with pytest.raises(
        EvaluationError, match=r"a\.pt is of stage atnet-a: its T-Net is untrained; give one of atnet-t"
    ):
        check_systems(parse_systems(name, ["atnet"], None), {"atnet": path}, INFERENCE)


def test_auto_takes_what_the_checkpoints_allow(checkpoints):
    assert [one.label for one in parse_systems("auto", ["clicknet", "osvos", "ipn"], None)] == ["ipn", "wild", "copy"]
    with pytest.raises(EvaluationError, match="system wild needs a checkpoint: give --osvos"):
        parse_systems("wild", ["clicknet"], None)
    for alone, needed in (("osvos", "--clicknet"), ("s2m", "--propagation"), ("fusion", "--propagation")):
        with pytest.raises(EvaluationError, match=f"nothing plays with --{alone} alone; give {needed} too"):
            parse_systems("auto", ["ipn", alone], None)
    assert [one.label for one in parse_systems("ipn", ["ipn", "osvos"], None)] == ["ipn"], (
        "named: the rest is not meant"
    )
    assert parse_systems("wild-oracle", ["osvos"], None)[0].needs == ("osvos",)
    with pytest.raises(EvaluationError, match="no system 'atnet-k20'"):
        parse_systems("atnet-k20", ["atnet"], None)


def test_iterations_of_tuning_tell_sessions_of_osvos_apart(blocks, checkpoints, tmp_path):
    (sample,) = samples_of(blocks, PROTOCOL)

    def identity(name, iterations):
        plan = Plan(
            protocol=PROTOCOL,
            clock=None,
            inference=INFERENCE,
            checkpoints=checkpoints,
            checkpoint_hashes=dict.fromkeys(checkpoints, "0"),
            out=tmp_path,
            tuning_iterations=iterations,
        )
        return plan.identity(parse_systems(name, list(checkpoints), None)[0], blocks, sample)

    assert identity("wild", 5) != identity("wild", 6) and identity("ipn", 5) == identity("ipn", 6)
