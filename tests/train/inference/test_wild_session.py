"""A session by clicks and OSVOS, with networks whose answers are exact in a world of flat colours."""

import numpy as np
import pytest
import torch
from session_world import die, lines
from torch.nn import functional as F
from toy_networks import NUM_CORNERS, BlockWorld, corner_of
from vosforge.models.click_net import SIZES as CLICKNET_SIZES
from vosforge.models.normalisation import NormaliseColours
from vosforge.models.osvos import SIZES, OSVOSNetwork
from vosforge.train.inference.click_interaction import ClickNetSettings
from vosforge.train.inference.geometry import Region
from vosforge.train.inference.osvos_tuning import TuningSettings, tuning_for
from vosforge.train.inference.session import wild_engine
from vosforge.train.inference.session.passes import Pass
from vosforge.train.inference.session.protocol import Clicks
from vosforge.train.inference.session.wild import WildSession
from vosforge.train.inference.session.wild_settings import WildSettings


class ToyClickNet(torch.nn.Module):
    """The colours under positive clicks, and the present mask, but no colour under a negative click."""

    def __init__(self):
        super().__init__()
        self.size, self.normalise = CLICKNET_SIZES["tiny"], NormaliseColours()
        self.anchor = torch.nn.Parameter(torch.zeros(1))
        self.calls = []

    def forward(self, rgb, mask, clicks):
        self.calls.append((mask.clone(), clicks.clone()))
        corners = F.one_hot(corner_of(rgb), NUM_CORNERS)
        wanted, unwanted = ((corners[0] * (sign * clicks[0, 0, ..., None] > 0.9)).sum((0, 1)) > 0 for sign in (1, -1))
        chosen = (corners * wanted).sum(-1) > 0
        kept = (mask[:, 0] > 0.5) & ((corners * unwanted).sum(-1) == 0)
        return ((chosen | kept)[:, None].float() * 2 - 1) * 10


class ColourNetwork(torch.nn.Module):
    """All pixels of the colours that its examples show."""

    def __init__(self, examples):
        super().__init__()
        self.normalise = NormaliseColours()
        rgb = torch.stack([torch.from_numpy(one.rgb).permute(2, 0, 1) / 255 for one in examples])
        masks = torch.from_numpy(np.stack([one.mask for one in examples]))
        self.colours = torch.unique(corner_of(rgb)[masks])

    def forward(self, rgb):
        return ((torch.isin(corner_of(rgb), self.colours)[:, None].float() * 2 - 1) * 10,)


@pytest.fixture
def tunings(monkeypatch):
    """What networks were tuned to, one entry a network: its number of examples."""
    calls = []

    def tune(network, examples, settings):
        calls.append(len(examples))
        return ColourNetwork(examples)

    monkeypatch.setattr(wild_engine, "tuned", tune)
    return calls


def session_on(world, folder=None, **settings):
    clicknet, parent = ToyClickNet(), OSVOSNetwork(SIZES["tiny"])
    clicks = ClickNetSettings(sigma=1.0, clamp_radius=0)
    session = WildSession(clicknet, parent, WildSettings(clicks=clicks, **settings), folder)
    session.start(world, world.object_ids)
    return session, clicknet


def click_on(world, t, object_id):
    rows, columns = np.nonzero(world.truth(t) == object_id)
    return Clicks(positive=((int(columns.mean()) + 0.5, int(rows.mean()) + 0.5),))


def test_a_small_network_is_not_tuned_as_a_full_one(world):
    session, _ = session_on(world)
    assert session.settings.tuning == tuning_for(OSVOSNetwork(SIZES["tiny"]))
    assert session.settings.tuning.optimiser == "adam"


def test_clicks_answer_for_all_objects_at_once(tunings):
    world = BlockWorld(5, (4, 9))
    session, clicknet = session_on(world)
    ids = session.interact(2, {i: click_on(world, 2, i) for i in (4, 9)})
    assert np.array_equal(ids, world.truth(2)) and len(clicknet.calls) == 2
    # What is positive of one object is negative of the other.
    assert all(clicks.max() > 0.9 and clicks.min() < -0.9 for _, clicks in clicknet.calls)


def test_an_object_that_nobody_spoke_of_is_not_asked_for(tunings):
    world = BlockWorld(5, (4, 9))
    session, clicknet = session_on(world)
    ids = session.interact(2, {9: click_on(world, 2, 9)})
    assert len(clicknet.calls) == 1 and set(np.unique(ids)) == {0, 9}


def test_clicks_refine_the_mask_that_osvos_left(tunings):
    world = BlockWorld(6, (1, 2))
    session, clicknet = session_on(world)
    everything = np.ones(world.size, bool)
    session.interact(0, {1: everything})
    dict(session.propagate())
    assert (session.masks(3) == 1).all()
    truth = world.truth(3)
    background = Clicks(positive=((90.5, 2.5),))
    ids = session.interact(3, {0: background, 2: click_on(world, 3, 2)})
    assert clicknet.calls[0][0].all(), "the mask of the last propagation is given"
    assert np.array_equal(ids, truth)


def test_the_whole_video_is_segmented_anew_after_a_correction(tunings):
    world = BlockWorld(7, (1, 2))
    session, _ = session_on(world)
    session.interact(3, {1: world.truth(3) == 1, 2: np.zeros(world.size, bool)})
    seen = dict(session.propagate())
    assert sorted(seen) == list(range(7)) and tunings == [1]
    assert all(np.array_equal(seen[t] == 1, world.truth(t) == 1) and not (seen[t] == 2).any() for t in seen)
    session.interact(5, {2: world.truth(5) == 2})
    seen = dict(session.propagate())
    # Object 2 is shown in the second frame alone; frame 3 stays as it was given.
    assert tunings == [1, 2, 1] and sorted(seen) == [0, 1, 2, 4, 5, 6]
    assert all(np.array_equal(seen[t], world.truth(t)) for t in (0, 1, 2, 4, 6))
    assert np.array_equal(session.masks(3), np.where(world.truth(3) == 1, 1, 0))


def test_clicks_on_a_stroke_are_apart_in_pixels_of_the_network_s_input(monkeypatch):
    world, apart = BlockWorld(2, (1,)), []
    given = wild_engine.clicks_on_stroke
    monkeypatch.setattr(wild_engine, "clicks_on_stroke", lambda *args: apart.append(args[3]) or given(*args))
    for short_side in (None, world.size[0] // 2):
        clicks = ClickNetSettings(short_side=short_side, stroke_spacing=12)
        session = WildSession(ToyClickNet(), OSVOSNetwork(SIZES["tiny"]), WildSettings(clicks=clicks))
        session.start(world, (1,))
        session.interact(0, lines(world, 0))
    assert apart == [12, 24]


def test_networks_are_tuned_once_for_a_set_of_masks(tunings):
    world = BlockWorld(4, (1,))
    session, _ = session_on(world)
    session.interact(0, {1: world.truth(0) == 1})
    running = session.propagate()
    next(running), next(running)
    running.close()
    dict(session.propagate())
    assert tunings == [1]
    for _ in range(3):
        session.undo()
    assert not session.masks(0).any()
    session.interact(0, {1: world.truth(0) == 0})
    dict(session.propagate())
    assert tunings == [1, 1] and np.array_equal(session.masks(2) == 1, world.truth(2) == 0)


def test_a_killed_session_goes_on_with_its_masks(tunings, tmp_path):
    world = BlockWorld(4, (1, 2))
    session, _ = session_on(world, tmp_path / "work")
    session.interact(1, {i: world.truth(1) == i for i in (1, 2)})
    session.commit()
    die(session)
    other = WildSession(None, OSVOSNetwork(SIZES["tiny"]), WildSettings(), tmp_path / "work")
    other.resume(world)
    dict(other.propagate())
    assert all(np.array_equal(other.masks(t), world.truth(t)) for t in range(4))


def test_in_a_region_nothing_else_changes(tunings):
    world = BlockWorld(4, (1, 2))
    session, clicknet = session_on(world, region_margin=0)
    left = Region(left=0, top=0, right=48, bottom=world.size[0])
    everywhere = {i: click_on(world, 1, i) for i in (1, 2)}
    ids = session.interact(1, everywhere, left)
    assert clicknet.calls[0][0].shape[-1] == 48
    assert np.array_equal(ids[:, :48], world.truth(1)[:, :48]) and not ids[:, 48:].any()


def test_every_frame_without_a_given_mask_is_passed_once():
    world = BlockWorld(9, (1,))
    engine = session_on(world)[0]._engine
    passes = engine.passes(4, [1, 4, 6], [1], 9)
    assert [list(one.frames) for one in passes] == [[5], [7, 8], [3, 2], [0]]
    assert all(isinstance(one, Pass) and one.source == 4 and one.partner is None for one in passes)


def test_osvos_is_tuned_at_the_size_of_the_clicks_as_often_as_asked(monkeypatch):
    seen = []
    monkeypatch.setattr(wild_engine, "tuned", lambda network, shown, settings: seen.append(settings) or network.eval())
    world = BlockWorld(2, (1,))
    settings = WildSettings(clicks=ClickNetSettings(short_side=32), tuning_iterations=7)
    session = WildSession(None, OSVOSNetwork(SIZES["tiny"]), settings)
    session.start(world, (1,))
    session.interact(0, {1: world.truth(0) == 1})
    dict(session.propagate())
    assert [(one.iterations, one.short_side, one.optimiser) for one in seen] == [(7, 32, "adam")]


def test_a_real_network_is_tuned_and_without_clicks_masks_serve():
    torch.manual_seed(0)
    world = BlockWorld(3, (1,))
    tuning = TuningSettings(iterations=40, batch_size=2, optimiser="adam", learning_rate=1e-2, reduction="mean")
    session = WildSession(None, OSVOSNetwork(SIZES["tiny"]), WildSettings(tuning=tuning))
    session.start(world, (1,))
    session.interact(0, {1: world.truth(0) == 1})
    dict(session.propagate())
    found, truth = session.masks(2) == 1, world.truth(2) == 1
    assert (found & truth).sum() / (found | truth).sum() > 0.6
    assert {"tuning", "osvos"} <= set(session.module_times)
    with pytest.raises(ValueError, match="no click network"):
        session.interact(1, {1: click_on(world, 1, 1)})
