"""A run of a fusion stage: beside its propagation network, and started from what does not fit."""

from dataclasses import replace

import pytest
from fusion_world import write_clips, write_soft_masks
from tiny_checkpoints import write_tiny_checkpoint
from trained_runs import requests, silent
from vosforge.train.checkpoint import load_network
from vosforge.train.log import read_metrics
from vosforge.train.networks import FUSION
from vosforge.train.run import run
from vosforge.train.stages.fusion import FUSION_RENDERED_MINI


@pytest.fixture
def request_for(tmp_path):
    propagation = write_tiny_checkpoint(tmp_path / "propagation.pt", "propagation", seed=1)
    # Held out is the last of the clips.
    soft = write_soft_masks(tmp_path / "soft", num_clips=3)
    stage = replace(FUSION_RENDERED_MINI, size="tiny", num_steps=6, batch_size=2, crop_size=32)
    return requests(stage, soft, tmp_path, companion=propagation)


def test_pictures_and_validation_on_held_out_clips_are_written(request_for):
    result = run(request_for(picture_every=3, validate_every=3), report=silent, announce=silent)
    folder = result.checkpoint.parents[1]
    assert list((folder / "pictures").rglob("*.png"))
    records = [record for record in read_metrics(folder / "metrics.jsonl") if any("val" in name for name in record)]
    assert [record["step"] for record in records] == [3, 6]
    _, info = load_network(result.checkpoint, kind=FUSION)
    assert info["stage"] == "fusion-rendered-mini"


def test_what_does_not_fit_is_named(request_for, tmp_path):
    with pytest.raises(ValueError, match=r"needs a trained propagation network.*--companion CKPT"):
        request_for(companion=None)
    finished = run(request_for("first", num_steps=2), report=silent, announce=silent)
    with pytest.raises(ValueError, match="of kind 'fusion', expected 'propagation'"):
        run(request_for("second", companion=finished.checkpoint), report=silent, announce=silent)
    clips = write_clips(tmp_path / "clips")
    with pytest.raises(ValueError, match=r"holds no soft masks.*fusion-data"):
        run(request_for("third", data=((clips, 1.0),)), report=silent, announce=silent)
    assert not (tmp_path / "third").exists()
