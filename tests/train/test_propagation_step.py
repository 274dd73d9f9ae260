from dataclasses import replace

import numpy as np
import pytest
import torch
from step_checks import learn, without_gradient
from vosforge.models.propagation import train_batch_norm
from vosforge.train.optimiser import make_optimiser


@pytest.fixture
def network(tiny_stage):
    torch.manual_seed(0)
    return tiny_stage.network.named("tiny")


def take_step(stage, network, batch, step=0):
    scheduled = stage.at(step, stage.num_steps)
    return stage.step(network, batch, np.random.default_rng(0), scheduled, **stage.step_settings)


def test_every_parameter_gets_a_gradient(tiny_stage, network, squares):
    # In training mode batch norm takes the mean away, and what comes before it has rounding noise for a gradient.
    train_batch_norm(network, False)
    take_step(tiny_stage, network, squares(0)).loss.backward()
    # This bias adds the same to a query cell's affinities with all memory cells, and cancels in their softmax.
    assert without_gradient(network, least=1e-7) in ([], ["memory_head.key.bias"])


def test_frame_1_is_memorised_with_its_predicted_masks_and_their_gradients(tiny_stage, network, squares):
    given, memorize = [], network.memorize
    network.memorize = lambda rgb, mask, others: given.append((mask, others)) or memorize(rgb, mask, others)
    batch = squares(0)
    take_step(tiny_stage, network, batch)
    (true, other), (predicted, other_predicted) = given
    first, second = ((batch["labels"][0, 0] == label).float() for label in (1, 2))
    assert torch.equal(true[0, 0], first) and torch.equal(true[1, 0], second) and torch.equal(other[0, 0], second)
    assert predicted.requires_grad and other_predicted.requires_grad
    assert torch.allclose(other_predicted[0], predicted[1]) and 0 < predicted[0].mean() < 1


def test_matches_teach_the_keys_of_both_encoders(tiny_stage, network, squares):
    train_batch_norm(network, True)
    batch = squares(0)
    without = take_step(tiny_stage, network, batch)
    assert "matched" not in without.metrics
    still = torch.arange(4).expand(2, 3, 3, 4)
    stage = replace(tiny_stage, step_settings={"max_objects": 2, "matching_weight": 0.5})
    result = take_step(stage, network, batch | {"matches": still})
    assert result.loss > without.loss and 0 <= result.metrics["matched"] <= 1
    # With all objects gone the masks say nothing, and the keys learn still.
    alone = {**batch, "matches": still, "selector": torch.zeros(2, 2), "labels": torch.full_like(batch["labels"], 255)}
    take_step(stage, network, alone).loss.backward()
    assert network.query_head.key.weight.grad.abs().max() > 1e-6
    assert network.memory_head.key.weight.grad.abs().max() > 1e-6


def test_a_matching_loss_without_matches_is_refused(tiny_stage, network, squares):
    stage = replace(tiny_stage, step_settings={"max_objects": 2, "matching_weight": 0.5})
    with pytest.raises(ValueError, match=r"matching_weight is 0\.5, but samples here know no matches; set it to 0"):
        take_step(stage, network, squares(0))


def test_overfits_one_batch(tiny_stage, network, squares):
    stage = replace(tiny_stage, bootstrap=replace(tiny_stage.bootstrap, kept=1.0))
    batch, optimiser = squares(0), make_optimiser(network, stage)
    train_batch_norm(network, True)
    losses, result = learn(optimiser, 60, lambda _: take_step(stage, network, batch), rate=2e-3)
    assert losses[-1] < 0.25 * losses[0]
    assert result.metrics["iou_1"] > 0.7


def test_missing_second_object_is_never_predicted(tiny_stage, network, squares):
    batch = squares(0)
    assert batch["selector"][1, 1] == 0
    with torch.no_grad():
        network.predict.bias.fill_(5.0)
        predicted = take_step(tiny_stage, network, batch).predicted
    assert (predicted[0] == 2).any() or (predicted[0] == 1).any()
    assert not (predicted[1] == 2).any()


def test_the_two_objects_of_a_sample_are_exchangeable(tiny_stage, network, squares):
    batch = squares(0)
    swapped = {**batch, "selector": batch["selector"].flip(1)}
    labels = batch["labels"]
    swapped["labels"] = torch.where(labels > 0, 3 - labels, labels)
    network.eval()
    with torch.no_grad():
        one, two = take_step(tiny_stage, network, batch), take_step(tiny_stage, network, swapped)
    assert torch.allclose(one.loss, two.loss, atol=1e-5)


def test_step_is_a_pure_function(tiny_stage, network, squares):
    network.eval()
    with torch.no_grad():
        first, second = (take_step(tiny_stage, network, squares(4)).loss for _ in range(2))
    assert torch.equal(first, second)


def test_objects_beyond_the_most_are_background(tiny_stage, network, squares):
    one = replace(tiny_stage, step_settings={"max_objects": 1})
    batch = squares(0)
    batch["labels"][0, 1, :2] = 255
    alone = {**batch, "labels": batch["labels"].where(batch["labels"] != 2, 0), "selector": batch["selector"].clone()}
    alone["selector"][:, 1] = 0
    network.eval()
    with torch.no_grad():
        losses = [take_step(one, network, either).loss for either in (batch, alone)]
    assert torch.equal(*losses) and take_step(one, network, batch).predicted.max() <= 1
