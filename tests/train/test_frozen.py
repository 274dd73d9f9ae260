"""Parts of a network that a stage keeps as they are."""

from dataclasses import replace

import pytest
import torch
from tiny_checkpoints import write_tiny_checkpoint
from trained_runs import endless, requests, silent
from vosforge.models.resnet import ResNetTrunk
from vosforge.train.checkpoint import initialise_from, read_checkpoint
from vosforge.train.frozen import freeze
from vosforge.train.optimiser import make_optimiser
from vosforge.train.run import run
from vosforge.train.stages.table import STAGES


@pytest.fixture
def request_for(tiny_stage, tiny_corpus, tmp_path):
    return requests(tiny_stage, tiny_corpus, tmp_path, picture_every=0, num_steps=2)


def moved(result, stage):
    """The children of the network of which anything is not as it was at the start of the run."""
    torch.manual_seed(0)
    before, after = stage.network.named("tiny").state_dict(), read_checkpoint(result.checkpoint)["network"]
    return {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}


def test_weights_and_statistics_of_a_frozen_part_stay_and_the_others_move(tiny_stage, request_for, squares):
    stage = replace(tiny_stage, frozen=("query_encoder", "memory_head.key"), weight_decay=0.1)
    heard = []
    result = run(request_for(stage=stage), report=silent, announce=heard.append, batches=endless(squares))
    assert "query_encoder" not in moved(result, stage) and {"memory_encoder", "memory_head"} <= moved(result, stage)
    assert "query_encoder and memory_head.key frozen" in heard[0]
    after = read_checkpoint(result.checkpoint)["network"]
    torch.manual_seed(0)
    key = stage.network.named("tiny").memory_head.key
    assert torch.equal(after["memory_head.key.weight"], key.weight)
    assert run(request_for(stage=stage), report=silent, announce=silent).finished


@pytest.mark.parametrize("name", ["nosuch", "normalise", "", "query_encoder.nosuch"])
def test_a_name_without_weights_is_refused_with_the_children_before_anything_is_written(name, tiny_stage, request_for):
    request = request_for(stage=replace(tiny_stage, frozen=(name,)))
    with pytest.raises(ValueError, match=f"no part '{name}' with weights .* among memory_encoder, query_encoder"):
        run(request, report=silent, announce=silent)
    assert not request.out.exists()


def test_what_stays_must_have_been_trained(request_for, tmp_path):
    stage = STAGES["atnet-t-mini"]
    with pytest.raises(
        ValueError,
        match=r"keeps a trained annotation network as it is; it starts from a checkpoint of atnet-a-mini .--init",
    ):
        request_for(stage=stage, size="tiny")
    resnet = tmp_path / "resnet.pth"
    torch.save(ResNetTrunk("basic", (1, 1, 1, 1), base_width=8).state_dict(), resnet)
    with pytest.raises(ValueError, match=r"resnet\.pth holds .*the rest would stay untrained; give a checkpoint"):
        initialise_from(stage.network.named("tiny"), resnet, whole=True)
    own = write_tiny_checkpoint(tmp_path / "a.pt", "atnet", stage="atnet-a-mini")
    request_for(stage=stage, size="tiny", init=own)
    assert "weights of atnet-a-mini" in initialise_from(stage.network.named("tiny"), own, whole=True)


def test_freezing_all_there_is_is_refused(tiny_stage):
    network = tiny_stage.network.named("tiny")
    with pytest.raises(ValueError, match="leaves nothing to train"):
        freeze(network, [name for name, child in network.named_children() if name != "normalise"])


@pytest.mark.parametrize(("frozen", "trained"), [("interaction", "propagation"), ("propagation", "interaction")])
def test_predictions_of_a_frozen_part_alone_teach_nothing_and_do_not_stop_the_run(frozen, trained, request_for):
    stage = replace(STAGES["ipn-stills-mini"], data="tracklets", sample_settings={"num_frames": 2, "short_side": 32})
    stage = replace(stage, frozen=(frozen,), micro_batch=1)
    request = request_for(stage=stage, size="tiny", crop_size=32, batch_size=2)
    assert moved(run(request, report=silent, announce=silent), stage) == {trained}


@pytest.mark.parametrize("optimiser", ["adam", "sgd"])
def test_optimisers_pass_over_what_has_no_gradient(optimiser, tiny_stage):
    network = tiny_stage.network.named("tiny")
    freeze(network, ["query_encoder"])
    moving = make_optimiser(network, replace(tiny_stage, optimiser=optimiser, weight_decay=0.1))
    before = network.query_encoder.conv1.weight.clone()
    moving.step()
    network.predict.weight.grad = torch.ones_like(network.predict.weight)
    moving.step()
    assert torch.equal(before, network.query_encoder.conv1.weight)
