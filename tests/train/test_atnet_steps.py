"""The steps of ATNet: gradients, what they may depend on, frozen parts, and the published numbers."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from step_checks import assert_samples_are_apart, learn, rows
from vosforge.datagen.simulation.scribbles.annotated_input import AnnotatedInputSettings
from vosforge.models.propagation import train_batch_norm
from vosforge.train.optimiser import make_optimiser
from vosforge.train.stages.atnet import ATNET_A, ATNET_A_MINI, ATNET_T, ATNET_T_MINI
from vosforge.train.stages.atnet_steps import annotated_inputs, local_map_error

SIDE = 64


def tiny(stage):
    return replace(stage, size="tiny", num_steps=8, batch_size=4, micro_batch=4, crop_size=SIDE)


@pytest.fixture(params=["a", "t"])
def stage(request):
    return tiny({"a": ATNET_A_MINI, "t": ATNET_T_MINI}[request.param])


@pytest.fixture
def network(stage):
    torch.manual_seed(0)
    network = stage.network.named("tiny").train()
    for name in stage.frozen:
        network.get_submodule(name).eval()
    return network


def squares(num=4, frames=3):
    """A red square of each sample that moves to the right over noise that stays."""
    rng = np.random.default_rng(3)
    rgb = np.repeat(rng.uniform(0.3, 0.5, (num, 1, 3, SIDE, SIDE)), frames, axis=1).astype(np.float32)
    labels = np.zeros((num, frames, SIDE, SIDE), np.int64)
    for sample in range(num):
        top, left = rng.integers(2, SIDE - 36, 2)
        for t in range(frames):
            where = sample, t, slice(top, top + 26), slice(left + 4 * t, left + 4 * t + 26)
            labels[where] = 1
            rgb[sample, t, :, where[2], where[3]] = np.array([0.9, 0.1, 0.1], np.float32)[:, None, None]
    tensors = {"rgb": rgb, "labels": labels, "selector": np.ones((num, 1), np.float32), "number": np.arange(num)}
    return {**{name: torch.from_numpy(value) for name, value in tensors.items()}, "key": ["squares"] * num}


def take_step(stage, network, batch, step=0, seed=0):
    scheduled = stage.at(step, stage.num_steps)
    return stage.step(network, batch, np.random.default_rng(seed), scheduled, **stage.step_settings)


def trained_part(stage, network):
    return network.transfer if stage.frozen else network.annotation


def test_every_parameter_of_the_part_gets_a_gradient_and_no_other(stage, network):
    train_batch_norm(trained_part(stage, network), False)
    take_step(stage, network, squares()).loss.backward()
    part = set(trained_part(stage, network).parameters())
    silent = [
        name for name, p in network.named_parameters() if (p.grad is None or not p.grad.abs().max() > 0) == (p in part)
    ]
    assert silent == []


def test_overfits_one_batch(stage, network):
    optimiser, batch = make_optimiser(network, stage), squares(frames=2)
    rate = 3e-2 if stage.frozen else 1e-2
    losses, result = learn(optimiser, 35, lambda step: take_step(stage, network, batch, seed=step % 4), rate)
    assert losses[-1] < 0.4 * losses[0]
    assert result.metrics["iou"] > 0.7


def test_frozen_part_keeps_weights_and_statistics(stage, network):
    before = {name: value.clone() for name, value in network.state_dict().items()}
    optimiser = make_optimiser(network, stage)
    take_step(stage, network, squares()).loss.backward()
    optimiser.step()
    changed = {
        name.split(".")[0] for name, value in network.state_dict().items() if not torch.equal(value, before[name])
    }
    assert changed == {"transfer" if stage.frozen else "annotation"}


def test_with_frozen_statistics_a_sample_does_not_see_the_others(stage, network):
    train_batch_norm(trained_part(stage, network), False)
    assert_samples_are_apart(lambda batch: take_step(stage, network, batch), squares(), rel=1e-4)


def test_predicted_ids_are_those_of_the_frames_asked_for(stage, network):
    result = take_step(stage, network, squares(frames=4))
    assert result.predicted.shape == (4, 3 if stage.frozen else 1, SIDE, SIDE)
    assert set(result.predicted.unique().tolist()) <= {0, 1}


def test_user_depends_on_rng_and_number_alone():
    batch, settings = squares(), AnnotatedInputSettings()
    one = annotated_inputs(np.random.default_rng(5), batch, settings)
    part = annotated_inputs(np.random.default_rng(5), rows(batch, [2, 1]), settings)
    other = annotated_inputs(np.random.default_rng(6), batch, settings)
    assert all(torch.equal(x[[2, 1]], y) for x, y in zip(one, part, strict=True))
    assert any(not torch.equal(x, y) for x, y in zip(one, other, strict=True))
    assert all(x.shape == (4, 1, SIDE, SIDE) and x.dtype == torch.float32 for x in one)


def test_both_rounds_are_drawn():
    batch = squares(num=16)
    mask, positive, negative = annotated_inputs(np.random.default_rng(0), batch, AnnotatedInputSettings())
    neutral = (mask == 0.5).flatten(1).all(dim=1)
    assert neutral.any() and not neutral.all()
    assert not negative[neutral].any() and positive[neutral].flatten(1).any(dim=1).all()


def test_local_error_is_the_squared_error_of_the_quartered_truth():
    labels = torch.zeros(1, 8, 8, dtype=torch.long)
    labels[0, :4, :6] = 1
    map_ = torch.tensor([[[[1.0, 0.5], [0.25, 0.0]]]])
    assert local_map_error(map_, labels).item() == pytest.approx(0.25**2 / 4)
    labels[0, 4:, :4] = 255
    assert local_map_error(map_, labels).item() == 0
    assert local_map_error(map_, torch.full_like(labels, 255)).item() == 0


def test_local_weight_scales_the_auxiliary_loss(network):
    stage = tiny(ATNET_T_MINI)
    network.annotation.eval()
    losses = []
    for weight in (0.0, 0.1):
        changed = replace(stage, step_settings=stage.step_settings | {"local_weight": weight})
        result = take_step(changed, network, squares())
        losses.append(result.loss.item())
    assert losses[1] - losses[0] == pytest.approx(0.1 * result.metrics["local_error"].item(), rel=1e-3)


def test_the_papers_numbers():
    assert (ATNET_A.num_steps, ATNET_A.batch_size) == (60 * 7_000, 6)
    assert (ATNET_T.num_steps, ATNET_T.batch_size) == (40 * 6_000, 8)
    epochs = [round(ATNET_A.learning_rate.at(epoch * 7_000, 420_000), 9) for epoch in (0, 19, 20, 40)]
    assert epochs == [1e-5, 1e-5, 2e-6, 4e-7]
    assert round(ATNET_T.learning_rate.at(20 * 6_000, 240_000), 9) == 2e-6
    assert ATNET_T.sample_settings["num_frames"] == 5 and ATNET_T.sample_settings["window"] == 7
    assert ATNET_T.step_settings["local_weight"] == 0.1 and ATNET_T.frozen == ("annotation",)
    assert ATNET_A.step_settings["pixels_per_point"] == (100, 3000)
    assert ATNET_A_MINI.step is ATNET_A.step and ATNET_T_MINI.step is ATNET_T.step
