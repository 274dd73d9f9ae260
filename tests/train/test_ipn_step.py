"""Rounds of interaction and propagation in training: what is asked, what is predicted, what learns."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from vosforge.models.ipn import NEUTRAL
from vosforge.train.micro_batches import BatchDivision, rows_of
from vosforge.train.networks import IPN
from vosforge.train.optimiser import make_optimiser
from vosforge.train.stage import Scheduled
from vosforge.train.stages.ipn import IPN_CLIPS, IPN_CLIPS_MINI, IPN_STAGES, IPN_STILLS
from vosforge.train.stages.ipn_rounds import SimulatedUser, frames_at, ipn_step, outward
from vosforge.train.step_settings import whole_step_settings
from vosforge.train.update import GlobalUpdate

SCHEDULED = Scheduled(learning_rate=1e-3, kept_fraction=1.0, max_jump=1)
SHORT = {"num_frames": (3, 3), "num_rounds": (2, 2)}


def tracklets(batch_size=2, num_frames=4, side=48, seed=0):
    """A red square that moves over noise, one object a sample."""
    rng = np.random.default_rng(seed)
    rgb = rng.uniform(0.3, 0.5, (batch_size, num_frames, 3, side, side)).astype(np.float32)
    labels = np.zeros((batch_size, num_frames, side, side), np.int64)
    for sample in range(batch_size):
        x, y = rng.integers(4, side // 2, 2)
        for frame in range(num_frames):
            rows, columns = slice(y, y + 14), slice(x + frame, x + frame + 16)
            labels[sample, frame, rows, columns] = 1
            rgb[sample, frame, :, rows, columns] = np.array((1, 0, 0), np.float32)[:, None, None]
    return {"rgb": torch.from_numpy(rgb), "labels": torch.from_numpy(labels), "number": torch.arange(batch_size)}


@pytest.fixture
def network():
    torch.manual_seed(0)
    return IPN.named("tiny").eval()


def results_of_step(network, batch, **settings):
    return list(ipn_step(network, batch, np.random.default_rng(1), SCHEDULED, **settings))


def test_every_frame_is_predicted_in_every_round_and_each_has_a_loss(network):
    results = results_of_step(network, tracklets(), **SHORT)
    assert len(results) == 2 * 3
    assert [next(iter(set(one.metrics) - {"iou"})) for one in results] == (
        ["iou_interaction"] + ["iou_propagation"] * 2
    ) * 2
    assert all(one.loss.requires_grad and one.loss.item() > 0 for one in results)
    assert [one.predicted is None for one in results] == [True] * 5 + [False]
    assert results[-1].predicted.shape == (2, 3, 48, 48)


def test_the_loss_of_a_network_does_not_train_the_other(network):
    for result in ipn_step(network, tracklets(), np.random.default_rng(1), SCHEDULED, **SHORT):
        network.zero_grad(set_to_none=True)
        result.loss.backward()
        own = "interaction" if "iou_interaction" in result.metrics else "propagation"
        touched = {name.partition(".")[0] for name, one in network.named_parameters() if one.grad is not None}
        assert touched == {own}


def test_aggregation_is_trained_from_the_second_round_on(network):
    seen = []
    for result in ipn_step(network, tracklets(), np.random.default_rng(1), SCHEDULED, **SHORT):
        network.zero_grad(set_to_none=True)
        result.loss.backward()
        seen.append(network.propagation.aggregation.squeeze.weight.grad is not None)
    assert seen == [False] * 4 + [True] * 2


class Recorder(torch.nn.Module):
    """Keeps what a network is given."""

    def __init__(self, network):
        super().__init__()
        self.network, self.given = network, []

    def forward(self, *given, **keywords):
        self.given.append([one.detach().clone() for one in given])
        return self.network(*given, **keywords)

    def reference(self, *given):
        return self.network.reference(*given)


def test_masks_of_the_first_round_are_neutral_and_those_after_are_not(network):
    network.interaction, network.propagation = Recorder(network.interaction), Recorder(network.propagation)
    results_of_step(network, tracklets(), **SHORT)
    first, second = network.interaction.given
    assert (first[1] == NEUTRAL).all() and (second[1] != NEUTRAL).any()
    assert first[2].any() and not first[3].any(), "the first round has positive scribbles alone"
    assert all((given[1] == NEUTRAL).all() for given in network.propagation.given[:2])
    assert all((given[1] != NEUTRAL).any() for given in network.propagation.given[2:])


@pytest.mark.parametrize("rounded", [True, False])
def test_the_neighbour_s_mask_enters_as_0_or_1_unless_asked_otherwise(network, rounded):
    network.propagation = Recorder(network.propagation)
    # In the first round the region is the whole frame, here of the size that the tiny network wants: no warp.
    results_of_step(network, tracklets(side=64), **SHORT, round_neighbour=rounded)
    assert [set(given[2].unique().tolist()) <= {0.0, 1.0} for given in network.propagation.given[:2]] == [rounded] * 2


def test_first_round_sees_whole_frames(network):
    network.interaction = Recorder(network.interaction)
    batch = tracklets(side=64)
    results_of_step(network, batch, **SHORT)
    frames = batch["rgb"][:, -3:]
    given = network.interaction.given[0][0]
    # The tiny network's regions are 64x64, the size of these frames.
    assert all(any(torch.allclose(given[row], frame, atol=1e-5) for frame in frames[row]) for row in range(2))


def test_ignored_pixels_and_other_objects_change_no_loss(network):
    batch = tracklets()
    other = {**batch, "labels": batch["labels"].clone()}
    other["labels"][:, :, :3, :3] = 2
    losses = [[one.loss.item() for one in results_of_step(network, each, **SHORT)] for each in (batch, other)]
    assert losses[0] == losses[1]
    nothing = {**batch, "labels": torch.full_like(batch["labels"], 255)}
    assert all(one.loss.item() == 0 for one in results_of_step(network, nothing, **SHORT))


def test_predictions_at_all_strides_count_by_their_weights(network):
    one = next(ipn_step(network, tracklets(), np.random.default_rng(1), SCHEDULED))
    all_five = ipn_step(
        network, tracklets(), np.random.default_rng(1), SCHEDULED, scale_weights=(1.0, 0.5, 0.5, 0.5, 0.5)
    )
    assert next(all_five).loss > one.loss


def test_a_sample_is_the_same_beside_others_and_alone(network):
    batch = tracklets(batch_size=3)
    whole = results_of_step(network, batch, **SHORT)
    alone = [results_of_step(network, rows_of(batch, range(row, row + 1)), **SHORT) for row in range(3)]
    for turn, result in enumerate(whole):
        torch.testing.assert_close(
            result.loss, torch.stack([one[turn].loss for one in alone]).mean(), rtol=1e-4, atol=1e-5
        )


def test_clips_grow_and_then_get_more_rounds():
    ends = [frames_at(position, (4, 8), 80 / 290) for position in (0, 19 / 290, 21 / 290, 61 / 290, 80 / 290, 0.99)]
    assert ends == [4, 4, 5, 7, 8, 8]
    settings = IPN_CLIPS.step_settings
    batch, network = tracklets(batch_size=1, num_frames=8, side=32), IPN.named("tiny").eval()
    counts = {}
    for position in (0.0, 0.15, 0.9):
        scheduled = replace(SCHEDULED, position=position)
        with torch.no_grad():
            counts[position] = len(list(ipn_step(network, batch, np.random.default_rng(0), scheduled, **settings)))
    assert counts == {0.0: 4 * 2, 0.15: 6 * 2, 0.9: 8 * 3}


def test_propagation_goes_outward_from_the_marked_frame():
    assert outward(2, 5) == [(3, 2), (4, 3), (1, 2), (0, 1)]
    assert outward(0, 3) == [(1, 0), (2, 1)] and outward(2, 3) == [(1, 2), (0, 1)]


def test_users_mark_frames_with_errors_that_they_have_not_marked():
    truth = np.zeros((4, 40, 40), np.uint8)
    truth[1:, 8:24, 8:24] = 1
    marked = set()
    for seed in range(24):
        user = SimulatedUser(seed, 0, truth)
        first = user.mark(None)
        assert first.frame > 0 and first.drawn.positive.any() and not first.drawn.negative.any()
        assert not (first.drawn.positive & (truth[first.frame] != 1)).any()
        masks = truth == 1
        masks[0, 4:20, 20:36] = True
        second = user.mark(masks)
        assert second.frame == 0 and second.drawn.negative.any() and not second.drawn.positive.any()
        marked.add(first.frame)
    assert marked == {1, 2, 3}


@pytest.mark.parametrize("stage", [IPN_CLIPS, IPN_CLIPS_MINI], ids=lambda stage: stage.name)
def test_overfits_one_batch(stage):
    torch.manual_seed(0)
    stage = replace(stage, size="tiny", batch_size=2, micro_batch=2, gradient_clip=1.0)
    stage = replace(stage, step_settings={**stage.step_settings, **SHORT})
    network, batch = IPN.named("tiny"), tracklets()
    optimiser = make_optimiser(network, stage)
    optimiser.param_groups[0]["lr"] = 3e-3
    update = GlobalUpdate(
        network, stage, BatchDivision(batch_size=2, micro_batch=2), seed=0, device=torch.device("cpu")
    )
    losses, ious = [], []
    for step in range(25):
        for result in update(batch, step, SCHEDULED, False):
            optimiser.step()
            losses.append(result.loss)
            ious.append(result.metrics["iou"])
    assert np.mean(losses[-12:]) < np.mean(losses[:12]) / 4
    assert np.mean(ious[-12:]) > 0.8


def test_stages_name_a_source_for_every_number_and_mini_stages_take_the_same_step():
    for stage in IPN_STAGES:
        assert stage.step is ipn_step
        assert set(stage.sources) >= {
            "data",
            "num_steps",
            "learning_rate",
            "curriculum",
            "sample_settings",
            "step_settings",
        }


def test_the_published_numbers():
    for stage in (IPN_STILLS, IPN_CLIPS):
        assert stage.at(0, 9).learning_rate == stage.at(8, 9).learning_rate == 1e-5 and stage.optimiser == "adam"
        assert (stage.crop_size, stage.weight_decay, stage.train_batch_norm_until) == (400, 0, 0)
        assert {stage.at(step, 9).kept_fraction for step in range(9)} == {1.0}
    settings = whole_step_settings(IPN_STILLS)
    assert (settings["num_frames"], settings["num_rounds"], settings["roi_scale"]) == ((2, 2), (2, 2), 2.0)
    settings = whole_step_settings(IPN_CLIPS)
    assert (settings["num_frames"], settings["num_rounds"], settings["more_rounds_from"]) == ((4, 8), (2, 3), 7)
    assert settings["longest_from"] == pytest.approx(80 / 290) and settings["round_neighbour"]
    assert IPN_CLIPS.sample_settings == {"num_frames": 8, "short_side": 480}
    assert [IPN_CLIPS.at(epoch, 290).max_jump for epoch in (0, 21, 41, 61, 81, 289)] == [4, 5, 6, 7, 8, 8]


def test_rounds_run_in_bfloat16():
    torch.manual_seed(0)
    stage = replace(IPN_CLIPS, size="tiny", batch_size=2, micro_batch=1, step_settings=SHORT)
    network = IPN.named("tiny")
    division, device = BatchDivision(batch_size=2, micro_batch=1), torch.device("cpu")
    update = GlobalUpdate(network, stage, division, seed=0, device=device, autocast=torch.bfloat16)
    results = list(update(tracklets(), 0, SCHEDULED, True))
    assert len(results) == 6 and all(np.isfinite(one.gradient_norm) and not one.failed_ranks for one in results)
