"""Objects that come into view after the first frame, as in YouTube-VOS."""

import numpy as np
import pytest
import torch
from toy_networks import BlockWorld, ToyPropagation
from vosforge.models.propagation import SIZES, PropagationNetwork
from vosforge.train.inference.propagation import PropagationSettings, propagate

SETTINGS = PropagationSettings()


def frames_of(world: BlockWorld):
    return (world.read(t) for t in range(world.num_frames))


def only(ids: np.ndarray, *kept: int) -> np.ndarray:
    return np.where(np.isin(ids, kept), ids, 0).astype(np.uint8)


def test_an_object_is_followed_from_the_frame_that_it_comes_in_at():
    world = BlockWorld(14, (4, 9, 7))
    given = {0: only(world.truth(0), 9), 3: only(world.truth(3), 4), 8: only(world.truth(8), 7)}
    found = list(propagate(ToyPropagation(), frames_of(world), given, SETTINGS))
    for t, ids in enumerate(found):
        known = [9] + [4] * (t >= 3) + [7] * (t >= 8)
        assert np.array_equal(ids, only(world.truth(t), *known)), t


def test_given_pixels_become_the_new_object_and_the_others_keep_what_was_carried():
    world = BlockWorld(5, (4,))
    new = np.zeros(world.size, np.uint8)
    new[world.truth(2) == 4] = 6
    new[:, :32] = 255
    found = list(propagate(ToyPropagation(), frames_of(world), {0: world.truth(0), 2: new}, SETTINGS))
    assert np.array_equal(found[1], world.truth(1))
    assert np.array_equal(found[2], np.where(world.truth(2) == 4, 6, 0))


def test_later_objects_read_memory_from_their_frame_on():
    world, network = BlockWorld(9, (4, 9)), ToyPropagation()
    given = {0: only(world.truth(0), 4), 3: only(world.truth(3), 9)}
    list(propagate(network, frames_of(world), given, PropagationSettings(memory_every=5)))
    # Frames 1..3 are read by the first object; then both read by turns, the first with 0 and 3, the second with 3.
    assert network.lengths == [1, 2, 2, 2, 1, 3, 2, 3, 2, 4, 3, 4, 3]


def test_a_video_may_begin_without_an_object():
    world = BlockWorld(6, (4,))
    found = list(propagate(ToyPropagation(), frames_of(world), {2: world.truth(2)}, SETTINGS))
    assert not found[0].any() and not found[1].any()
    assert all(np.array_equal(found[t], world.truth(t)) for t in range(2, 6))


def test_one_given_frame_is_the_same_as_a_mapping_with_it():
    torch.manual_seed(5)
    network = PropagationNetwork(SIZES["tiny"]).eval()
    world = BlockWorld(7)
    first = world.truth(0)
    one = list(propagate(network, frames_of(world), first, SETTINGS))
    other = list(propagate(network, frames_of(world), {0: first}, SETTINGS))
    assert np.array_equal(one, other)


def test_objects_that_come_in_twice_and_masks_of_two_sizes_are_refused():
    world = BlockWorld(4)
    with pytest.raises(ValueError, match="object 1 comes in at frame 2, but it is known"):
        list(propagate(ToyPropagation(), frames_of(world), {0: world.truth(0), 2: world.truth(2)}, SETTINGS))
    with pytest.raises(ValueError, match="2 sizes"):
        list(propagate(ToyPropagation(), frames_of(world), {0: world.truth(0), 2: world.truth(2)[1:]}, SETTINGS))
