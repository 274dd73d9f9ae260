"""Where a session's propagation goes, what it has in memory, and what fusion is asked, with networks that are exact."""

import numpy as np
import pytest
import torch
from session_world import ToySession, line_on
from toy_networks import BlockWorld, ToyFusion, ToyPropagation, frame_number
from vosforge.models.fusion import FusionNetwork
from vosforge.models.propagation import PropagationNetwork
from vosforge.train.inference.session.mivos import MiVOSSession
from vosforge.train.inference.session.mivos_settings import MiVOSSettings
from vosforge.train.networks import FUSION, PROPAGATION, S2M


@pytest.fixture
def toy():
    return ToySession(BlockWorld(13, (4, 9)))


def test_one_frame_s_masks_reach_all_frames_exactly(toy):
    toy.session.interact(6, {4: line_on(toy.world, 6, 4), 9: line_on(toy.world, 6, 9)})
    found = toy.propagate()
    assert list(found) == [6, 7, 8, 9, 10, 11, 12, 5, 4, 3, 2, 1, 0]
    assert all(np.array_equal(ids, toy.world.truth(t)) for t, ids in found.items())
    assert np.array_equal(toy.all_masks(), toy.truths())


def test_memory_holds_given_frames_every_fifth_and_the_last(toy):
    toy.give_truth(0)
    toy.propagate()
    # Frame 12 is the last: nothing reads it. 0 is given; of the others each is there once as the last.
    assert toy.propagation.memorized == list(range(12))
    assert toy.propagation.lengths == [1, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 4]
    toy.propagation.lengths.clear(), toy.propagation.memorized.clear()
    toy.give_truth(12)
    toy.propagate()
    # Only 12 is encoded anew; 0 and 12 are in memory from the start.
    assert toy.propagation.memorized == [12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]
    assert toy.propagation.lengths == [2, 3, 3, 3, 3, 3, 4, 4, 4, 4, 4]


def test_a_pass_stops_before_an_earlier_interacted_frame(toy):
    toy.give_truth(3)
    toy.propagate()
    toy.give_truth(9)
    found = toy.propagate()
    assert list(found) == [9, 10, 11, 12, 8, 7, 6, 5, 4]


def test_a_frame_with_given_masks_is_never_changed_by_propagation(toy):
    toy.give_empty(3)
    toy.session.commit()
    toy.give_truth(6)
    toy.propagate()
    toy.give_truth(9)
    toy.propagate()
    assert not toy.session.masks(3).any()


def test_fusion_decides_between_two_interacted_frames_only(toy):
    toy.give_truth(3)
    toy.propagate()
    assert not toy.fusion.calls
    toy.give_truth(9)
    toy.propagate()
    assert [frame_number(call["rgb"]) for call in toy.fusion.calls] == [8, 7, 6, 5, 4]
    previous = [call["previous_distance"].tolist() for call in toy.fusion.calls]
    new = [call["new_distance"].tolist() for call in toy.fusion.calls]
    assert torch.allclose(torch.tensor(previous), torch.tensor([[5], [4], [3], [2], [1]]) / 6 * torch.ones(2))
    assert torch.allclose(torch.tensor(new), torch.tensor([[1], [2], [3], [4], [5]]) / 6 * torch.ones(2))


def test_fusion_is_given_both_masks_and_where_the_interaction_changed_something(toy):
    truth = toy.truths()
    toy.session.interact(0, {4: truth[0] > 0, 9: np.zeros(toy.world.size, bool)})  # both blocks as object 4
    toy.propagate()
    assert np.array_equal(toy.all_masks(), np.where(truth > 0, 4, 0))
    toy.give_truth(12)
    toy.propagate()
    first, second = truth[11] == 4, truth[11] == 9
    call = toy.fusion.calls[0]
    assert frame_number(call["rgb"]) == 11
    assert np.array_equal(call["previous_mask"][:, 0].numpy() > 0.999, [first | second, first & second])
    # Frame 0 is in memory too and says something else: two halves of the second block, aggregated, are 3/7 each.
    assert np.allclose(call["new_mask"][0, 0].numpy(), first + second * 3 / 7, atol=1e-5)
    assert np.allclose(call["new_mask"][1, 0].numpy(), second * 3 / 7, atol=1e-5)
    for call in toy.fusion.calls:
        second = truth[frame_number(call["rgb"])] == 9
        added, taken = (call[name][:, 0, 8::16, 8::16].numpy() for name in ("a_plus", "a_minus"))
        # Enlarged bilinearly; a pixel beside the middle of a block has 31/32 of its cell.
        assert np.allclose(added, np.stack([second * 0, second])[:, 8::16, 8::16], atol=1.01 / 32)
        assert np.allclose(taken, np.stack([second, second * 0])[:, 8::16, 8::16], atol=1.01 / 32)


def test_what_changed_is_told_from_the_last_propagation_on(toy):
    truth = toy.truths()
    toy.give_empty(0)
    toy.propagate()
    # Three rounds on one frame before it is propagated, as in the published evaluation.
    toy.session.interact(12, {4: truth[12] == 4})
    toy.session.commit()
    toy.session.interact(12, {9: truth[12] == 9})
    toy.session.commit()
    toy.session.interact(12, {9: truth[12] == 9})
    toy.propagate()
    added = toy.fusion.calls[0]["a_plus"][:, 0, 8::16, 8::16].numpy()
    assert np.allclose(added, np.stack([truth[11] == 4, truth[11] == 9])[:, 8::16, 8::16], atol=1.01 / 32)


def test_without_difference_the_network_sees_empty_maps():
    toy = ToySession(BlockWorld(7), fusion="learned")
    toy.give_empty(0)
    toy.propagate()
    toy.give_truth(6)
    toy.propagate()
    assert len(toy.fusion.calls) == 5
    assert not any(call["a_plus"].any() or call["a_minus"].any() for call in toy.fusion.calls)
    # The toy then keeps the previous masks.
    assert not toy.all_masks()[:6].any()


def test_linear_blending_weighs_by_distance():
    toy = ToySession(BlockWorld(6, (1,)), fusion="linear")
    toy.give_empty(0)
    toy.propagate()
    toy.give_truth(5)
    toy.propagate()
    for t in range(1, 5):
        # Empty before; frame 0 says no and frame 5 yes, so what is carried is a half.
        assert abs(int(toy.session.soft_masks(t).max()) - 255 * t / 5 / 2) <= 1
    assert not toy.fusion.calls


def test_without_fusion_the_newest_masks_win():
    toy = ToySession(BlockWorld(9), fusion="none")
    toy.give_empty(0)
    toy.propagate()
    toy.give_empty(0)
    toy.session.commit()
    toy.give_truth(0)
    toy.propagate()
    assert np.array_equal(toy.all_masks(), toy.truths()) and not toy.fusion.calls


def test_interacting_again_replaces_what_memory_holds_of_the_frame(toy):
    toy.give_empty(6)
    toy.propagate()
    toy.give_truth(6)
    toy.propagation.lengths.clear()
    toy.propagate()
    # With the old entry still there, each block would be a half and lost.
    assert np.array_equal(toy.all_masks(), toy.truths())
    assert toy.propagation.lengths[0] == 1 and toy.session.given_frames == (6,)


def test_frames_committed_together_are_all_in_memory_and_propagated_in_their_order(toy):
    truth = toy.truths()
    toy.session.interact(2, {4: truth[2] == 4})
    toy.session.commit()
    toy.session.interact(8, {9: truth[8] == 9})
    toy.session.commit()
    expected = toy.session.num_waiting_frames
    found = list(toy.session.propagate())
    assert len(found) == expected and toy.session.num_waiting_frames == 0
    assert [t for t, _ in found] == [2, *range(3, 8), 1, 0, 8, *range(9, 13), *range(7, 2, -1)]
    # Each frame says that the other's object is background: a half each, nowhere more.
    assert toy.propagation.lengths[0] == 2
    # The second goes back to the first and is fused with what it left.
    assert [frame_number(call["rgb"]) for call in toy.fusion.calls] == [7, 6, 5, 4, 3]


def test_a_pass_that_ends_at_a_waiting_frame_is_fused_with_the_interaction_behind_it():
    toy = ToySession(BlockWorld(11, (1,)), fusion="linear")
    toy.give_empty(10)
    toy.propagate()
    toy.give_truth(0)
    toy.session.commit()
    toy.give_truth(5)
    steps = toy.session.propagate()
    assert [next(steps)[0] for _ in range(2)] == [0, 1]
    # In memory two frames say yes and one no: 2/3, aggregated 4/5. What stood before came from frame 10 and was empty.
    assert abs(int(toy.session.soft_masks(1).max()) - 255 * 4 / 5 * 9 / 10) <= 1


def test_many_given_frames_are_bounded_to_the_nearest():
    toy = ToySession(BlockWorld(30, (1,)), max_memory_frames=8)
    for t in (0, 5, 10, 15, 20, 29):
        toy.give_truth(t)
        toy.session.commit()
    toy.propagate()
    assert max(toy.propagation.lengths) <= 8
    toy.propagation.lengths.clear()
    toy.give_truth(12)
    toy.propagate()
    assert toy.propagation.lengths[0] == 4  # half of 8: the frame itself, 10, 15 and one more


def test_memory_of_a_long_pass_is_bounded():
    toy = ToySession(BlockWorld(120, (1,)), max_memory_frames=6)
    toy.give_truth(0)
    toy.propagate()
    assert max(toy.propagation.lengths) == 7  # and the last frame
    assert np.array_equal(toy.all_masks(), toy.truths())


def test_objects_in_groups_are_fused_as_together():
    results = []
    for group in (8, 2):
        toy = ToySession(BlockWorld(7, (1, 2, 3)), objects_per_pass=group)
        toy.give_empty(0)
        toy.propagate()
        toy.give_truth(6)
        toy.propagate()
        results.append(toy.all_masks())
        assert len(toy.fusion.calls) == 5 * (1 if group == 8 else 2)
    assert np.array_equal(*results)


def test_a_smaller_network_input_gives_masks_of_the_frame(toy):
    small = ToySession(BlockWorld(7, columns=8), short_side=96)
    small.give_truth(3)
    found = small.propagate()
    assert all(ids.shape == small.world.size for ids in found.values())
    assert all((ids == small.world.truth(t)).mean() > 0.9 for t, ids in found.items())


def test_the_same_steps_give_the_same_masks():
    results = []
    torch.manual_seed(1)
    networks = [kind.named("tiny") for kind in (S2M, PROPAGATION, FUSION)]
    world = BlockWorld(8)
    for _ in range(2):
        with MiVOSSession(*networks, MiVOSSettings(top_k=8)) as session:
            session.start(world, world.object_ids)
            for t, object_id in ((2, 1), (6, 2)):
                session.interact(t, {object_id: line_on(world, t, object_id)})
                dict(session.propagate())
            results.append(np.stack([session.soft_masks(t) for t in range(8)]))
    assert results[0].any() and np.array_equal(*results)


def test_nothing_to_propagate_is_an_error_and_nothing_new_sets_nothing(toy):
    with pytest.raises(ValueError, match="nothing to propagate"):
        toy.session.propagate()
    toy.give_truth(3)
    toy.propagate()
    steps = toy.session.propagate()
    assert list(steps) == []
    steps.close()
    toy.session.undo()  # the propagation before: that of nothing was no step
    assert toy.session.given_frames == () and toy.session.masks(3).any()


def test_a_video_of_one_frame_is_its_interaction():
    toy = ToySession(BlockWorld(1))
    toy.give_truth(0)
    assert list(toy.propagate()) == [0] and list(toy.session.propagate()) == []


def test_networks_without_toys_run_a_whole_session():
    torch.manual_seed(3)
    networks = [kind.named("tiny") for kind in (S2M, PROPAGATION, FUSION)]
    world = BlockWorld(6)
    with MiVOSSession(*networks, MiVOSSettings(top_k=8)) as session:
        session.start(world, world.object_ids)
        for t in (0, 5):
            session.interact(t, {1: line_on(world, t, 1), 2: line_on(world, t, 2)})
            found = dict(session.propagate())
        assert sorted(found) == [1, 2, 3, 4, 5] and session.module_times["fusion"].frame_objects == 8
        assert all(set(np.unique(ids)) <= {0, 1, 2} for ids in found.values())


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_gives_nearly_the_same_masks(precision):
    torch.manual_seed(3)
    network, world = PROPAGATION.named("tiny"), BlockWorld(4)
    results = []
    for settings in (MiVOSSettings(fusion="none"), MiVOSSettings(fusion="none", precision=precision)):
        with MiVOSSession(None, network, None, settings) as session:
            session.start(world, world.object_ids)
            session.interact(0, {i: world.truth(0) == i for i in world.object_ids})
            dict(session.propagate())
            results.append(np.stack([session.soft_masks(t) for t in range(4)]).astype(int))
    assert 0 < abs(results[0] - results[1]).max() <= 25
    with pytest.raises(ValueError, match="precision is 'half'"):
        MiVOSSettings(precision="half")


def test_toys_have_the_interface_of_the_networks():
    for toy, network in ((ToyPropagation, PropagationNetwork), (ToyFusion, FusionNetwork)):
        own = [name for name in vars(toy) if not name.startswith("_") and callable(vars(toy)[name])]
        assert all(hasattr(network, name) for name in own)
