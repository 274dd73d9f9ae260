"""Steps that are undone, propagations that are closed half-way, and what that leaves on the disk."""

import json

import numpy as np
import pytest
from session_world import ToySession, line_on
from toy_networks import BlockWorld


@pytest.fixture
def toy(tmp_path):
    return ToySession(BlockWorld(11, (4, 9)), folder=tmp_path / "session")


def files_in(folder) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*.png")}


def take(iterator, count: int) -> list[int]:
    return [next(iterator)[0] for _ in range(count)]


def test_every_step_is_undone_in_turn(toy):
    steps = [
        lambda: toy.session.interact(2, {4: line_on(toy.world, 2, 4)}),
        lambda: toy.session.interact(2, {9: line_on(toy.world, 2, 9)}),
        lambda: toy.session.commit(),
        lambda: toy.propagate(),
        lambda: toy.session.interact(9, {0: line_on(toy.world, 9, 4)}),
        lambda: toy.give_empty(5),  # commits frame 9
        lambda: toy.propagate(),
    ]
    seen = []
    for step in steps:
        seen.append((toy.all_masks(), toy.session.given_frames))
        step()
    for masks, given in reversed(seen):
        toy.session.undo()
        assert np.array_equal(toy.all_masks(), masks) and toy.session.given_frames == given
    with pytest.raises(ValueError, match="nothing to undo"):
        toy.session.undo()


def test_after_undo_the_session_goes_on_as_if_the_step_had_never_been(toy, tmp_path):
    other = ToySession(toy.world, folder=tmp_path / "other")
    for each in (toy, other):
        each.give_truth(2)
        each.propagate()
    toy.give_empty(8)
    toy.propagate()
    toy.session.undo()
    toy.session.undo()
    for each in (toy, other):
        each.give_truth(8)
        each.propagate()
    for t in range(11):
        assert np.array_equal(toy.session.soft_masks(t), other.session.soft_masks(t))
    assert files_in(tmp_path / "session") == files_in(tmp_path / "other")


def test_strokes_undone_are_not_given_again(toy):
    toy.session.interact(2, {4: line_on(toy.world, 2, 4)})
    toy.session.interact(2, {9: line_on(toy.world, 2, 9)})
    toy.session.undo()
    toy.session.interact(2, {0: line_on(toy.world, 2, 0)})
    _, _, positive, _ = toy.s2m.calls[-1]
    assert positive[0].any() and not positive[1].any()


def test_a_memorised_frame_of_an_undone_step_is_not_read(toy):
    toy.give_empty(5)
    toy.propagate()
    toy.session.undo(), toy.session.undo()
    toy.give_truth(5)  # the same frame in the same revision
    toy.propagate()
    assert np.array_equal(toy.all_masks(), toy.truths())


@pytest.mark.parametrize("taken", [0, 1, 4, 6, 9])
def test_a_propagation_closed_half_way_leaves_what_it_gave_out(toy, taken):
    toy.give_truth(5)
    steps = toy.session.propagate()
    done = take(steps, taken)
    steps.close()
    expected = np.zeros_like(toy.truths())
    for t in {5, *done}:
        expected[t] = toy.world.truth(t)
    assert np.array_equal(toy.all_masks(), expected)
    assert sorted(toy.propagate()) == list(range(11))
    assert np.array_equal(toy.all_masks(), toy.truths())


def test_closed_half_way_and_propagated_again_is_as_if_never_closed(toy, tmp_path):
    other = ToySession(toy.world, folder=tmp_path / "other", fusion="linear")
    toy = ToySession(toy.world, folder=tmp_path / "again", fusion="linear")
    for each in (toy, other):
        each.give_empty(0)
        each.propagate()
        each.give_truth(10)
    steps = toy.session.propagate()
    take(steps, 6)
    steps.close()
    toy.propagate(), other.propagate()
    for t in range(11):
        # Blending frame 9 twice would give it the new masks' weight twice.
        assert np.array_equal(toy.session.soft_masks(t), other.session.soft_masks(t))


def test_propagations_closed_half_way_leave_the_disk_when_they_cannot_be_undone(tmp_path):
    toy = ToySession(BlockWorld(11, (4, 9)), folder=tmp_path / "session", undo_depth=2)
    other = ToySession(toy.world)
    for each in (toy, other):
        each.give_empty(0)
        each.propagate()
        each.give_truth(5)
    most = []
    for _ in range(8):
        steps = toy.session.propagate()
        take(steps, 4)
        toy.give_truth(5)
        most.append(len(files_in(tmp_path / "session")))
    assert len(set(most[3:])) == 1, most
    hidden = json.loads((tmp_path / "session" / "session.json").read_text())["view"]["hidden"]
    assert len(hidden) <= 3
    # Those that can be undone are still there, and the first round beneath them.
    masks = toy.all_masks()
    toy.session.undo()
    toy.session.undo()
    toy.give_truth(5)
    assert np.array_equal(toy.all_masks()[:5], masks[:5])
    toy.propagate(), other.propagate()
    assert np.array_equal(toy.all_masks(), other.all_masks())


def test_a_propagation_is_over_when_all_its_frames_were_given_out(toy):
    toy.give_truth(5)
    steps = toy.session.propagate()
    take(steps, 11)
    steps.close()
    assert toy.propagate() == {}


def test_interacting_where_a_propagation_was_closed(toy):
    toy.give_truth(2)
    steps = toy.session.propagate()
    take(steps, 4)
    toy.give_truth(5)
    assert next(steps, None) is None  # closed by the interaction
    found = list(toy.session.propagate())
    # Frame 2 begins anew up to 5, then 5 goes on; between the two fusion decides.
    assert [t for t, _ in found] == [2, 3, 4, 1, 0, 5, 6, 7, 8, 9, 10, 4, 3]
    assert np.array_equal(toy.all_masks(), toy.truths())


def test_undo_of_a_propagation_closed_half_way(toy):
    toy.give_truth(2)
    toy.propagate()
    before = toy.all_masks()
    toy.give_empty(8)
    steps = toy.session.propagate()
    take(steps, 3)
    toy.session.undo()
    assert next(steps, None) is None
    assert np.array_equal(toy.session.masks(7), before[7]) and not toy.session.masks(8).any()
    toy.session.undo()
    assert np.array_equal(toy.all_masks(), before) and toy.session.given_frames == (2,)


def test_undo_to_the_middle_of_a_half_way_state(toy):
    toy.give_truth(2)
    steps = toy.session.propagate()
    take(steps, 4)
    steps.close()
    half = toy.all_masks()
    toy.propagate()
    toy.session.undo()
    assert np.array_equal(toy.all_masks(), half)
    toy.propagate()
    assert np.array_equal(toy.all_masks(), toy.truths())


def test_the_disk_holds_as_much_as_can_be_undone(tmp_path):
    toy = ToySession(BlockWorld(6), folder=tmp_path, undo_depth=2)
    counts = []
    for number in range(8):
        toy.give_truth(number % 6)
        toy.propagate()
        counts.append(len(files_in(tmp_path)))
    # Six frames as they stand, and what the last two steps replaced.
    assert max(counts) <= 6 + 7 and counts[-1] == counts[-2]
    toy.session.undo(), toy.session.undo()
    with pytest.raises(ValueError, match="nothing to undo"):
        toy.session.undo()
    assert np.array_equal(toy.all_masks(), toy.truths())


def test_without_undo_only_what_stands_is_kept(tmp_path):
    toy = ToySession(BlockWorld(6), folder=tmp_path, undo_depth=0)
    for t in (0, 5, 3, 0):
        toy.give_truth(t)
        toy.propagate()
    toy.session.commit()
    toy.give_truth(1)
    toy.session.commit()
    assert np.array_equal(toy.all_masks(), toy.truths())
    assert len(files_in(tmp_path)) <= 6 + 1


def test_rounds_on_one_frame_keep_what_stood_before_them_however_many(tmp_path):
    toy = ToySession(BlockWorld(6), folder=tmp_path, undo_depth=1)
    toy.give_truth(0)
    toy.propagate()
    for _ in range(5):
        toy.give_empty(5)
        toy.session.commit()
    toy.propagate()
    # Told from the masks before the first round, not from the empty ones of the fourth.
    assert toy.fusion.calls[0]["a_minus"].amax() > 0.9


def test_an_undo_that_a_full_disk_stops_can_be_called_again(toy, monkeypatch):
    toy.give_truth(5)
    toy.propagate()
    before = toy.all_masks()
    toy.give_empty(8)
    toy.propagate()
    after = toy.all_masks()
    from vosforge.train.inference.session import session_file

    def no_room(path, content):
        raise OSError(28, "No space left on device", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(session_file, "atomic_write_json", no_room)
        with pytest.raises(OSError, match="No space left"):
            toy.session.undo()
    assert np.array_equal(toy.all_masks(), after) and toy.session.given_frames == (5, 8)
    toy.session.undo(), toy.session.undo()
    assert np.array_equal(toy.all_masks(), before) and toy.session.given_frames == (5,)


def test_a_disk_that_is_full_leaves_the_session_as_it_was(toy, monkeypatch):
    toy.give_truth(5)
    toy.propagate()
    before = toy.all_masks()
    toy.give_empty(8)
    from vosforge.train.inference.session import store

    def no_room(path, content):
        raise OSError(28, "cannot write masks: No space left on device", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(store, "_replace", no_room)
        with pytest.raises(OSError, match="No space left"):
            toy.session.commit()
        with pytest.raises(OSError, match="No space left"):
            toy.propagate()
    assert np.array_equal(toy.all_masks()[:8], before[:8]) and toy.session.given_frames == (5,)
    toy.propagate()
    assert toy.session.given_frames == (5, 8)
