"""N steps equal N/2, resume, N/2, bit for bit on the CPU, for every stage with its own schedule and data."""

import os
import signal
from dataclasses import replace

import pytest
import torch
from fusion_world import write_soft_masks
from tiny_checkpoints import write_tiny_checkpoint
from vosforge.train.checkpoint import read_checkpoint
from vosforge.train.request import RunRequest
from vosforge.train.run import run
from vosforge.train.stages.table import STAGES

NUM_STEPS = 4
COMPANIONS = {stage.companion for stage in STAGES.values()} - {None}
STARTS = {stage.network.name for stage in STAGES.values() if stage.needs_init}


@pytest.fixture(scope="module")
def places(tiny_world, tmp_path_factory):
    """A corpus of clips, one with soft masks, and checkpoints of tiny networks."""
    root = tmp_path_factory.mktemp("places")
    return {
        "clips": tiny_world.write(root / "clips"),
        "fusion": write_soft_masks(root / "soft"),
        **{kind: write_tiny_checkpoint(root / f"{kind}.pt", kind, seed=1) for kind in sorted(COMPANIONS | STARTS)},
    }


def interrupt_half_way(report):
    if report.step == NUM_STEPS // 2:
        os.kill(os.getpid(), signal.SIGINT)


def same(one, other):
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one if key != "seconds")
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


@pytest.mark.parametrize("name", STAGES)
def test_half_the_steps_and_the_other_half_after_a_resume_are_all_steps(name, places, tmp_path):
    # Small pictures and networks; schedule, curriculum, augmentation, loss and optimiser are the stage's own.
    stage = replace(STAGES[name], size="tiny", num_steps=NUM_STEPS, batch_size=4, micro_batch=2, crop_size=32)
    if "short_side" in stage.sample_settings:
        stage = replace(stage, sample_settings={**stage.sample_settings, "short_side": 64})
    place = places["fusion"] if stage.data == "fusion" else places["clips"]

    def request(folder):
        return RunRequest(
            stage=stage,
            data=((place, 1.0),),
            out=tmp_path / folder,
            companion=places.get(stage.companion),
            init=places[stage.network.name] if stage.needs_init else None,
            device="cpu",
            log_every=3,
            picture_every=0,
        )

    whole = run(request("whole"), report=lambda _: None, announce=str)
    assert run(request("halved"), report=interrupt_half_way, announce=str).steps == NUM_STEPS // 2
    torch.manual_seed(99)  # what the process had drawn meanwhile must not matter
    resumed = run(request("halved"), report=lambda _: None, announce=str)
    assert whole.finished and resumed.finished and resumed.started_from.startswith("step 2 of")
    one, other = (read_checkpoint(result.checkpoint) for result in (whole, resumed))
    assert same(one, other)
    assert one["kind"] == stage.network.name and one["step_settings"].keys() >= stage.step_settings.keys()
    assert one["step"] == NUM_STEPS and one["optimiser"]["state"]
