"""A session of ATNet: what its networks are given, superposition, threshold, undoing and resuming."""

import numpy as np
import pytest
import torch
from session_world import all_masks, begun, line_on, lines, truths, undo_a_round
from toy_networks import ToyATNet
from vosforge.models.atnet import SIZES, ATNetwork
from vosforge.train.inference.geometry import Region
from vosforge.train.inference.session.atnet import ATNetSession
from vosforge.train.inference.session.atnet_settings import ATNetSettings


def session_on(world, network=None, folder=None, **settings):
    return begun(ATNetSession(network or ToyATNet(), ATNetSettings(**settings), folder), world)


def test_strokes_on_one_frame_give_the_masks_of_all(world):
    network = ToyATNet()
    session = session_on(world, network)
    assert np.array_equal(session.interact(3, lines(world, 3)), world.truth(3))
    _, mask, positive, negative = network.calls[0]
    assert (mask == 0.5).all() and positive.flatten(1).any(dim=1).all() and not negative.any()
    assert session.num_waiting_frames == 0
    assert sorted(dict(session.propagate())) == list(range(8))
    assert np.array_equal(all_masks(session), truths(world))
    # Each frame is given the neighbour that was segmented before it.
    assert network.transfer.previous == [3, 4, 5, 6, 3, 2, 1]
    assert set(session.module_times) == {"a-net", "t-net"}


def test_a_later_round_starts_from_the_hard_masks(world):
    network = ToyATNet()
    session = session_on(world, network)
    session.interact(2, lines(world, 2))
    list(session.propagate())
    session.interact(5, {0: line_on(world, 5, 9)})
    _, mask, positive, negative = network.calls[-1]
    assert set(mask.unique().tolist()) == {0.0, 1.0} and not positive.any()
    assert not negative[0].any() and negative[1].any()  # the line on object 9 denies object 9 alone
    assert not (session.masks(5) == 9).any() and np.array_equal(session.masks(5) == 4, world.truth(5) == 4)


def test_all_annotated_frames_are_transferred_up_to_the_largest_number(world):
    for largest, expected in ((8, 2), (1, 1)):
        network = ToyATNet()
        session = session_on(world, network, max_annotated_frames=largest)
        session.interact(1, lines(world, 1))
        list(session.propagate())
        network.transfer.num_annotated.clear()
        session.interact(6, lines(world, 6))
        assert sorted(dict(session.propagate())) == [2, 3, 4, 5, 6, 7]  # it stops before the other annotated frame
        assert set(network.transfer.num_annotated) == {expected}


def test_a_frame_that_is_annotated_again_counts_once_as_it_is_now(world):
    network = ToyATNet()
    session = session_on(world, network)
    session.interact(3, lines(world, 3))
    list(session.propagate())
    session.interact(3, {0: line_on(world, 3, 9)})
    list(session.propagate())
    assert set(network.transfer.num_annotated) == {1}
    assert not (all_masks(session) == 9).any() and (session.masks(6) == 4).any()


def test_superposition_weighs_the_new_probability_by_distance(world):
    network = ToyATNet(certain=0.2)
    session = session_on(world, network)
    session.interact(1, lines(world, 1))
    list(session.propagate())
    before = session.soft_masks(3) / 255
    assert np.allclose(before, 0.2, atol=1 / 255)
    network.transfer.certain = 1.0
    session.interact(6, lines(world, 6))
    list(session.propagate())
    for t in (2, 3, 4, 5):
        share = 0.5 + 0.5 * (t - 1) / (6 - 1)
        assert np.allclose(session.soft_masks(t) / 255, share + (1 - share) * 0.2, atol=1.1 / 255), t
    # Beyond the new frame nothing older lies in the direction of transfer.
    assert (session.soft_masks(7) == 255).all()


@pytest.mark.parametrize("probability, shown", [(0.75, False), (0.85, True)])
def test_a_pixel_is_an_object_s_above_the_threshold(world, probability, shown):
    session = session_on(world, ToyATNet(certain=probability))
    session.interact(0, lines(world, 0))
    list(session.propagate())
    assert session.masks(4).any() == shown
    lower = session_on(world, ToyATNet(certain=probability), threshold=0.5)
    lower.interact(0, lines(world, 0))
    list(lower.propagate())
    assert lower.masks(4).any()


@pytest.mark.parametrize(
    "probabilities, shown", [((0.85, 0.95), 9), ((0.95, 0.85), 4), ((0.85, 0.75), 4), ((0.75, 0.85), 9)]
)
def test_of_objects_above_the_threshold_the_likeliest_has_the_pixel(world, probabilities, shown):
    session = session_on(world, ToyATNet(certain=probabilities))
    session.interact(0, lines(world, 0))
    list(session.propagate())
    assert (session.masks(4) == shown).all()


def test_an_object_too_thin_for_the_network_s_size_is_not_lost(world):
    network = ToyATNet()
    session = session_on(world, network, short_side=world.size[0] // 4)
    thin = world.truth(2) == 4
    row = np.flatnonzero(thin.any(axis=1))[0]
    thin[row + 1 :] = False
    session.interact(2, {4: thin})
    session.interact(2, {9: line_on(world, 2, 9)})
    _, mask, _, _ = network.calls[-1]
    assert mask[0].any(), "a line of one pixel is a quarter of the network's"
    assert (session.masks(2) == 4).any()


def test_free_hand_masks_stand_and_are_carried(world):
    network = ToyATNet()
    session = session_on(world, network)
    session.interact(2, {object_id: world.truth(2) == object_id for object_id in world.object_ids})
    assert not network.calls
    list(session.propagate())
    assert np.array_equal(all_masks(session), truths(world))


def test_transfer_begins_with_what_a_region_left_standing(world):
    network, seen = ToyATNet(), []
    network.transfer.register_forward_pre_hook(lambda _, given: seen.append(given[4]))
    session = session_on(world, network)
    region = Region(left=0, top=0, right=world.size[1] // 2, bottom=world.size[0])
    shown = session.interact(2, lines(world, 2), region)
    assert (shown == 4).any() and (shown != world.truth(2)).any(), "A-Net's answer goes beyond the region"
    list(session.propagate())
    for mask, object_id in zip(seen[0][:, 0], world.object_ids, strict=True):
        assert np.array_equal(mask[: world.size[0], : world.size[1]] > 0.5, shown == object_id)


def test_an_object_of_which_nothing_is_said_is_not_in_the_frame(world):
    session = session_on(world)
    ids = session.interact(2, {4: line_on(world, 2, 4)})
    assert np.array_equal(ids, np.where(world.truth(2) == 4, 4, 0))
    list(session.propagate())
    assert set(np.unique(all_masks(session))) == {0, 4}


def test_transfer_makes_nothing_of_an_object_that_nobody_spoke_of(world):
    session = session_on(world, ToyATNet(certain=0.9))
    session.interact(2, {4: line_on(world, 2, 4)})
    list(session.propagate())
    assert not session.soft_masks(5)[1].any() and session.soft_masks(5)[0].any()


def test_an_object_that_is_first_drawn_later_has_no_masks_before(world):
    session = session_on(world)
    session.interact(1, {4: line_on(world, 1, 4)})
    list(session.propagate())
    session.interact(6, {9: line_on(world, 6, 9)})
    list(session.propagate())
    # Neither superposed with the empty masks that it had, nor averaged with a frame that does not tell of it.
    for t in (2, 3, 4, 5, 7):
        assert np.array_equal(session.masks(t), world.truth(t)), t


def test_an_object_that_no_annotated_frame_in_reach_tells_of_stays_as_it_was(world):
    session = session_on(world, max_annotated_frames=1)
    session.interact(1, {9: line_on(world, 1, 9)})
    list(session.propagate())
    session.interact(6, {9: np.zeros(world.size, bool)})
    session.interact(6, {4: line_on(world, 6, 4)})
    list(session.propagate())
    assert np.array_equal(session.masks(5) == 9, world.truth(5) == 9)
    assert np.array_equal(session.masks(5) == 4, world.truth(5) == 4)


def test_objects_run_in_groups_give_the_same(world):
    torch.manual_seed(0)
    network = ATNetwork(SIZES["tiny"])
    found = []
    for objects_per_pass in (1, 8):
        session = session_on(world, network, objects_per_pass=objects_per_pass, threshold=0.0)
        session.interact(3, lines(world, 3))
        list(session.propagate())
        found.append(np.stack([session.soft_masks(t) for t in range(8)]).astype(int))
    assert np.abs(found[0] - found[1]).max() <= 1


def test_undo_takes_masks_and_annotations_back(world):
    session = session_on(world)
    undo_a_round(session, world)
    session.interact(6, lines(world, 6))
    list(session.propagate())
    assert np.array_equal(all_masks(session), truths(world))


def test_old_annotations_leave_the_disk(world, tmp_path):
    session = session_on(world, folder=tmp_path / "kept", undo_depth=0)
    for _ in range(4):
        session.interact(2, lines(world, 2))
        list(session.propagate())
    # The newest, and the one before it until the next step is done.
    assert len(list((tmp_path / "kept" / "annotations" / "masks").iterdir())) == 2


@pytest.mark.parametrize(
    "wrong", [{"threshold": 1.0}, {"max_annotated_frames": 0}, {"short_side": 0}, {"undo_depth": -1}]
)
def test_settings_name_what_is_wrong(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ATNetSettings(**wrong)
