"""Sessions with toy networks in a world of blocks, and what users do in them."""

import numpy as np
from toy_networks import BlockWorld, ToyFusion, ToyPropagation, ToyS2M
from vosforge.datagen.simulation.robot.strokes import Stroke
from vosforge.train.inference.session.mivos import MiVOSSession
from vosforge.train.inference.session.protocol import Scribbles
from vosforge.train.inference.session.settings import MiVOSSettings


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
        return np.stack([self.session.masks(t) for t in range(self.world.num_frames)])

    def truths(self) -> np.ndarray:
        return np.stack([self.world.truth(t) for t in range(self.world.num_frames)])


def line_on(world: BlockWorld, t: int, object_id: int) -> Scribbles:
    """One stroke through the middle of what shows an object (0: of the world's first row, which is background)."""
    truth = world.truth(t)
    rows, columns = np.nonzero(truth == object_id)
    row = rows.mean() if object_id else 8
    height, width = world.size
    path = np.array([[columns.min() + 3, row], [columns.max() - 3, row]]) / (width, height)
    return Scribbles(strokes=(Stroke(object_id=object_id, path=path),))
