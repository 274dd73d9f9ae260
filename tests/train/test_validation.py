from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from vosforge.train.stage import StepResult
from vosforge.train.validation.held_out_batches import HeldOutBatches
from vosforge.train.validation.validator import Validation, validate

CPU = torch.device("cpu")


class Noisy(nn.Module):
    """A network with batch norm, one part of which is frozen."""

    def __init__(self):
        super().__init__()
        self.learnt, self.frozen = nn.BatchNorm2d(1), nn.BatchNorm2d(1)
        self.frozen.eval()


def saying(score=None, **metrics):
    def validator(network, step):
        assert not any(module.training for module in network.modules())
        torch.rand(7)
        return Validation(metrics=metrics, pictures={}, score=score)

    return validator


def test_validating_changes_neither_modes_nor_the_random_generator():
    network = Noisy().train()
    network.frozen.eval()
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    validate(network, [saying(loss=1.0)], 5)
    assert torch.equal(torch.rand(1), expected)
    assert network.training and network.learnt.training and not network.frozen.training


def test_modes_come_back_when_a_validator_fails():
    def failing(network, step):
        raise OSError("the disk is gone")

    network = Noisy()
    with pytest.raises(OSError, match="disk"):
        validate(network, [failing], 1)
    assert network.training


def test_score_is_that_of_the_first_validator_that_gives_one():
    found = validate(Noisy(), [saying(a=1.0), saying(score=0.4, b=2.0), saying(score=0.9, c=3.0)], 5)
    assert found.score == 0.4 and found.metrics == {"a": 1.0, "b": 2.0, "c": 3.0}
    assert validate(Noisy(), [saying(a=1.0)], 5).score is None


def test_what_is_measured_is_of_the_validator_that_gives_the_score():
    def scoring(network, step):
        return Validation(metrics={}, score=0.5, measured={"metric": "mine"})

    assert validate(Noisy(), [saying(a=1.0), scoring, saying(score=0.9)], 5).measured == {"metric": "mine"}


def test_held_out_numbers_are_the_means_of_the_stages_own_step(tiny_stage, squares):
    network = tiny_stage.network.named("tiny").eval()
    validator = HeldOutBatches(tiny_stage, lambda: [squares(0), squares(1)], device=CPU)
    found = validate(network, [validator], 3)
    scheduled = replace(tiny_stage.at(0, 8), kept_fraction=1.0)
    with torch.no_grad():
        rngs = [np.random.default_rng(k) for k in range(2)]
        results = [
            tiny_stage.step(network, squares(k), rngs[k], scheduled, **tiny_stage.step_settings) for k in range(2)
        ]
    assert found.metrics["val_loss"] == pytest.approx(np.mean([result.loss.item() for result in results]))
    assert found.metrics["val_iou"] == found.score
    assert found.pictures["held-out"].dtype == np.uint8
    assert validate(network, [validator], 1000).metrics == found.metrics


def test_held_out_loss_is_over_all_pixels_however_far_the_run_is(tiny_stage, squares):
    seen = []

    def step(network, batch, rng, scheduled):
        seen.append(scheduled)
        return StepResult(loss=torch.tensor(0.5), metrics={}, predicted=None)

    found = HeldOutBatches(replace(tiny_stage, step=step, step_settings={}), lambda: [squares(0)], device=CPU)(
        nn.Identity(), 8
    )
    assert [(one.kept_fraction, one.max_jump) for one in seen] == [(1.0, 5)]
    # Without an IoU the smaller loss is the better one, and without predictions there is no picture.
    assert found.score == -0.5 and found.pictures == {}


def test_steps_get_their_companion_and_their_settings(tiny_stage, squares):
    companion = nn.Identity()

    def step(network, batch, rng, scheduled, companion, top_k):
        return StepResult(loss=torch.tensor(1.0), metrics={"seen": torch.tensor(top_k)}, predicted=None)

    stage = replace(tiny_stage, step=step, step_settings={"top_k": 50})
    found = HeldOutBatches(stage, lambda: [squares(0)], device=CPU, companion=companion)(nn.Identity(), 1)
    assert found.metrics == {"val_loss": 1.0, "val_seen": 50.0}


def test_no_held_out_batch_is_an_error(tiny_stage):
    with pytest.raises(ValueError, match="no held-out batch"):
        HeldOutBatches(tiny_stage, lambda: [], device=CPU)(nn.Identity(), 1)
