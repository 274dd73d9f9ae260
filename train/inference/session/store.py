"""The masks of a session on disk, in revisions, so that steps can be undone. N objects, H W pixels.

masks/00012.r3.png is frame 12 as revision 3 left it, a grey picture of N + 1 parts one below the other: the ids, and
the probabilities of each object, 255 for 1.
"""

import contextlib
import os
import re
from collections.abc import Collection, Iterable, Set
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ....datagen.imaging.passes import decode_soft_mask
from ....datagen.storage.files import TEMPORARY_MARK

FOLDER = "masks"
_FILE_NAME = re.compile(r"(\d{5,})\.r(\d+)\.png")
# Masks are mostly flat: run lengths make them as small as level 1 of zlib does, in a fifth of the time.
_COMPRESSION = [cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]


@dataclass(frozen=True, kw_only=True)
class View:
    """What of a store is to be seen: revisions up to `revision`, but for those that are `hidden`."""

    revision: int = 0
    hidden: Set[int] = frozenset()

    def shows(self, revision: int) -> bool:
        """Whether a revision is to be seen."""
        return revision <= self.revision and revision not in self.hidden


def unseen_revisions(views: Collection[View]) -> set[int]:
    """The revisions that are hidden wherever they would be seen."""
    hidden = set().union(*(view.hidden for view in views))
    return {number for number in hidden if not any(view.shows(number) for view in views)}


class ResultStore:
    """Ids and probabilities of frames in a folder; of each frame the newest revision of a view counts.

    Revisions are numbered from 1. A frame that was never written is empty. A file appears whole or not at all.
    """

    def __init__(self, folder: Path, size: tuple[int, int], num_objects: int) -> None:
        self.folder = folder
        self._num_objects, self._size = num_objects, tuple(size)
        self._revisions: dict[int, list[int]] = {}
        (folder / FOLDER).mkdir(parents=True, exist_ok=True)

    def find(self, newest: int) -> None:
        """Take up what a session left in the folder, up to a revision; what is newer or half written goes."""
        self._revisions = {}
        for path in (self.folder / FOLDER).iterdir():
            parts = _FILE_NAME.fullmatch(path.name)
            if parts and int(parts[2]) <= newest:
                self._revisions.setdefault(int(parts[1]), []).append(int(parts[2]))
            elif parts or TEMPORARY_MARK in path.name:
                path.unlink()
        for known in self._revisions.values():
            known.sort()

    def write(self, t: int, revision: int, ids: np.ndarray, soft: np.ndarray) -> None:
        """Write ids uint8 (H, W) and probabilities uint8 (N, H, W), 255 for 1, of frame t; OSError."""
        if soft.shape != (self._num_objects, *self._size) or soft.dtype != np.uint8:
            expected = (self._num_objects, *self._size)
            raise ValueError(f"probabilities are {soft.dtype} {soft.shape}, expected uint8 {expected}")
        picture = np.concatenate([ids[None], soft]).reshape(-1, self._size[1])
        written, content = cv2.imencode(".png", picture, _COMPRESSION)
        if not written:
            raise ValueError(f"OpenCV could not write a PNG of shape {picture.shape}")
        _replace(self._path(t, revision), content.tobytes())
        known = self._revisions.setdefault(t, [])
        if revision not in known:
            known.append(revision)
            known.sort()

    def revision_of(self, t: int, view: View) -> int | None:
        """The revision of frame t that a view shows, None for a frame that is empty in it."""
        return next((number for number in reversed(self._revisions.get(t, ())) if view.shows(number)), None)

    def frames(self, view: View) -> list[int]:
        """The frames that are not empty in a view, ascending."""
        return sorted(t for t in self._revisions if self.revision_of(t, view) is not None)

    def ids(self, t: int, view: View) -> np.ndarray:
        """The ids of frame t, uint8 (H, W)."""
        return self._read(t, view)[0]

    def soft(self, t: int, view: View) -> np.ndarray:
        """The probabilities of frame t, uint8 (N, H, W), 255 for 1."""
        return self._read(t, view)[1:]

    def forget_after(self, revision: int) -> None:
        """Remove all that is newer than a revision."""
        self._remove((t, number) for t, known in self._revisions.items() for number in known if number > revision)

    def forget_unseen(self, views: Collection[View], given: Collection[int]) -> None:
        """Remove revisions that none of these views shows: older ones than the oldest view's, and those hidden in all.

        given: the frames that are written again and again, of which what lies between the views goes too; elsewhere a
        newer view shows what lies between.
        """
        hidden = frozenset().union(*(view.hidden for view in views))
        oldest = View(revision=min(view.revision for view in views), hidden=hidden)
        given, dead, unseen = set(given), unseen_revisions(views), []
        for t, known in self._revisions.items():
            least = self.revision_of(t, oldest) or 0
            seen = {self.revision_of(t, view) for view in views} if t in given else known
            unseen += [(t, number) for number in known if number < least or number in dead or number not in seen]
        self._remove(unseen)

    def _read(self, t: int, view: View) -> np.ndarray:
        shape = (self._num_objects + 1, *self._size)
        revision = self.revision_of(t, view)
        if revision is None:
            return np.zeros(shape, np.uint8)
        path = self._path(t, revision)
        try:
            return decode_soft_mask(path.read_bytes()).reshape(shape)
        except ValueError as error:
            raise ValueError(
                f"{path} is damaged ({error}); the masks of frame {t} are lost: undo the step; or remove the file, "
                "then the frame has the masks from before, if any, and give an input again that is carried to it"
            ) from error

    def _remove(self, entries: Iterable[tuple[int, int]]) -> None:
        for t, revision in list(entries):
            self._revisions[t].remove(revision)
            self._path(t, revision).unlink(missing_ok=True)

    def _path(self, t: int, revision: int) -> Path:
        return self.folder / FOLDER / f"{t:05d}.r{revision}.png"


def _replace(path: Path, content: bytes) -> None:
    # Without fsync, which would cost as much as propagating the frame.
    temporary = path.with_name(f".{path.name}{TEMPORARY_MARK}{os.getpid()}")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise OSError(error.errno, f"cannot write masks: {error.strerror}", str(path)) from error
