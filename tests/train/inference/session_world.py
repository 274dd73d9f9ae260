"""Sessions in a world of blocks, with toy networks or tiny ones, and what users do in them."""

import numpy as np
import torch
from toy_networks import BlockWorld, ToyFusion, ToyPropagation, ToyS2M
from vosforge.datagen.simulation.robot.strokes import Stroke
from vosforge.train.inference.osvos_tuning import TuningSettings
from vosforge.train.inference.session.atnet import ATNetSession
from vosforge.train.inference.session.atnet_settings import ATNetSettings
from vosforge.train.inference.session.ipn import IPNSession
from vosforge.train.inference.session.ipn_settings import IPNSettings
from vosforge.train.inference.session.mivos import MiVOSSession
from vosforge.train.inference.session.mivos_settings import MiVOSSettings
from vosforge.train.inference.session.protocol import Scribbles
from vosforge.train.inference.session.video_session import VideoSession
from vosforge.train.inference.session.wild import WildSession
from vosforge.train.inference.session.wild_settings import WildSettings
from vosforge.train.networks import KINDS

QUICK_TUNING = TuningSettings(iterations=4, batch_size=2, optimiser="adam", learning_rate=1e-2, reduction="mean")
SYSTEMS = {
    "mivos": (MiVOSSession, ("s2m", "propagation", "fusion"), MiVOSSettings()),
    "ipn": (IPNSession, ("ipn",), IPNSettings()),
    # Untrained it is nowhere as sure as the published threshold asks.
    "atnet": (ATNetSession, ("atnet",), ATNetSettings(threshold=0.3)),
    "wild": (WildSession, ("clicknet", "osvos"), WildSettings(tuning=QUICK_TUNING)),
}
"""Name -> class of its session, kinds of its networks, settings."""


class HiddenWorld(BlockWorld):
    """A world in whose frame 4 its second object is not to be seen."""

    def _corners(self, t: int) -> np.ndarray:
        corners = super()._corners(t)
        return np.where((corners == 2) & (t == 4), 0, corners).astype(np.uint8)


class CutWorld(BlockWorld):
    """A world whose sides are no multiples of 16: 40 x 90."""

    def __init__(self, *arguments) -> None:
        super().__init__(*arguments)
        self.size = (40, 90)

    def _corners(self, t: int) -> np.ndarray:
        return super()._corners(t)[:40, :90]


class ToySession:
    """A session on a world, with its networks at hand."""

    def __init__(self, world: BlockWorld, folder=None, **settings) -> None:
        self.world = world
        self.s2m, self.propagation, self.fusion = ToyS2M(), ToyPropagation(), ToyFusion()
        self.session = MiVOSSession(self.s2m, self.propagation, self.fusion, MiVOSSettings(**settings), folder)
        self.session.start(world, world.object_ids)

    def give_truth(self, t: int) -> None:
        """Give the true masks of a frame free-hand."""
        self.session.interact(t, self.truth_inputs(t))

    def truth_inputs(self, t: int) -> dict[int, np.ndarray]:
        return {object_id: self.world.truth(t) == object_id for object_id in self.world.object_ids}

    def give_empty(self, t: int) -> None:
        """Say free-hand that the frame shows no object."""
        empty = np.zeros(self.world.size, bool)
        self.session.interact(t, dict.fromkeys(self.world.object_ids, empty))

    def propagate(self) -> dict[int, np.ndarray]:
        return dict(self.session.propagate())

    def all_masks(self) -> np.ndarray:
        return all_masks(self.session)

    def truths(self) -> np.ndarray:
        return truths(self.world)


def line_on(world: BlockWorld, t: int, object_id: int) -> Scribbles:
    """One stroke through the middle of what shows an object (0: of the world's first row, which is background)."""
    truth = world.truth(t)
    rows, columns = np.nonzero(truth == object_id)
    row = rows.mean() if object_id else 8
    height, width = world.size
    path = np.array([[columns.min() + 3, row], [columns.max() - 3, row]]) / (width, height)
    return Scribbles(strokes=(Stroke(object_id=object_id, path=path),))


def lines(world: BlockWorld, t: int) -> dict[int, Scribbles]:
    """A stroke on every object of a frame."""
    return {object_id: line_on(world, t, object_id) for object_id in world.object_ids}


def begun(session: VideoSession, world: BlockWorld) -> VideoSession:
    """The session, started on the world."""
    session.start(world, world.object_ids)
    return session


def tiny_session(system: str, folder=None) -> VideoSession:
    """A session of a system with networks of the tiny size, untrained, the same each time."""
    session, kinds, settings = SYSTEMS[system]
    torch.manual_seed(0)
    return session(*(KINDS[kind].named("tiny") for kind in kinds), settings, folder)


def all_masks(session: VideoSession) -> np.ndarray:
    return np.stack([session.masks(t) for t in range(session.num_frames)])


def all_soft_masks(session: VideoSession) -> np.ndarray:
    return np.stack([session.soft_masks(t) for t in range(session.num_frames)])


def truths(world: BlockWorld) -> np.ndarray:
    return np.stack([world.truth(t) for t in range(world.num_frames)])


def die(session: VideoSession) -> None:
    """Do what the end of its process does to a session: nobody holds its folder any more, and nothing else."""
    session._lock.close()


def undo_a_round(session: VideoSession, world: BlockWorld) -> None:
    """Draw on frame 2 and propagate; then take a stroke on frame 6 and its propagation back, which leaves no trace."""
    session.interact(2, lines(world, 2))
    list(session.propagate())
    before = all_masks(session)
    session.interact(6, {0: line_on(world, 6, 9)})
    list(session.propagate())
    assert not np.array_equal(all_masks(session), before)
    for _ in range(2):
        session.undo()
    assert np.array_equal(all_masks(session), before)
