"""The step of fusion: what it is given, what it learns, and what it leaves alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from step_checks import learn
from vosforge.models.aggregate import soft_aggregate
from vosforge.models.propagation import SIZES, PropagationNetwork
from vosforge.train.inference.fusion import attention_cells, blend_linearly, fused_logits, memorize_interaction
from vosforge.train.optimiser import make_optimiser
from vosforge.train.stages.fusion import FUSION_RENDERED, FUSION_RENDERED_MINI, FUSION_STAGES, FUSION_VIDEO, fusion_step

SIDE = 32


@pytest.fixture
def stage():
    return replace(FUSION_RENDERED_MINI, size="tiny", num_steps=40, batch_size=2, micro_batch=1, crop_size=SIDE)


@pytest.fixture
def network(stage):
    torch.manual_seed(0)
    return stage.network.named("tiny")


@pytest.fixture
def companion():
    torch.manual_seed(1)
    return PropagationNetwork(SIZES["tiny"]).eval().requires_grad_(False)


@pytest.fixture
def batch():
    """Two samples: the old masks lack the right half of each object, the new are right; sample 1 has one object."""
    generator = torch.Generator().manual_seed(3)
    labels = torch.zeros(2, SIDE, SIDE, dtype=torch.int64)
    labels[:, 4:14, 4:24] = 1
    labels[0, 18:28, 8:28] = 2
    labels[0, :2] = 255
    true = torch.stack([labels == 1, labels == 2], dim=1).float()
    previous = true.clone()
    previous[..., 14:] = 0
    return {
        "rgb": torch.rand(2, 3, SIDE, SIDE, generator=generator),
        "rgb_interaction": torch.rand(2, 3, SIDE, SIDE, generator=generator),
        "labels": labels,
        "labels_interaction": labels.clone(),
        "previous": previous,
        "new": true,
        "previous_there": previous.clone(),
        "distances": torch.tensor([[0.75, 0.25], [0.5, 0.5]]),
        "selector": torch.tensor([[1.0, 1.0], [1.0, 0.0]]),
        "number": torch.arange(2),
        "key": ["a", "b"],
        "frames": torch.tensor([[3, 0, 4], [2, 0, 4]]),
    }


def take_step(stage, network, companion, batch, step=0, **settings):
    rng = np.random.default_rng(0)
    return fusion_step(network, batch, rng, stage.at(step, stage.num_steps), companion=companion, **settings)


def test_every_parameter_gets_a_gradient_and_the_companion_none(stage, network, companion, batch):
    before = {name: value.clone() for name, value in companion.state_dict().items()}
    companion.requires_grad_(True)
    take_step(stage, network, companion, batch).loss.backward()
    assert all(parameter.grad.abs().max() > 0 for parameter in network.parameters())
    assert all(parameter.grad is None for parameter in companion.parameters())
    assert all(torch.equal(value, before[name]) for name, value in companion.state_dict().items())


def test_learns_to_take_the_masks_that_are_right(stage, network, companion, batch):
    optimiser = make_optimiser(network, stage)
    losses, result = learn(optimiser, 80, lambda _: take_step(stage, network, companion, batch), rate=1e-2)
    assert losses[-1] < 0.1 * losses[0]
    assert result.metrics["iou"] > 0.95 and result.predicted.shape == (2, 1, SIDE, SIDE)
    assert result.metrics["iou_new"] == 1 and result.metrics["iou_previous"] < 0.6


def test_the_loss_is_the_mean_over_samples_whatever_their_order(stage, network, companion, batch):
    whole = take_step(stage, network, companion, batch).loss
    alone = [
        take_step(stage, network, companion, {name: value[i : i + 1] for name, value in batch.items()}).loss
        for i in range(2)
    ]
    assert torch.allclose(whole, sum(alone) / 2, rtol=1e-5)


def test_an_absent_second_object_is_neither_predicted_nor_felt(stage, network, companion, batch):
    result = take_step(stage, network, companion, batch)
    assert 2 not in result.predicted[1]
    changed = {**batch, "previous": batch["previous"].clone(), "new": batch["new"].clone()}
    changed["previous"][1, 1], changed["new"][1, 1] = 0.7, 0.2
    assert torch.equal(take_step(stage, network, companion, changed).loss, result.loss)


def test_ignored_pixels_have_no_loss(stage, network, companion, batch):
    result = take_step(stage, network, companion, batch)
    changed = {**batch, "labels": batch["labels"].clone()}
    changed["labels"][0, 20:24] = 255
    assert not torch.equal(take_step(stage, network, companion, changed).loss, result.loss)
    without = {**batch, "labels": torch.full_like(batch["labels"], 255)}
    assert take_step(stage, network, companion, without).loss == 0


def test_attention_reads_as_many_cells_as_in_training_unless_others_are_asked_for(network):
    assert attention_cells(network, None) is None and attention_cells(None, None) is None
    network.trained_with = {"top_k": 50}
    assert [attention_cells(network, asked) for asked in (None, 0, 7)] == [50, None, 7]


def test_the_difference_is_that_of_the_interacted_frame_seen_by_the_companion(network, companion, batch):
    seen = {}
    network.forward = lambda **given: seen.update(given) or given["new_mask"]
    true = torch.stack([batch["labels"] == 1, batch["labels"] == 2], dim=1).float()
    rgb = batch["rgb_interaction"]
    interaction = memorize_interaction(companion, rgb, batch["previous_there"], true)
    key = companion.encode_query(rgb).key
    logits = fused_logits(network, interaction, key, rgb, batch["previous"], batch["new"], batch["distances"])
    assert logits.shape == batch["new"].shape and torch.equal(logits, batch["new"])
    added, removed = seen["a_plus"], seen["a_minus"]
    assert added.shape == (4, 1, SIDE, SIDE) and added[:3].max() > 0 and removed.abs().max() == 0
    assert added[3].abs().max() == 0, "nothing was added to an object that is not there"
    assert seen["previous_distance"].tolist() == [0.75, 0.75, 0.5, 0.5]
    assert seen["new_distance"].tolist() == [0.25, 0.25, 0.5, 0.5]
    assert torch.equal(seen["rgb"][0], seen["rgb"][1])


def test_pixels_to_be_ignored_in_the_interacted_frame_are_no_change(stage, network, companion, batch):
    seen = {}
    plain = network.forward
    network.forward = lambda **given: seen.update(given) or plain(**given)
    # The old masks were right but for an object's left part, of which nobody knows what it is.
    labels = batch["labels"].clone()
    labels[:, 4:14, 4:9] = 255
    take_step(stage, network, companion, {**batch, "labels_interaction": labels, "previous_there": batch["new"]})
    assert seen["a_plus"].abs().max() == 0 and seen["a_minus"].abs().max() == 0
    labels[:, 4:14, 4:9] = 0
    take_step(stage, network, companion, {**batch, "labels_interaction": labels, "previous_there": batch["new"]})
    assert seen["a_minus"].max() > 0


def test_the_cells_that_the_attention_reads_can_be_limited(stage, network, companion, batch):
    full, limited = (take_step(stage, network, companion, batch, top_k=k).loss for k in (None, 1))
    assert not torch.equal(full, limited)
    assert torch.allclose(full, take_step(stage, network, companion, batch, top_k=10_000).loss)


def test_linear_blending_weighs_the_nearer_interaction_more():
    previous, new = torch.zeros(3, 1, 2, 2), torch.ones(3, 1, 2, 2)
    blended = blend_linearly(previous, new, torch.tensor([[0.75, 0.25], [0.5, 0.5], [2.0, 1.0]]))
    assert torch.allclose(blended[:, 0, 0, 0], torch.tensor([0.75, 0.5, 2 / 3]))


def test_stages_have_the_published_numbers():
    assert (FUSION_RENDERED.num_steps, FUSION_VIDEO.num_steps) == (30_000, 10_000)
    for stage, decay_at in ((FUSION_RENDERED, 20_000), (FUSION_VIDEO, 7_500)):
        assert (stage.batch_size, stage.crop_size, stage.weight_decay) == (24, 384, 1e-7)
        rates = [stage.at(step, stage.num_steps).learning_rate for step in (0, decay_at - 1, decay_at)]
        assert rates == pytest.approx([1e-4, 1e-4, 1e-5])
        kept = [stage.at(round(part * stage.num_steps), stage.num_steps).kept_fraction for part in (0.2, 0.35, 0.5)]
        assert kept == pytest.approx([1, 0.575, 0.15])
    for stage in FUSION_STAGES:
        assert stage.companion == "propagation" and stage.data == "fusion"
        assert set(stage.sources) >= {
            "num_steps",
            "batch_size",
            "learning_rate",
            "weight_decay",
            "bootstrap",
            "crop_size",
        }


def test_soft_masks_are_aggregated_over_the_objects(stage, network, companion, batch):
    # A frame's pixels belong to one class: raising the logit of one object takes pixels from the other.
    network.forward = lambda **given: (given["new_mask"] - 0.5) * 20
    result = take_step(stage, network, companion, batch)
    expected = soft_aggregate(((batch["new"] - 0.5) * 20).sigmoid(), dim=1).argmax(dim=1)
    assert torch.equal(result.predicted[0, 0], expected[0])
    assert result.loss < 1e-3
