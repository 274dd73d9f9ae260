"""Sessions without networks: masks of the drawn frames, copied or carried by optical flow."""

import numpy as np
import pytest
from vosforge.datagen.simulation.robot.strokes import Stroke
from vosforge.train.evaluation.interactive.copy_session import CopySession, FlowSession
from vosforge.train.evaluation.interactive.systems import open_system, parse_systems
from vosforge.train.evaluation.methods import InferenceSettings
from vosforge.train.inference.session.frames import CallableFrames
from vosforge.train.inference.session.protocol import Scribbles

NUM_FRAMES, STEP = 7, 2


def sliding(t):
    """A texture that moves by two pixels a frame, uint8 (96, 120, 3)."""
    wide = np.random.default_rng(2).integers(0, 256, (24, 40)).astype(np.uint8).repeat(4, 0).repeat(4, 1)
    return np.repeat(wide[:, 20 - STEP * t : 140 - STEP * t, None], 3, axis=2)


def square(t, size=30):
    mask = np.zeros((96, 120), bool)
    mask[30 : 30 + size, 40 + STEP * t : 40 + STEP * t + size] = True
    return mask


def started(kind):
    session = kind()
    session.start(CallableFrames(NUM_FRAMES, sliding), (3,))
    return session


def overlap(ids, mask):
    return np.count_nonzero((ids == 3) & mask) / np.count_nonzero((ids == 3) | mask)


@pytest.mark.parametrize("kind", [CopySession, FlowSession])
def test_each_frame_has_the_mask_of_the_nearest_drawn_one(kind):
    session = started(kind)
    session.interact(0, {3: square(0)})
    assert not any(session.masks(t).any() for t in range(1, NUM_FRAMES))
    assert [t for t, _ in session.propagate()] == [1, 2, 3, 4, 5, 6]
    session.interact(6, {3: square(6, 10)})
    before = {t: session.masks(t) for t in range(6)}
    assert [t for t, _ in session.propagate()] == [1, 2, 3, 4, 5]
    # Frame 3 is as near to both: the later interaction's mask.
    assert all(np.array_equal(session.masks(t), before[t]) for t in range(3))
    assert all(np.count_nonzero(session.masks(t)) < 300 for t in range(3, 7))
    session.undo()
    assert all(np.array_equal(session.masks(t), before[t]) for t in range(6))
    assert np.count_nonzero(session.masks(6)) == 100


def test_flow_follows_what_moves_both_ways_and_copies_do_not():
    masks = {}
    for kind in (CopySession, FlowSession):
        session = started(kind)
        session.interact(3, {3: square(3)})
        masks[kind] = dict(session.propagate())
    for t in (0, 6):
        assert overlap(masks[FlowSession][t], square(t)) > 0.9 > 0.7 > overlap(masks[CopySession][t], square(t))


@pytest.mark.parametrize("kind", [CopySession, FlowSession])
def test_a_frame_that_is_drawn_on_again_changes_others_with_the_next_propagation_alone(kind):
    session = started(kind)
    session.interact(2, {3: square(2)})
    list(session.propagate())
    before = session.masks(5)
    session.interact(2, {3: square(2, 10)})
    assert np.array_equal(session.masks(5), before) and np.count_nonzero(session.masks(2)) == 100
    list(session.propagate())
    assert np.count_nonzero(session.masks(5)) < 300 < np.count_nonzero(before)


def test_strokes_are_answered_by_grabcut_on_the_drawn_frame():
    session = started(FlowSession)
    stroke = Stroke(object_id=3, path=np.array([[0.42, 0.45], [0.55, 0.45]]))
    answer = session.interact(0, {3: Scribbles(strokes=(stroke,))})
    assert answer[43, 50] == 3 and np.array_equal(session.masks(0), answer)


@pytest.mark.parametrize(("name", "kind"), [("copy", CopySession), ("flow", FlowSession)])
def test_systems_without_networks_are_opened_by_name(name, kind):
    (system, oracle) = parse_systems(f"{name},oracle-{name}", (), 50)
    assert not system.has_networks and not system.true_masks and oracle.true_masks
    assert type(open_system(system, {}, InferenceSettings())) is kind
    assert type(open_system(oracle, {}, InferenceSettings())) is kind
