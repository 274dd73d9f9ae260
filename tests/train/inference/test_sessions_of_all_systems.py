"""What holds in a session whatever the system: networks of the tiny size, untrained."""

import numpy as np
import pytest
from session_world import SYSTEMS, all_masks, all_soft_masks, begun, die, line_on, lines, tiny_session
from tiny_checkpoints import write_tiny_checkpoint
from vosforge.train.inference.session import open_session
from vosforge.train.inference.session.protocol import Region

pytestmark = pytest.mark.parametrize("system", SYSTEMS)


def test_a_resumed_session_goes_on_as_if_it_had_not_ended(system, world, tmp_path):
    def with_work(folder):
        session = begun(tiny_session(system, folder), world)
        session.interact(2, lines(world, 2))
        list(session.propagate())
        session.interact(6, lines(world, 6))
        session.commit()
        return session

    whole = with_work(tmp_path / "whole")
    die(with_work(tmp_path / "ended"))
    resumed = tiny_session(system, tmp_path / "ended")
    resumed.resume(world)
    for session in (whole, resumed):
        list(session.propagate())
    assert any(whole.soft_masks(t).any() for t in range(8))
    assert np.array_equal(all_masks(whole), all_masks(resumed))
    assert np.array_equal(all_soft_masks(whole), all_soft_masks(resumed))


def test_a_propagation_closed_half_way_ends_as_one_never_closed(system, world):
    whole, closed = (begun(tiny_session(system), world) for _ in range(2))
    for session in (whole, closed):
        session.interact(3, lines(world, 3))
    running = closed.propagate()
    assert [next(running)[0] for _ in range(4)] == [3, 4, 5, 6]
    running.close()
    for session in (whole, closed):
        list(session.propagate())
    assert np.array_equal(all_soft_masks(whole), all_soft_masks(closed))


def test_an_undone_step_leaves_nothing_behind(system, world):
    with_step, without = (begun(tiny_session(system), world) for _ in range(2))
    for session in (with_step, without):
        session.interact(2, lines(world, 2))
        list(session.propagate())
    before = all_soft_masks(without)
    with_step.interact(6, {4: line_on(world, 6, 4)})
    list(with_step.propagate())
    for _ in range(2):
        with_step.undo()
    assert np.array_equal(all_soft_masks(with_step), before)
    for session in (with_step, without):
        session.interact(6, lines(world, 6))
        list(session.propagate())
    assert np.array_equal(all_soft_masks(with_step), all_soft_masks(without))


def test_outside_a_region_nothing_changes(system, world):
    session = begun(tiny_session(system), world)
    start = np.full(world.size, 4, np.uint8)
    session.interact(2, {4: start == 4})
    session.commit()
    region = Region(left=16, top=0, right=64, bottom=48)
    # The whole frame would be answered for: something would change beside the region too.
    whole = session.interact(2, lines(world, 2))
    inside = np.zeros(world.size, bool)
    inside[:, 19:61] = True
    assert (whole != start)[~inside].any() and (whole != start)[inside].any()
    session.undo()
    answered = session.interact(2, lines(world, 2), region)
    assert np.array_equal(answered[~inside], start[~inside]) and (answered != start)[inside].any()


def test_a_folder_is_one_session_s_at_a_time(system, world, tmp_path):
    with begun(tiny_session(system, tmp_path / "work"), world) as session:
        session.interact(2, {4: world.truth(2) == 4})
        session.commit()
        other = tiny_session(system, tmp_path / "work")
        for enter in (other.resume, lambda frames: begun(other, frames)):
            with pytest.raises(ValueError, match=r"the session in .*work is open already.*give another folder"):
                enter(world)
    other.resume(world)
    assert np.array_equal(other.masks(2) == 4, world.truth(2) == 4)
    with pytest.raises(ValueError, match="is open already"):
        session.resume(world)


def test_the_folder_of_another_system_is_refused(system, world, tmp_path):
    begun(tiny_session(system, tmp_path), world).close()
    other = tiny_session(next(name for name in SYSTEMS if name != system), tmp_path)
    with pytest.raises(
        ValueError, match=rf"(?i)session in .* is one of {system}, not of \w+; give the networks of {system}$"
    ):
        other.resume(world)


def test_a_session_is_opened_from_checkpoints(system, world, tmp_path):
    kinds, settings = SYSTEMS[system][1:]
    paths = {kind: write_tiny_checkpoint(tmp_path / f"{kind}.pt", kind) for kind in kinds}
    opened = getattr(open_session, f"open_{system}_session")
    given = paths if len(paths) > 1 else paths[kinds[0]]
    with opened(given, settings, tmp_path / "work") as session:
        begun(session, world).interact(1, lines(world, 1))
        assert sorted(t for t, _ in session.propagate()) == list(range(8))
