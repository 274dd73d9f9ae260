"""A session that is gone on with from its folder, also after its process was killed."""

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from session_world import ToySession, die
from toy_networks import BlockWorld
from vosforge.train.inference.session.store import ResultStore, View

WORLD = BlockWorld(11, (4, 9))


def reopened(folder, world: BlockWorld = WORLD) -> ToySession:
    """A new session on a folder with one, as in a new process."""
    toy = ToySession.__new__(ToySession)
    fresh = ToySession(world)
    vars(toy).update(vars(fresh))
    toy.session = type(fresh.session)(fresh.s2m, fresh.propagation, fresh.fusion, fresh.session.settings, folder)
    toy.session.resume(world)
    return toy


def test_a_session_goes_on_where_it_was(tmp_path):
    one, other = ToySession(WORLD, folder=tmp_path / "one"), ToySession(WORLD)
    for toy in (one, other):
        toy.give_empty(1)
        toy.propagate()
        toy.give_truth(6)
        toy.session.commit()
    one.session.close()
    one = reopened(tmp_path / "one")
    assert one.session.given_frames == (1, 6) and one.session.object_ids == (4, 9)
    assert np.array_equal(one.all_masks(), other.all_masks())
    for toy in (one, other):
        toy.propagate()
        toy.give_truth(9)
        toy.propagate()
    for t in range(11):
        assert np.array_equal(one.session.soft_masks(t), other.session.soft_masks(t))


def test_a_propagation_that_was_under_way_is_as_one_closed_half_way(tmp_path):
    toy = ToySession(WORLD, folder=tmp_path)
    toy.give_truth(5)
    steps = toy.session.propagate()
    for _ in range(4):
        next(steps)
    half = toy.all_masks()
    die(toy.session)
    toy = reopened(tmp_path)
    assert np.array_equal(toy.all_masks(), half)
    assert sorted(toy.propagate()) == list(range(11))
    assert np.array_equal(toy.all_masks(), toy.truths())


def test_uncommitted_work_is_gone_and_earlier_steps_cannot_be_undone(tmp_path):
    toy = ToySession(WORLD, folder=tmp_path)
    toy.give_truth(5)
    toy.propagate()
    toy.give_empty(5)
    die(toy.session)
    toy = reopened(tmp_path)
    assert np.array_equal(toy.all_masks(), toy.truths())
    with pytest.raises(ValueError, match="nothing to undo"):
        toy.session.undo()


def test_a_folder_with_a_session_is_not_overwritten(tmp_path):
    toy = ToySession(WORLD, folder=tmp_path)
    toy.give_truth(5)
    toy.session.commit()
    toy.session.close()
    with pytest.raises(ValueError, match="holds a session already; call resume"):
        ToySession(WORLD, folder=tmp_path)
    assert np.array_equal(reopened(tmp_path).session.masks(5), WORLD.truth(5))


def test_a_start_or_resume_that_is_refused_leaves_the_session(tmp_path):
    toy = ToySession(WORLD, folder=tmp_path)
    toy.give_truth(5)
    with pytest.raises(ValueError, match="holds a session already"):
        toy.session.start(WORLD, (4, 9))
    with pytest.raises(ValueError, match="this one has 12"):
        toy.session.resume(BlockWorld(12, (4, 9)))
    assert np.array_equal(toy.session.masks(5), WORLD.truth(5)) and toy.session.num_frames == 11
    toy.session.commit()
    assert toy.session.given_frames == (5,)


def test_what_cannot_be_resumed_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"holds no session \(session.json is missing\)"):
        reopened(tmp_path / "none")
    assert not (tmp_path / "none").exists()
    with pytest.raises(ValueError, match="no folder to resume from"):
        ToySession(WORLD).session.resume(WORLD)
    ToySession(WORLD, folder=tmp_path)
    with pytest.raises(ValueError, match="a video of 11 frames of 96x48, this one has 12 of 96x48"):
        reopened(tmp_path, BlockWorld(12, (4, 9)))
    other = BlockWorld(11, (4, 9))
    # Many videos begin alike.
    for different in (0, 5, 10):
        other.read = lambda t, different=different: 255 - WORLD.read(t) if t == different else WORLD.read(t)
        with pytest.raises(ValueError, match="this one has as many, but they show something else"):
            reopened(tmp_path, other)
    path = tmp_path / "session.json"
    content = json.loads(path.read_text())
    for damaged, message in (
        (json.dumps({**content, "schema": 99}), "schema 99, this version reads 3"),
        (json.dumps({key: value for key, value in content.items() if key != "view"}), "it was damaged"),
        ("{", "not valid JSON"),
    ):
        path.write_text(damaged)
        with pytest.raises(ValueError, match=message):
            reopened(tmp_path)


def test_files_of_others_stay_and_half_written_ones_go(tmp_path):
    store = ResultStore(tmp_path, (4, 5), 1)
    ids, soft = np.ones((4, 5), np.uint8), np.full((1, 4, 5), 255, np.uint8)
    store.write(3, 1, ids, soft)
    store.write(3, 2, ids * 2, soft)
    (tmp_path / "masks" / "mine.png").write_bytes(b"mine")
    (tmp_path / "masks" / ".00005.r1.png.tmp-77").write_bytes(b"half")
    store = ResultStore(tmp_path, (4, 5), 1)
    store.find(newest=1)
    assert sorted(path.name for path in (tmp_path / "masks").iterdir()) == ["00003.r1.png", "mine.png"]
    assert np.array_equal(store.ids(3, View(revision=5)), ids) and not store.ids(4, View(revision=5)).any()
    assert np.array_equal(store.soft(3, View(revision=5)), soft)


def test_a_damaged_file_is_named(tmp_path):
    toy = ToySession(WORLD, folder=tmp_path)
    toy.give_truth(5)
    toy.session.commit()
    (tmp_path / "masks" / "00005.r1.png").write_bytes(b"broken")
    with pytest.raises(ValueError, match=r"00005\.r1\.png is damaged .* frame 5 are lost: undo the step; or remove"):
        toy.session.masks(5)
    (tmp_path / "masks" / "00005.r1.png").unlink()
    toy.session.close()
    assert not reopened(tmp_path).session.masks(5).any()


def test_where_a_file_system_has_no_locks_a_session_is_opened_all_the_same(tmp_path, monkeypatch):
    def refuse(number):
        def flock(file, operation):
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(fcntl, "flock", flock)

    refuse(errno.ENOLCK)
    ToySession(WORLD, folder=tmp_path / "one").session.close()
    refuse(errno.EIO)
    with pytest.raises(OSError, match="Input/output"):
        ToySession(WORLD, folder=tmp_path / "other")


def test_probabilities_of_another_shape_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"uint8 \(2, 4, 5\), expected uint8 \(1, 4, 5\)"):
        ResultStore(tmp_path, (4, 5), 1).write(0, 1, np.zeros((4, 5), np.uint8), np.zeros((2, 4, 5), np.uint8))


PROGRAM = """
import sys
sys.path[:0] = [{here!r}, {tests!r}]
from pathlib import Path
from session_world import ToySession
from toy_networks import BlockWorld
toy = ToySession(BlockWorld(2000, (4, 9)), folder=Path({folder!r}))
toy.give_truth(200)
for t, _ in toy.session.propagate():
    print(t, flush=True)
"""


def test_a_process_has_its_session_alone_and_when_it_is_killed_another_goes_on(tmp_path):
    here = Path(__file__).parent
    program = PROGRAM.format(here=str(here), tests=str(here.parents[1]), folder=str(tmp_path / "session"))
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    for _ in range(30):
        process.stdout.readline()
    world = BlockWorld(2000, (4, 9))
    with pytest.raises(ValueError, match=r"the session in .*session is open already, in another process"):
        reopened(tmp_path / "session", world)
    assert process.poll() is None
    os.kill(process.pid, signal.SIGKILL)
    given_out = [200, *map(int, process.stdout.read().split()), *range(201, 230)]
    process.wait()
    toy = reopened(tmp_path / "session", world)
    assert all(np.array_equal(toy.session.masks(t), world.truth(t)) for t in given_out)
    steps = toy.session.propagate()
    assert [next(steps)[0] for _ in range(3)] == [200, 201, 202]
