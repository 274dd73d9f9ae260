"""Memory for intermediate pictures that is used again: fresh pages cost a third of the time of warping a picture."""

import math
import threading

import numpy as np


class Buffers(threading.local):
    """One piece of memory for each name and thread; it grows to the largest picture that was asked for."""

    def __init__(self) -> None:
        self._pieces: dict[str, np.ndarray] = {}

    def take(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        """Return uint8 of this shape, of any content; what was taken by this name before is overwritten with it."""
        size = math.prod(shape)
        piece = self._pieces.get(name)
        if piece is None or piece.size < size:
            piece = self._pieces[name] = np.empty(size, np.uint8)
        return piece[:size].reshape(shape)
