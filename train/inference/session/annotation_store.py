"""What an interaction network was given on frames, kept beside their masks. N objects, h w pixels of its input."""

import contextlib
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from .store import ResultStore, View

FOLDER = "annotations"


class AnnotationStore(ResultStore):
    """Masks before an interaction and maps of its strokes, in the revisions of the masks after it: folder/annotations.

    A session that is resumed computes the same features from them.
    """

    def __init__(self, folder: Path, size: tuple[int, int], num_objects: int) -> None:
        super().__init__(folder / FOLDER, size, 3 * num_objects)

    def find(self, newest: int) -> None:
        """See `ResultStore`; ValueError for annotations of another size: the session had another `short_side`."""
        super().find(newest)
        height, width = self._size
        first = next(iter(self._revisions), None)
        # A damaged one is named when it is read.
        with contextlib.suppress(UnidentifiedImageError):
            if first is not None and self._picture_size(first) != (width, (self._num_objects + 1) * height):
                raise ValueError(
                    f"the annotations in {self.folder} are not of {width}x{height} pixels; open the session with the "
                    "short_side it was begun with"
                )

    def _picture_size(self, t: int) -> tuple[int, int]:
        with Image.open(self._path(t, self._revisions[t][-1])) as picture:
            return picture.size

    def keep(self, t: int, revision: int, planes: np.ndarray) -> None:
        """Write what was given on frame t, uint8 (3, N, h, w): masks, positive and negative strokes; OSError."""
        self.write(t, revision, np.zeros(planes.shape[2:], np.uint8), planes.reshape(-1, *planes.shape[2:]))

    def planes(self, t: int, view: View) -> np.ndarray:
        """What was given on frame t, uint8 (3, N, h, w)."""
        kept = self.soft(t, view)
        return kept.reshape(3, -1, *kept.shape[1:])
