"""The steps of the click network and of OSVOS's parent: gradients, one batch learnt, what they may depend on."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from step_checks import assert_samples_are_apart, learn, without_gradient
from vosforge.datagen.samples.click_samples import click_table
from vosforge.datagen.simulation.clicks.clicks import Click
from vosforge.models.propagation import train_batch_norm
from vosforge.train.optimiser import make_optimiser
from vosforge.train.stages.click_net import (
    CLICKNET_MASK_MINI,
    CLICKNET_MASK_STAGE,
    CLICKNET_MINI,
    CLICKNET_STAGE,
    corrective_clicks_step,
)
from vosforge.train.stages.osvos import OSVOS_PARENT, OSVOS_PARENT_MINI

SIDE = 48


def tiny(stage):
    return replace(stage, size="tiny", num_steps=8, batch_size=4, micro_batch=4, crop_size=SIDE)


def squares(num=4):
    """Squares of two colours on noise, one of them the object, clicked in its middle and beside it."""
    rng = np.random.default_rng(3)
    rgb = rng.uniform(0.3, 0.5, (num, 3, SIDE, SIDE)).astype(np.float32)
    labels, tables = np.zeros((num, SIDE, SIDE), np.int64), []
    for sample in range(num):
        top, left = rng.integers(0, 12), rng.integers(0, 4)
        rgb[sample, :, top : top + 20, left : left + 20] = np.array([0.9, 0.1, 0.1], np.float32)[:, None, None]
        rgb[sample, :, top : top + 20, left + 24 : left + 44] = np.array([0.9, 0.1, 0.1], np.float32)[:, None, None]
        own = left + 24 * (sample % 2)
        labels[sample, top : top + 20, own : own + 20] = 1
        middles = [Click(x=left + 10.5 + 24 * n, y=top + 10.5, positive=n == sample % 2) for n in range(2)]
        tables.append(click_table(middles))
    return {
        "rgb": torch.from_numpy(rgb),
        "labels": torch.from_numpy(labels),
        "clicks": torch.from_numpy(np.stack(tables)),
        "key": ["squares"] * num,
        "number": torch.arange(num),
    }


def take_step(stage, network, batch, step=0, seed=0, **more):
    keywords = {**stage.step_settings, **more}
    if stage.companion:
        keywords.setdefault("companion", first_network(stage))
    return stage.step(network, batch, np.random.default_rng(seed), stage.at(step, stage.num_steps), **keywords)


def first_network(stage):
    torch.manual_seed(1)
    return stage.network.named("tiny").eval().requires_grad_(False)


def fresh(stage):
    torch.manual_seed(0)
    return stage.network.named("tiny").train()


STAGES = [CLICKNET_MINI, CLICKNET_MASK_MINI, OSVOS_PARENT_MINI]


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_every_parameter_of_a_clicking_system_gets_a_gradient(stage):
    stage, network = tiny(stage), fresh(stage)
    take_step(stage, network, squares()).loss.backward()
    assert without_gradient(network) == []


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_a_clicking_system_overfits_one_batch(stage):
    stage, network = tiny(stage), fresh(stage)
    batch = squares()
    # OSVOS, which gets no clicks, cannot tell two equal squares apart.
    if stage.data == "foregrounds":
        batch["labels"] = (batch["rgb"][:, 0] > 0.8).long()
    losses, result = learn(make_optimiser(network, stage), 100, lambda _: take_step(stage, network, batch), rate=1e-2)
    # Answers are of stride 8, squares of 20 pixels.
    assert losses[-1] < 0.3 * losses[0] and result.metrics["iou"] > 0.6


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_with_frozen_statistics_a_clicked_sample_does_not_see_the_others(stage):
    stage, network = tiny(stage), fresh(stage)
    train_batch_norm(network, False)
    assert_samples_are_apart(lambda batch: take_step(stage, network, batch), squares(), rel=1e-4)


class Recorder(torch.nn.Module):
    """A network that keeps what it is given."""

    def __init__(self, network, answer):
        super().__init__()
        self.network, self.size, self.answer, self.given = network, network.size, answer, []

    def forward(self, rgb, mask, clicks):
        self.given.append((mask.clone(), clicks.clone()))
        logits = self.network(rgb, mask, clicks)
        return logits if self.answer is None else logits * 0 + self.answer


@pytest.mark.parametrize(("answer", "sign"), [(-5.0, 1), (5.0, -1)])
def test_corrections_lie_on_the_errors_of_the_first_network(answer, sign):
    """A first network that finds nothing is given positive clicks, one that takes all negative ones."""
    stage, batch = tiny(CLICKNET_MASK_MINI), squares()
    trained, first = Recorder(fresh(stage), None), Recorder(first_network(stage), answer)
    settings = {"keep_first": 0.0, "without_mask": 0.0, "correction_counts": (3,), "companion": first, "sigma": 0.5}
    take_step(stage, trained, batch, **settings)
    assert not first.given[0][0].any()
    mask, clicks = trained.given[0]
    assert (mask == (answer > 0)).all()
    assert (clicks * sign >= 0).all() and (clicks * sign).max() > 0.9
    peaks = (clicks[:, 0] * sign) > 0.999
    assert ((batch["labels"][peaks] == 1) == (sign > 0)).all()


def test_samples_without_a_mask_keep_their_first_clicks():
    stage, batch = tiny(CLICKNET_MASK_MINI), squares()
    trained, first = Recorder(fresh(stage), None), Recorder(first_network(stage), 5.0)
    take_step(stage, trained, batch, without_mask=1.0, companion=first)
    mask, clicks = trained.given[0]
    assert not mask.any() and torch.equal(clicks, first.given[0][1])


def test_corrections_leave_ignored_pixels_alone():
    stage, batch = tiny(CLICKNET_MASK_MINI), squares()
    batch["labels"][batch["labels"] == 0] = 255
    trained, first = Recorder(fresh(stage), None), Recorder(first_network(stage), 5.0)
    take_step(stage, trained, batch, keep_first=0.0, without_mask=0.0, correction_counts=(5,), companion=first)
    assert not trained.given[0][1].any()


def test_deep_supervision_of_the_parent_fades_with_the_run():
    stage, network, batch = tiny(OSVOS_PARENT), fresh(OSVOS_PARENT), squares()
    losses = [take_step(stage, network, batch, step=step) for step in (0, 4)]
    fused = losses[0].metrics["fused_loss"].item()
    sides = losses[0].loss.item() - fused
    assert sides > 0 and losses[1].loss.item() == pytest.approx(fused + sides / 2, rel=1e-5)


def test_sgd_has_the_published_rates_and_momentum():
    optimiser = make_optimiser(fresh(OSVOS_PARENT), OSVOS_PARENT)
    assert isinstance(optimiser, torch.optim.SGD)
    assert sorted(group["factor"] for group in optimiser.param_groups) == [0.01, 0.02, 0.1, 0.2, 1, 2]
    assert {group["momentum"] for group in optimiser.param_groups} == {0.9}
    decays = {p.ndim: group["weight_decay"] for group in optimiser.param_groups for p in group["params"]}
    assert decays == {4: 2e-4, 1: 0}, "weights decay, biases do not"


def test_the_published_numbers_of_clicks_and_of_osvos():
    users = CLICKNET_STAGE.sample_settings["users"]
    assert (users.margin, users.step, users.hull) == (3, 5, 40)
    assert users.correction_counts == (0, 1, 2, 3, 4, 5, 10, 20)
    assert CLICKNET_MASK_STAGE.companion == "clicknet" and CLICKNET_MASK_STAGE.step is corrective_clicks_step
    assert (OSVOS_PARENT.batch_size, OSVOS_PARENT.weight_decay) == (10, 2e-4)
    assert OSVOS_PARENT.at(0, 9).learning_rate == OSVOS_PARENT.at(8, 9).learning_rate == 1e-8
    assert OSVOS_PARENT.num_steps == 240 * 208 and OSVOS_PARENT.step_settings["reduction"] == "sum"
