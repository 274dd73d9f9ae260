"""Steps that predict several times: an update after each, in lockstep, and means over the predictions."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from vosforge.train.micro_batches import BatchDivision
from vosforge.train.stage import Scheduled, StepResult
from vosforge.train.stages.propagation_mini import PROPAGATION_RENDERED_MINI
from vosforge.train.step_results import mean_metrics, results_of
from vosforge.train.update import GlobalUpdate, mean_update
from vosforge.train.validation.held_out_batches import HeldOutBatches

SCHEDULED = Scheduled(learning_rate=0.1, kept_fraction=1.0, max_jump=1)
BATCH = {"rgb": torch.tensor([[1.0], [2.0], [3.0], [4.0]]), "number": torch.arange(4), "labels": torch.zeros(4, 1, 1)}


class Weight(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))


def three_times(network, batch, rng, scheduled):
    """Move towards the mean of the batch: three losses, of which the last has a metric of its own."""
    for turn in range(3):
        loss = ((network.weight - batch["rgb"]) ** 2).mean()
        extra = {"last": loss.detach()} if turn == 2 else {}
        yield StepResult(loss=loss, metrics={"weight": network.weight.detach().clone(), **extra}, predicted=None)


def uneven(network, batch, rng, scheduled):
    for _ in range(int(batch["number"][0]) + 1):
        yield StepResult(loss=network.weight * 0, metrics={}, predicted=None)


def update_of(step, per_forward):
    stage = replace(PROPAGATION_RENDERED_MINI, step=step, gradient_clip=None, step_settings={})
    division = BatchDivision(batch_size=4, micro_batch=1, per_forward=per_forward)
    network = Weight()
    return network, GlobalUpdate(network, stage, division, seed=0, device=torch.device("cpu"))


@pytest.mark.parametrize("per_forward", [None, 1, 2])
def test_every_prediction_is_of_the_whole_batch_with_the_weights_that_the_one_before_left(per_forward):
    network, update = update_of(three_times, per_forward)
    optimiser, weight, results = torch.optim.SGD(network.parameters(), lr=0.1), 0.0, []
    for result in update(BATCH, 0, SCHEDULED, False):
        assert result.metrics["weight"] == pytest.approx(weight)
        optimiser.step()
        weight -= 0.1 * 2 * (weight - 2.5)
        assert network.weight.item() == pytest.approx(weight)
        results.append(result)
    assert len(results) == 3
    whole = mean_update(results)
    assert whole.loss == pytest.approx(sum(one.loss for one in results) / 3)
    assert whole.metrics["weight"] == pytest.approx(sum(one.metrics["weight"] for one in results) / 3)
    assert whole.metrics["last"] == results[2].metrics["last"], "a mean over the predictions that have it"


def test_parts_of_a_batch_with_different_numbers_of_predictions_are_found_out():
    _, update = update_of(uneven, 1)
    with pytest.raises(AssertionError, match="different numbers"):
        list(update(BATCH, 0, SCHEDULED, False))


def test_ordinary_steps_have_one_result():
    result = StepResult(loss=torch.zeros(()), metrics={}, predicted=torch.zeros(1))
    assert list(results_of(result)) == [result] and list(results_of(iter([result, result]))) == [result, result]
    assert mean_metrics([{"a": 1.0, "b": 2.0}, {"a": 3.0}]) == {"a": 2.0, "b": 2.0}


def test_validation_takes_the_means_over_the_predictions():
    stage = replace(PROPAGATION_RENDERED_MINI, step=three_times, step_settings={})
    validator = HeldOutBatches(stage, lambda: iter([BATCH]), device=torch.device("cpu"))
    with torch.no_grad():
        found = validator(Weight(), 1)
    assert found.metrics["val_loss"] == pytest.approx((1 + 4 + 9 + 16) / 4) and found.pictures == {}
