"""A run of a Scribble-to-Mask stage: stopped and resumed, validated, and refused where the data does not fit."""

import os
import signal
from dataclasses import replace

import pytest
import torch
from vosforge.train.checkpoint import load_network, read_checkpoint
from vosforge.train.log import read_metrics
from vosforge.train.networks import S2M
from vosforge.train.request import RunRequest
from vosforge.train.run import run
from vosforge.train.stages.s2m import S2M_MINI


def silent(_):
    return None


@pytest.fixture
def request_for(tiny_corpus, tmp_path):
    few = S2M_MINI.sample_settings | {"short_side": None}
    stage = replace(S2M_MINI, size="tiny", num_steps=6, batch_size=4, micro_batch=2, crop_size=48, sample_settings=few)

    def make(name="run", **changes):
        settings = {"log_every": 2, "checkpoint_every": 2, "device": "cpu", **changes}
        return RunRequest(**{"stage": stage, "data": ((tiny_corpus, 1.0),), "out": tmp_path / name} | settings)

    return make


def stopped_at(step):
    return lambda report: os.kill(os.getpid(), signal.SIGINT) if report.step == step else None


def test_stopped_and_resumed_run_equals_an_uninterrupted_one_bit_for_bit(request_for):
    whole = run(request_for("whole"), report=silent, announce=silent)
    assert run(request_for("halved"), report=stopped_at(3), announce=silent).steps == 3
    torch.manual_seed(99)
    resumed = run(request_for("halved"), report=silent, announce=silent)
    one, two = (read_checkpoint(result.checkpoint) for result in (whole, resumed))
    assert whole.finished and resumed.finished and one["kind"] == "s2m"
    # Running statistics of batch norm are among them.
    assert all(torch.equal(value, two["network"][name]) for name, value in one["network"].items())
    states = [content["optimiser"]["state"] for content in (one, two)]
    assert all(torch.equal(states[0][i]["exp_avg_sq"], states[1][i]["exp_avg_sq"]) for i in states[0])


def test_pictures_and_validation_on_held_out_clips_are_written(request_for):
    result = run(request_for(picture_every=3, validate_every=3), report=silent, announce=silent)
    folder = result.checkpoint.parents[1]
    assert len(list((folder / "pictures").glob("step-*.png"))) == 2
    records = read_metrics(folder / "metrics.jsonl")
    assert {"val_loss", "val_iou", "val_iou_before"} <= set().union(*records)
    assert {"loss", "iou", "iou_before"} <= set().union(*records)
    network, info = load_network(result.checkpoint, kind=S2M)
    assert info["size"] == "tiny" and not network.training


def test_crop_beyond_the_scaled_still_is_refused_before_anything_is_written(request_for, tmp_path):
    stage = request_for().stage
    stage = replace(stage, sample_settings=stage.sample_settings | {"short_side": 32})
    with pytest.raises(ValueError, match="short_side is 32, it must be at least crop_size, 48"):
        run(request_for(stage=stage), report=silent, announce=silent)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["micro_batch", "batch_size"])
def test_micro_batch_without_statistics_is_refused_before_anything_is_written(request_for, tmp_path, name):
    changes = {"stage": replace(request_for().stage, micro_batch=1)} if name == "micro_batch" else {"batch_size": 1}
    with pytest.raises(ValueError, match=r"micro-batches of 1 sample have no batch statistics .* of at least 2, or"):
        run(request_for(**changes), report=silent, announce=silent)
    assert not (tmp_path / "run").exists()


def test_micro_batch_of_one_sample_learns_with_frozen_statistics(request_for):
    stage = replace(request_for().stage, micro_batch=1, train_batch_norm_until=0.0)
    assert run(request_for(stage=stage, num_steps=1), report=silent, announce=silent).finished
