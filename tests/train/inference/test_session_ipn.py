"""A session of IPN: what its networks are given, rounds, distance weights, merging, undoing and resuming."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from session_world import CutWorld, HiddenWorld, all_masks, begun, line_on, lines, undo_a_round
from torch import nn
from torch.nn import functional as F
from toy_networks import NUM_CORNERS, SURE, ToyS2M, corner_of
from vosforge.datagen.simulation.robot.strokes import Stroke
from vosforge.models.ipn import SIZES, IPNNetwork, IPNPrediction
from vosforge.models.normalisation import NormaliseColours
from vosforge.train.inference.geometry import FrameGeometry
from vosforge.train.inference.interaction import draw_hints
from vosforge.train.inference.session import ipn_engine
from vosforge.train.inference.session.ipn import IPNSession
from vosforge.train.inference.session.ipn_settings import IPNSettings
from vosforge.train.inference.session.protocol import Scribbles


class ToyInteraction(nn.Module):
    """As `ToyS2M`; the features are the share of each colour that lies in the mask."""

    def __init__(self):
        super().__init__()
        self.normalise = NormaliseColours()
        self.segment = ToyS2M()

    def forward(self, rgb, mask, positive, negative):
        logits = self.segment(rgb, mask, (positive > 0.5).float(), (negative > 0.5).float())
        corners = F.one_hot(corner_of(rgb), NUM_CORNERS).float()
        inside = (corners * logits.sigmoid()[:, 0, :, :, None]).sum(dim=(1, 2)) / corners.sum(dim=(1, 2)).clamp(min=1)
        features = (inside > 0.5).float()[:, :, None, None]
        return IPNPrediction(logits=torch.cat([-logits / 2, logits / 2], dim=1), coarse=(), features=features)


class ToyPropagationNet(nn.Module):
    """A pixel is the object's where the reference has its colour; `certain` answers instead where it is not None.

    given: masks and neighbours' masks of every call. rounds: how many references were aggregated.
    """

    def __init__(self):
        super().__init__()
        self.certain, self.given, self.rounds = None, [], 0

    def reference(self, current, previous):
        self.rounds = 1 if previous is None else self.rounds + 1
        return current if previous is None else torch.maximum(current, previous)

    def forward(self, rgb, mask, neighbour, reference):
        self.given.append((mask, neighbour))
        rows = torch.arange(len(rgb)).view(-1, 1, 1)
        probability = reference[rows, corner_of(rgb), 0, 0][:, None]
        if self.certain is not None:
            probability = torch.full_like(probability, self.certain)
        logits = torch.logit(probability, eps=1e-9).clamp(-SURE, SURE)
        return IPNPrediction(logits=torch.cat([-logits / 2, logits / 2], dim=1), coarse=(), features=rgb)


class ToyIPN(nn.Module):
    def __init__(self):
        super().__init__()
        self.size = SimpleNamespace(roi_side=192)
        self.interaction, self.propagation = ToyInteraction(), ToyPropagationNet()


def session_on(world, network=None, **settings):
    return begun(IPNSession(network or ToyIPN(), IPNSettings(**settings)), world)


def alike(found, truth):
    """Equal but for the edges, which the warps to the regions and back may move by a pixel."""
    return (found == truth).mean() > 0.97 and all(
        ((found == value) & (truth == value)).sum() > 0.8 * ((found == value) | (truth == value)).sum()
        for value in np.unique(truth)
    )


def test_strokes_on_one_frame_give_the_masks_of_all(world):
    network = ToyIPN()
    session = session_on(world, network)
    assert alike(session.interact(3, lines(world, 3)), world.truth(3))
    _, mask, positive, negative = network.interaction.segment.calls[0]
    assert torch.allclose(mask, torch.tensor(0.5)), "no round was before: the mask is neutral"
    assert positive.flatten(1).any(dim=1).all() and negative.flatten(1).any(dim=1).all()
    assert sorted(dict(session.propagate())) == list(range(8))
    for t in range(8):
        assert alike(session.masks(t), world.truth(t)), t
    assert set(session.module_times) == {"i-net", "p-net"}


def test_masks_of_the_round_before_are_neutral_first_and_then_what_stands(world):
    network = ToyIPN()
    session = session_on(world, network)
    session.interact(1, lines(world, 1))
    list(session.propagate())
    assert all(torch.allclose(mask, torch.tensor(0.5)) for mask, _ in network.propagation.given)
    network.propagation.given.clear()
    session.interact(6, lines(world, 6))
    list(session.propagate())
    assert network.propagation.given
    assert all((mask > 0.9).any() and (mask < 0.1).any() for mask, _ in network.propagation.given)


def test_propagation_stops_before_the_frames_of_earlier_rounds_and_aggregates_their_features(world):
    network = ToyIPN()
    session = session_on(world, network)
    for count, t, expected in ((1, 1, list(range(8))), (2, 6, [2, 3, 4, 5, 6, 7]), (3, 4, [2, 3, 4, 5])):
        session.interact(t, lines(world, t))
        assert sorted(dict(session.propagate())) == expected
        assert network.propagation.rounds == count
    forgetful = session_on(world, network, max_rounds=1)
    for t in (1, 6):
        forgetful.interact(t, lines(world, t))
        list(forgetful.propagate())
    assert network.propagation.rounds == 1


def test_a_frame_that_is_worked_on_again_counts_once(world):
    network = ToyIPN()
    session = session_on(world, network)
    for _ in range(2):
        session.interact(3, lines(world, 3))
        list(session.propagate())
        assert network.propagation.rounds == 1


def test_new_masks_weigh_less_towards_the_frame_of_the_round_before(world):
    network = ToyIPN()
    session = session_on(world, network)
    network.propagation.certain = 0.2
    session.interact(1, {4: line_on(world, 1, 4)})
    list(session.propagate())
    before = session.soft_masks(3)[0] / 255
    assert 0 < before.mean() < 0.3
    network.propagation.certain = 1 - 1e-7
    session.interact(6, {4: line_on(world, 6, 4)})
    list(session.propagate())
    for t in (2, 3, 4, 5):
        weight = (t - 1) / (6 - 1)
        seen = session.soft_masks(t)[0] / 255
        # Where the region of interest reaches; outside it the new mask is empty.
        assert np.isclose(seen.max(), weight + (1 - weight) * before.max(), atol=0.02), t
    assert (session.soft_masks(7)[0] > 250).any(), "beyond the new frame nothing older lies on that side"


def test_objects_share_the_pixels_out(world):
    network = ToyIPN()
    session = session_on(world, network)
    session.interact(3, lines(world, 3))
    network.propagation.certain = 0.9
    list(session.propagate())
    soft = session.soft_masks(5).astype(float) / 255
    assert soft.sum(axis=0).max() <= 1.01
    both = (soft > 0.1).all(axis=0)
    assert both.any() and np.allclose(soft[:, both], 0.5, atol=0.06), "two objects as sure share evenly"


def test_an_object_of_which_nothing_is_said_is_not_in_the_frame(world):
    session = session_on(world)
    ids = session.interact(2, {4: line_on(world, 2, 4)})
    assert alike(ids, np.where(world.truth(2) == 4, 4, 0))
    list(session.propagate())
    assert set(np.unique(all_masks(session))) == {0, 4}


def test_an_object_that_is_hidden_in_a_corrected_frame_is_found_again_beyond_it():
    world = HiddenWorld(8, (4, 9))
    session = session_on(world)
    session.interact(0, lines(world, 0))
    list(session.propagate())
    session.interact(4, {4: line_on(world, 4, 4)})
    list(session.propagate())
    for t in range(8):
        assert alike(session.masks(t), world.truth(t)), t


def test_an_object_that_is_first_drawn_later_has_no_masks_before(world):
    network = ToyIPN()
    session = session_on(world, network)
    session.interact(1, {4: line_on(world, 1, 4)})
    list(session.propagate())
    network.interaction.segment.calls.clear()
    network.propagation.given.clear()
    session.interact(6, {9: line_on(world, 6, 9)})
    _, mask, _, _ = network.interaction.segment.calls[0]
    assert torch.allclose(mask, torch.tensor(0.5))
    list(session.propagate())
    for mask, _ in network.propagation.given:
        assert (mask[0] > 0.9).any() and torch.allclose(mask[1], torch.tensor(0.5))
    # No blending with the empty masks that it had, down to the frame before that of the other round.
    for t in (2, 3, 4, 5, 7):
        assert alike(session.masks(t), world.truth(t)), t
    # Worked on again, it has the masks that it has now.
    network.propagation.given.clear()
    session.interact(6, {9: line_on(world, 6, 9)})
    list(session.propagate())
    assert all((mask[1] > 0.9).any() and (mask[1] < 0.1).any() for mask, _ in network.propagation.given)


def test_rounds_that_did_not_know_an_object_leave_its_features_alone(world):
    network = ToyIPN()
    session = session_on(world, network)
    session.interact(1, {4: line_on(world, 1, 4)})
    list(session.propagate())
    network.propagation.reference = lambda current, previous: current if previous is None else current + previous + 1
    session.interact(6, {4: line_on(world, 6, 4), 9: line_on(world, 6, 9)})
    session.commit()
    engine, view = session._engine, session._state.view
    alone = engine._features_of(6, session._store.revision_of(6, view), view)
    joined = engine._reference(6, (1, 6), view)
    assert torch.equal(joined[1], alone[1])
    assert (joined[0] >= alone[0] + 1).all()


def test_a_neutral_mask_asks_for_the_whole_frame_whatever_its_size():
    world, network = CutWorld(3, (4, 9)), ToyIPN()
    session = session_on(world, network)
    session.interact(0, lines(world, 0))
    _, mask, _, _ = network.interaction.segment.calls[0]
    assert torch.allclose(mask, torch.tensor(0.5))
    assert alike(session.masks(0), world.truth(0))


def test_a_negative_stroke_takes_an_object_back_and_leaves_the_other(world):
    session = session_on(world)
    session.interact(2, lines(world, 2))
    list(session.propagate())
    session.interact(5, {0: line_on(world, 5, 9)})
    assert not (session.masks(5) == 9).any()
    assert alike(session.masks(5), np.where(world.truth(5) == 4, 4, 0))


def test_free_hand_masks_stand_and_are_carried(world):
    session = session_on(world)
    session.interact(2, {object_id: world.truth(2) == object_id for object_id in world.object_ids})
    list(session.propagate())
    assert np.array_equal(session.masks(2), world.truth(2))
    assert alike(session.masks(5), world.truth(5))


def tiny():
    torch.manual_seed(0)
    return IPNNetwork(SIZES["tiny"])


def test_objects_run_in_groups_and_frames_scaled_by_the_trained_classes(world):
    found = []
    for objects_per_pass in (1, 8):
        session = session_on(world, tiny(), objects_per_pass=objects_per_pass, short_side=32)
        session.interact(3, lines(world, 3))
        assert sorted(dict(session.propagate())) == list(range(8))
        found.append(np.stack([session.soft_masks(t) for t in range(8)]).astype(int))
    assert np.abs(found[0] - found[1]).max() <= 1


def test_undo_takes_masks_and_features_back(world):
    network = ToyIPN()
    session = session_on(world, network)
    undo_a_round(session, world)
    session.interact(5, lines(world, 5))
    list(session.propagate())
    assert network.propagation.rounds == 2


def test_a_mask_that_nothing_is_said_of_stays_whatever_its_probability(world):
    session = session_on(world)
    truth = world.truth(5)
    # As a propagation may leave it: 128 of 255 is an object's, and no neutral mask.
    soft = np.stack([(truth == 4) * 128, np.zeros_like(truth)]).astype(np.uint8)
    session.interact(0, lines(world, 0))
    list(session.propagate())
    session._store.write(5, session._state.view.revision, np.where(truth == 4, 4, 0).astype(np.uint8), soft)
    session.interact(5, {9: line_on(world, 5, 9)})
    assert np.array_equal(session.masks(5) == 4, truth == 4)


def test_a_mask_that_nothing_is_said_of_stays_to_the_pixel_at_another_size(world):
    session = session_on(world, short_side=world.size[0] // 4)
    given = world.truth(2) == 4
    given[::2] = False
    session.interact(2, {4: given})
    shown = session.interact(2, {9: line_on(world, 2, 9)})
    assert np.array_equal(shown == 4, given) and (shown == 9).any()


def test_an_object_too_thin_for_the_network_s_size_is_denied_by_a_stroke_on_it(world):
    network = ToyIPN()
    session = session_on(world, network, short_side=world.size[0] // 4)
    thin = world.truth(2) == 4
    thin[np.flatnonzero(thin.any(axis=1))[0] + 1 :] = False
    session.interact(2, {4: thin})
    y, x = np.argwhere(thin).mean(axis=0)
    height, width = world.size
    off = Stroke(object_id=0, path=np.array([[x / (width - 1), y / (height - 1)]]))
    session.interact(2, {0: Scribbles(strokes=(off,))})
    (_, _, positive, negative), *_ = network.interaction.segment.calls
    assert len(negative) == 1 and negative.any() and not positive.any(), "object 4 was asked about, and no other"


def test_a_session_of_another_short_side_is_refused(world, tmp_path):
    first = begun(IPNSession(tiny(), IPNSettings(), tmp_path), world)
    first.interact(2, lines(world, 2))
    first.commit()
    first.close()
    with pytest.raises(ValueError, match="not of 64x32 pixels; open the session with the short_side it was begun with"):
        IPNSession(tiny(), IPNSettings(short_side=32), tmp_path).resume(world)
    IPNSession(tiny(), IPNSettings(), tmp_path).resume(world)


def test_a_frame_that_is_empty_again_begins_with_neutral_masks(world):
    network = ToyIPN()
    session = session_on(world, network)
    session.interact(3, lines(world, 3))
    for at_most in (6, 2):
        running = session.propagate()
        for _ in range(at_most):
            next(running)
        running.close()
    assert not session.masks(6).any(), "the second propagation, which counts, came to frame 4 alone"
    network.interaction.segment.calls.clear()
    session.interact(6, lines(world, 6))
    _, mask, _, _ = network.interaction.segment.calls[0]
    assert torch.allclose(mask, torch.tensor(0.5))


def test_strokes_are_as_wide_as_in_training_and_end_in_diamonds():
    point, geometry = Stroke(object_id=1, path=np.array([[0.5, 0.5]])), FrameGeometry.of(21, 21, None)
    for settings, pixels in ((IPNSettings(), 13), (IPNSettings(stroke_tip="square"), 25)):
        positive, _ = draw_hints([point], {}, (1,), geometry, settings)
        assert positive.sum() == pixels
    assert positive[0].sum(axis=1).max() == 5


def test_regions_and_the_neighbours_mask_are_as_the_network_was_trained(world, monkeypatch):
    box_of, scales = ipn_engine.guidance_box, []
    monkeypatch.setattr(ipn_engine, "guidance_box", lambda *given: scales.append(given[2].scale) or box_of(*given))

    def found(trained_with, **settings):
        network = ToyIPN()
        network.trained_with, network.propagation.certain = trained_with, 0.7
        session = session_on(world, network, **settings)
        scales.clear()
        session.interact(3, {4: line_on(world, 3, 4)})
        list(session.propagate())
        (scale,) = set(scales)
        return scale, all(float(neighbour.max()) == 1 for _, neighbour in network.propagation.given)

    other = {"roi_scale": 1.5, "round_neighbour": False}
    assert found({}) == (2.0, True) and found(other) == (1.5, False)
    assert found(other, roi_scale=2.0, round_neighbour=True) == (2.0, True)


@pytest.mark.parametrize(
    "wrong", [{"roi_scale": 0.5}, {"max_rounds": 0}, {"undo_depth": -1}, {"stroke_width": 4}, {"stroke_tip": "x"}]
)
def test_settings_name_what_is_wrong(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        IPNSettings(**wrong)
