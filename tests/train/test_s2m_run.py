"""A run of a Scribble-to-Mask stage: validated, and refused where the data does not fit."""

from dataclasses import replace

import pytest
from trained_runs import requests, silent
from vosforge.train.checkpoint import load_network
from vosforge.train.log import read_metrics
from vosforge.train.networks import S2M
from vosforge.train.run import run
from vosforge.train.stages.s2m import S2M_MINI


@pytest.fixture
def request_for(tiny_corpus, tmp_path):
    few = S2M_MINI.sample_settings | {"short_side": None}
    stage = replace(S2M_MINI, size="tiny", num_steps=6, batch_size=4, micro_batch=2, crop_size=48, sample_settings=few)
    return requests(stage, tiny_corpus, tmp_path)


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
