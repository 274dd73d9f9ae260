"""The objects to click on: a picture, the true mask of one object in it, and the pixels that do not count."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import cv2
import numpy as np

from ....datagen.corpus.records import IGNORE_ID
from ..errors import EvaluationError

Which = Literal["each", "union"]
"""Every object of a picture by itself, or all of them as one."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ClickObject:
    """One object to segment by clicks.

    picture: name of its picture, unique in the set. object_id: its id there. rgb: uint8 (H, W, 3). truth: bool (H, W).
    ignored: bool (H, W), pixels that are neither scored nor clicked.
    """

    picture: str
    object_id: int
    rgb: np.ndarray
    truth: np.ndarray
    ignored: np.ndarray

    @property
    def name(self) -> str:
        """<picture>:<object id>, unique in the set."""
        return f"{self.picture}:{self.object_id}"


class Picture(Protocol):
    """A picture that can travel to another process and is read there.

    name: unique in its set. which, min_area: what counts as an object, and the pixels that it must show.
    """

    name: str
    which: Which
    min_area: int

    def objects(self) -> list[ClickObject]:
        """Read the picture and its masks; EvaluationError or OSError names a file that is broken."""
        ...


@dataclass(frozen=True, kw_only=True)
class PictureSet:
    """The pictures to score, in the order of their names.

    layout: what was found at `root`. split: "" where there is none. which, min_area: as of each picture.
    """

    root: str
    layout: str
    split: str
    which: Which
    min_area: int
    pictures: tuple[Picture, ...]


def objects_of_ids(
    name: str, read_rgb: Callable[[], np.ndarray], ids: np.ndarray, which: Which, min_area: int
) -> list[ClickObject]:
    """The objects of a picture whose ids do not overlap; 255 is ignored.

    ids: uint8 (H, W). min_area: pixels that an object must show. The picture is read only where there is an object.
    """
    ignored = ids == IGNORE_ID
    if which == "union":
        ids = ((ids > 0) & ~ignored).astype(np.uint8)
    areas = cv2.calcHist([ids], [0], None, [256], [0, 256]).ravel()
    areas[[0, IGNORE_ID]] = 0
    shown = np.flatnonzero(areas >= max(min_area, 1))
    if not len(shown):
        return []
    rgb = _sized(name, read_rgb(), ids.shape)
    return [
        ClickObject(picture=name, object_id=int(i), rgb=rgb, truth=ids == i, ignored=ignored) for i in shown.tolist()
    ]


def objects_of_instances(
    name: str, rgb: np.ndarray, masks: np.ndarray, facts: Sequence[dict[str, Any]], which: Which, min_area: int
) -> list[ClickObject]:
    """The objects of a picture whose instances may overlap; crowds are ignored.

    masks: bool (N, H, W). facts: of each, with `is_crowd`. min_area: pixels that an object must show. Ids count from 1
    in the order of the masks.
    """
    is_crowd = np.array([bool(fact["is_crowd"]) for fact in facts], bool)
    crowds = masks[is_crowd].any(axis=0)
    numbers = np.flatnonzero(~is_crowd)
    shown = [(int(n) + 1, masks[n]) for n in numbers]
    if which == "union":
        shown = [(1, masks[numbers].any(axis=0))]
    return [
        ClickObject(picture=name, object_id=number, rgb=rgb, truth=mask, ignored=crowds & ~mask)
        for number, mask in shown
        if np.count_nonzero(mask) >= max(min_area, 1)
    ]


def _sized(name: str, rgb: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    if rgb.shape[:2] != size:
        sizes = " and ".join(f"{width}x{height}" for height, width in (rgb.shape[:2], size))
        raise EvaluationError(f"{name}: picture and mask differ in size, {sizes} pixels; repair or remove them")
    return rgb
