"""A session on one frame: strokes and masks until they are committed, and what does not fit."""

import inspect

import numpy as np
import pytest
import torch
from session_world import ToySession, line_on
from toy_networks import BlockWorld, ToyPropagation
from vosforge.train.inference.session.mivos import MiVOSSession
from vosforge.train.inference.session.mivos_settings import MiVOSSettings
from vosforge.train.inference.session.protocol import Clicks, Region, Scribbles, Session


@pytest.fixture
def toy():
    return ToySession(BlockWorld(9, (4, 9)))


def test_nothing_is_known_at_the_start(toy):
    assert not toy.all_masks().any() and not toy.session.soft_masks(3).any()
    assert toy.session.object_ids == (4, 9) and toy.session.num_frames == 9


def test_all_objects_of_a_frame_are_answered_at_once(toy):
    ids = toy.session.interact(2, {4: line_on(toy.world, 2, 4), 9: line_on(toy.world, 2, 9)})
    assert np.array_equal(ids, toy.world.truth(2)) and np.array_equal(toy.session.masks(2), ids)
    assert len(toy.s2m.calls) == 1 and len(toy.s2m.calls[0][1]) == 2
    assert not toy.session.masks(1).any()


def test_strokes_add_up_on_the_same_mask_until_they_are_committed(toy):
    toy.session.interact(2, {4: line_on(toy.world, 2, 4)})
    ids = toy.session.interact(2, {9: line_on(toy.world, 2, 9)})
    assert np.array_equal(ids, toy.world.truth(2))
    (_, first_mask, *_), (_, mask, positive, negative) = toy.s2m.calls
    assert not first_mask.any() and not mask.any()  # both answers begin from the empty frame
    assert positive[0].any() and positive[1].any() and torch.equal(positive[0], negative[1])
    toy.session.commit()
    toy.session.interact(2, {0: line_on(toy.world, 2, 0)})
    _, mask, positive, _ = toy.s2m.calls[-1]
    assert not positive.any()  # the old strokes are gone,
    assert torch.equal(mask[:, 0] > 0, torch.from_numpy(np.stack([ids == 4, ids == 9])))  # their masks are the base


def test_the_background_s_strokes_take_away(toy):
    world = toy.world
    toy.session.interact(2, {4: world.truth(2) > 0})
    ids = toy.session.interact(2, {0: line_on(world, 2, 9)})  # says: what object 9's line lies on is background
    assert np.array_equal(ids == 4, world.truth(2) == 4) and not (ids == 9).any()


def test_a_free_hand_mask_is_the_object_s_whole_mask(toy):
    truth = toy.world.truth(2)
    toy.session.interact(2, {4: truth == 4, 9: truth == 9})
    left = np.zeros(truth.shape, bool)
    left[:, :16] = True
    ids = toy.session.interact(2, {4: left})
    assert np.array_equal(ids == 4, left) and np.array_equal(ids == 9, (truth == 9) & ~left)
    ids = toy.session.interact(2, {0: truth == 9})
    assert not (ids == 9).any() and np.array_equal(ids == 4, left & (truth != 9))
    assert not toy.s2m.calls


def test_strokes_after_a_free_hand_mask_begin_from_it(toy):
    toy.session.interact(2, {4: toy.world.truth(2) == 4})
    toy.session.interact(2, {9: line_on(toy.world, 2, 9)})
    assert toy.s2m.calls[0][1][0].any()
    assert np.array_equal(toy.session.masks(2), toy.world.truth(2))


def test_work_on_another_frame_commits_the_first(toy):
    toy.give_truth(2)
    toy.give_truth(5)
    assert toy.session.given_frames == (2,)
    toy.session.commit()
    assert toy.session.given_frames == (2, 5)
    assert np.array_equal(toy.session.masks(2), toy.world.truth(2))


def test_committed_masks_are_certain(toy):
    toy.give_truth(2)
    drafted = toy.session.soft_masks(2)
    toy.session.commit()
    truth = toy.world.truth(2)
    assert np.array_equal(toy.session.soft_masks(2), np.stack([truth == 4, truth == 9]) * np.uint8(255))
    assert np.array_equal(drafted, toy.session.soft_masks(2))


def test_a_session_without_scribble_to_mask_takes_free_hand_masks():
    world = BlockWorld(4)
    with MiVOSSession(None, ToyPropagation(), None, MiVOSSettings(fusion="none")) as session:
        session.start(world, world.object_ids)
        session.interact(0, {1: world.truth(0) == 1, 2: world.truth(0) == 2})
        assert all(np.array_equal(ids, world.truth(t)) for t, ids in session.propagate())
        with pytest.raises(ValueError, match="no Scribble-to-Mask network"):
            session.interact(0, {1: line_on(world, 0, 1)})


def test_it_is_a_session_as_the_protocol_says():
    for name, method in vars(Session).items():
        if not name.startswith("_") and inspect.isfunction(method):
            assert inspect.signature(getattr(MiVOSSession, name)) == inspect.signature(method), name


def test_without_inputs_a_frame_is_accepted_as_it_stands(toy):
    toy.give_truth(0)
    toy.propagate()
    assert np.array_equal(toy.session.interact(6, {}), toy.world.truth(6))
    assert list(toy.propagate()) == [6, 7, 8, 5, 4, 3, 2, 1] and toy.session.given_frames == (0, 6)


def test_a_new_start_forgets_the_old_video(toy):
    toy.give_truth(2)
    toy.propagate()
    toy.session.start(BlockWorld(3, (7,)), (7,))
    assert toy.session.num_frames == 3 and not toy.session.masks(2).any() and not toy.session.given_frames
    with pytest.raises(ValueError, match="nothing to undo"):
        toy.session.undo()


def test_a_start_that_fails_leaves_the_session(toy):
    toy.give_truth(2)

    def unreadable(t):
        raise ValueError(f"frame {t} cannot be read")

    other = BlockWorld(3, (7,))
    other.read = unreadable
    with pytest.raises(ValueError, match="frame 0 cannot be read"):
        toy.session.start(other, (7,))
    assert np.array_equal(toy.session.masks(2), toy.world.truth(2))
    toy.session.undo()


def test_time_is_told_by_module(toy):
    toy.session.interact(0, {4: line_on(toy.world, 0, 4)})
    toy.propagate()
    toy.session.interact(8, {9: line_on(toy.world, 8, 9)})
    toy.propagate()
    times = toy.session.module_times
    assert {name: time.frame_objects for name, time in times.items()} == {"s2m": 4, "propagation": 30, "fusion": 14}
    assert all(time.seconds > 0 for time in times.values())


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({3: Clicks(positive=((1, 1),))}, "an input is of object 3; the objects are 4, 9"),
        ({4: np.zeros((48, 96))}, r"the mask of object 4 is float64 \(48, 96\); give bool"),
        ({4: np.zeros((40, 96), bool)}, r"bool \(40, 96\); give bool \(48, 96\)"),
        ({4: Clicks(positive=((97, 1),))}, r"a click of object 4 is at \(97, 1\), outside a 96x48 frame"),
        ({0: Clicks(negative=((1, 1),))}, "a negative click is of the background"),
        ({4: [1, 2]}, "the input of object 4 is a list; give Scribbles, Clicks or a bool array"),
    ],
)
def test_inputs_that_do_not_fit_are_named_and_change_nothing(toy, inputs, message):
    toy.give_truth(2)
    before = toy.session.masks(2)
    with pytest.raises(ValueError, match=message):
        toy.session.interact(2, inputs)
    assert np.array_equal(toy.session.masks(2), before)


def test_frames_and_regions_outside_the_video_are_refused(toy):
    with pytest.raises(ValueError, match="frame 9 is asked for; the video has frames 0 to 8"):
        toy.session.interact(9, {})
    with pytest.raises(ValueError, match="frame -1 is asked for"):
        toy.session.masks(-1)
    with pytest.raises(ValueError, match="the frame has 96 columns and 48 rows"):
        toy.session.interact(0, {4: Scribbles(strokes=())}, Region(left=0, top=0, right=97, bottom=5))


def test_a_session_that_was_not_started_or_has_no_ids_is_refused(toy):
    unstarted = MiVOSSession(None, ToyPropagation(), None, MiVOSSettings(fusion="none"))
    for name in ("given_frames", "num_waiting_frames", "module_times"):
        with pytest.raises(ValueError, match="call start first"):
            getattr(unstarted, name)
    with pytest.raises(ValueError, match="call start first"):
        unstarted.masks(0)
    for ids in ((), (1, 1), (0,), (255,)):
        with pytest.raises(ValueError, match="give different ids from 1 to 254"):
            toy.session.start(toy.world, ids)
    with pytest.raises(ValueError, match="needs a fusion network"):
        MiVOSSession(None, ToyPropagation(), None, MiVOSSettings())


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"fusion": "both"}, "fusion is 'both'"),
        ({"undo_depth": -1}, "undo_depth is -1"),
        ({"attention_top_k": -1}, "attention_top_k is -1"),
        ({"max_memory_frames": 3}, "max_memory_frames is 3"),
        ({"memory_every": 0}, "memory_every is 0"),
        ({"stroke_width": 2}, "stroke_width is 2"),
        ({"click_radius": 0}, "click_radius is 0"),
        ({"region_margin": -1}, "region_margin is -1"),
    ],
)
def test_settings_out_of_range_are_named(setting, message):
    with pytest.raises(ValueError, match=message):
        MiVOSSettings(**setting)
