"""The step of Scribble-to-Mask: gradients, what it may depend on, and the published numbers."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from step_checks import assert_samples_are_apart, learn, rows, without_gradient
from vosforge.models.propagation import train_batch_norm
from vosforge.train.optimiser import make_optimiser
from vosforge.train.stages.s2m import S2M_MINI, S2M_STAGE, s2m_step
from vosforge.train.stages.table import STAGES
from vosforge.train.step_draws import sample_keys

SIDE = 48


@pytest.fixture
def stage():
    return replace(S2M_MINI, size="tiny", num_steps=8, batch_size=4, micro_batch=4, crop_size=SIDE)


@pytest.fixture
def network(stage):
    torch.manual_seed(0)
    return stage.network.named("tiny").train()


def squares(num: int = 4) -> dict:
    """Red squares on noise; a stroke in the middle, a stroke off the square, and in odd samples half of the mask."""
    rng = np.random.default_rng(3)
    rgb = rng.uniform(0.3, 0.5, (num, 3, SIDE, SIDE)).astype(np.float32)
    labels, current, positive, negative = (np.zeros((num, SIDE, SIDE), np.float32) for _ in range(4))
    for sample in range(num):
        top, left = rng.integers(2, SIDE - 26, 2)
        labels[sample, top : top + 24, left : left + 24] = 1
        rgb[sample, :, top : top + 24, left : left + 24] = np.array([0.9, 0.1, 0.1], np.float32)[:, None, None]
        positive[sample, top + 11 : top + 14, left + 4 : left + 20] = 1
        negative[sample, :, 0] = 1
        if sample % 2:
            current[sample, top : top + 24, left : left + 12] = 1
    tensors = {"rgb": rgb, "current_mask": current, "positive": positive, "negative": negative}
    batch = {name: torch.from_numpy(value) for name, value in tensors.items()}
    return {**batch, "labels": torch.from_numpy(labels).long(), "key": ["squares"] * num, "number": torch.arange(num)}


def take_step(stage, network, batch, step=7, seed=0):
    return s2m_step(network, batch, np.random.default_rng(seed), stage.at(step, stage.num_steps))


def test_every_parameter_gets_a_gradient(stage, network):
    train_batch_norm(network, False)
    take_step(stage, network, squares()).loss.backward()
    assert without_gradient(network) == []


def test_overfits_one_batch(stage, network):
    optimiser = make_optimiser(network, stage)
    losses, result = learn(
        optimiser, 40, lambda step: take_step(stage, network, squares(), step=0, seed=step), rate=3e-3
    )
    assert losses[-1] < 0.3 * losses[0]
    assert result.metrics["iou"] > 0.8 > result.metrics["iou_before"]


def test_with_frozen_statistics_a_sample_does_not_see_the_others(stage, network):
    train_batch_norm(network, False)
    assert_samples_are_apart(lambda batch: take_step(stage, network, batch), squares(), rel=1e-5)


def test_dropout_differs_between_samples_and_between_steps():
    first, again = (sample_keys(np.random.default_rng(0), torch.arange(8)) for _ in range(2))
    later = sample_keys(np.random.default_rng(1), torch.arange(8))
    assert torch.equal(first, again) and len(set(first.tolist() + later.tolist())) == 16


def test_pixels_to_be_ignored_have_no_part_in_the_loss(stage, network):
    train_batch_norm(network, False)
    batch, lower = squares(), torch.arange(SIDE)[:, None].expand(4, SIDE, SIDE) >= SIDE // 2

    def loss(ignored: torch.Tensor) -> float:
        labels = batch["labels"].masked_fill(ignored, 255)
        return take_step(stage, network, {**batch, "labels": labels}, step=0).loss.item()

    # Each sample is half of these pixels and half of those.
    upper_alone, lower_alone = loss(lower), loss(~lower)
    assert loss(lower & ~lower) == pytest.approx((upper_alone + lower_alone) / 2)
    assert upper_alone != pytest.approx(lower_alone)


def test_result_is_one_picture_of_ids_a_sample(stage, network):
    result = take_step(stage, network, squares())
    assert result.predicted.shape == (4, 1, SIDE, SIDE)
    assert set(result.predicted.unique().tolist()) <= {0, 1}
    assert set(result.metrics) == {"loss", "iou", "iou_before"}


def test_a_double_stays_a_double(stage, network):
    batch = {
        name: value.double() if torch.is_floating_point(value) else value
        for name, value in rows(squares(), [0, 1, 2, 3]).items()
    }
    result = take_step(stage, network.double(), batch)
    assert result.loss.dtype == torch.float64


def test_the_published_numbers():
    assert STAGES["s2m"] is S2M_STAGE and STAGES["s2m-mini"] is S2M_MINI
    steps = S2M_STAGE.num_steps
    assert (steps, S2M_STAGE.batch_size, S2M_STAGE.crop_size, S2M_STAGE.weight_decay) == (80_000, 32, 480, 1e-7)
    kept = [S2M_STAGE.at(step, steps).kept_fraction for step in (0, 10_000, 20_000, 30_000, 79_999)]
    assert kept == pytest.approx([1, 1, 0.575, 0.15, 0.15])
    assert {S2M_STAGE.at(step, steps).learning_rate for step in (0, 40_000, 79_999)} == {1e-4}
    assert S2M_STAGE.trains_batch_norm(79_999, steps)
    assert "0.5 the paper's" in S2M_STAGE.sources["sample_settings"]
