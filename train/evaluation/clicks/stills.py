"""Single pictures with masks: the sets of interactive segmentation (GrabCut, Berkeley, DAVIS-345), and any pairs.

Layouts of the sets are those in which f-BRS and RITM hand them out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ....datagen.compositing.still_folder import find_pairs as find_any_pairs
from ....datagen.compositing.still_folder import read_ids, read_picture
from ....datagen.corpus.records import IGNORE_ID
from ....datagen.imaging.images import decode_mask_picture
from ....datagen.sources.pairs import PairFolders, find_pairs
from ..errors import EvaluationError, as_evaluation_errors
from .objects import ClickObject, Which, objects_of_ids

UNDECIDED = 128
"""In masks of GrabCut and Berkeley: the band along the boundary that nobody could decide on. Above it is the object."""
OBJECT_SEPARATOR = "#"
"""Several objects of one picture: masks <stem>#1.png, <stem>#2.png beside <stem>.jpg."""


@dataclass(frozen=True, kw_only=True)
class StillLayout:
    """Where pictures and masks of a set lie, and how a mask is read.

    read: file -> ids uint8 (H, W), 255 ignored; ValueError names a broken file.
    """

    name: str
    folders: PairFolders
    read: Callable[[Path], np.ndarray]


@dataclass(frozen=True, kw_only=True)
class StillPicture:
    """One picture with a mask of ids, or with several masks of one object each."""

    name: str
    picture: Path
    masks: tuple[Path, ...]
    read: Callable[[Path], np.ndarray]
    which: Which
    min_area: int

    def objects(self) -> list[ClickObject]:
        """Read the picture and its masks; EvaluationError names a file that is broken."""
        with as_evaluation_errors():
            masks = [self.read(path) for path in self.masks]
            if self.which == "union" and len(masks) > 1:
                masks = [self._united(masks)]
            found = []
            for number, ids in enumerate(masks, start=1):
                some = objects_of_ids(self.name, lambda: read_picture(self.picture), ids, self.which, self.min_area)
                found += [replace(one, object_id=number) for one in some] if len(masks) > 1 else some
            return found

    def _united(self, masks: list[np.ndarray]) -> np.ndarray:
        """Ids of all objects as one; what some mask leaves undecided and none takes is ignored: uint8 (H, W)."""
        if len({ids.shape for ids in masks}) > 1:
            raise EvaluationError(f"{self.name}: its masks differ in size; repair or remove them")
        stacked = np.stack(masks)
        ids = ((stacked > 0) & (stacked != IGNORE_ID)).any(axis=0).astype(np.uint8)
        ids[(ids == 0) & (stacked == IGNORE_ID).any(axis=0)] = IGNORE_ID
        return ids


def read_trimap(path: Path) -> np.ndarray:
    """Ids of a mask of GrabCut or Berkeley: 1 above 128, 255 at 128, uint8 (H, W); ValueError names a broken file."""
    channels = _channels(path)
    values = channels[..., 0]
    if (channels != values[..., None]).any():
        raise ValueError(f"{path} is coloured; masks of GrabCut and Berkeley are grey. Ids in a palette: layout pairs")
    ids = (values > UNDECIDED).astype(np.uint8)
    ids[values == UNDECIDED] = IGNORE_ID
    return ids


def read_union(path: Path) -> np.ndarray:
    """Ids of a mask of DAVIS-345: 1 wherever a channel is not zero, uint8 (H, W); ValueError names a broken file."""
    return (_channels(path).max(axis=2) > 0).astype(np.uint8)


def _channels(path: Path) -> np.ndarray:
    """The values of a mask, uint8 (H, W, C), of a palette picture its colours."""
    try:
        mode, values, palette = decode_mask_picture(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path} is broken: {error}") from error
    if mode == "P":
        values = palette.astype(np.uint8)[values]
    elif mode == "1":
        values = values.astype(np.uint8) * 255
    elif mode in ("LA", "RGBA"):
        values = values[..., :-1]
    if values.dtype != np.uint8:
        raise ValueError(f"{path} has mode {mode}; a mask is grey, palette or RGB with 8 bits")
    return values.reshape(*values.shape[:2], -1)


STILL_LAYOUTS: Mapping[str, StillLayout] = {
    layout.name: layout
    for layout in (
        StillLayout(name="grabcut", folders=PairFolders(pictures="data_GT", masks="boundary_GT"), read=read_trimap),
        StillLayout(name="berkeley", folders=PairFolders(pictures="images", masks="masks"), read=read_trimap),
        StillLayout(name="davis-345", folders=PairFolders(pictures="img", masks="gt"), read=read_union),
    )
}


def still_layout_at(root: Path) -> StillLayout | None:
    """The set whose two folders lie at the root, None when there is none."""
    for layout in STILL_LAYOUTS.values():
        if (root / layout.folders.pictures).is_dir() and (root / layout.folders.masks).is_dir():
            return layout
    return None


def still_pictures(root: Path, layout: StillLayout, which: Which, min_area: int) -> list[StillPicture]:
    """The pictures of a set, sorted by name.

    EvaluationError when there is none, and names a picture without a mask or a mask without a picture.
    """
    expected = f"expected {layout.folders.describe()} below {root}"
    pictures: dict[str, Path] = {}
    masks: dict[str, list[Path]] = {}
    with as_evaluation_errors():
        pairs = list(find_pairs(root, layout.folders, with_lone=True))
    for stem, picture, mask in pairs:
        if picture.is_file():
            pictures[stem] = picture
        if mask.is_file():
            owner = stem if picture.is_file() else stem.rpartition(OBJECT_SEPARATOR)[0] or stem
            masks.setdefault(owner, []).append(mask)
    if not pairs:
        raise EvaluationError(f"{root} holds no picture of layout {layout.name}; {expected}")
    alone = next((pictures[stem] for stem in pictures if stem not in masks), None)
    if alone is not None:
        raise EvaluationError(f"{alone} lacks its mask; {expected}")
    alone = next((found[0] for stem, found in masks.items() if stem not in pictures), None)
    if alone is not None:
        raise EvaluationError(f"{alone} lacks its picture; {expected}")
    return [
        StillPicture(
            name=stem,
            picture=pictures[stem],
            masks=tuple(masks[stem]),
            read=layout.read,
            which=which,
            min_area=min_area,
        )
        for stem in sorted(pictures)
    ]


def pair_pictures(root: Path, which: Which, min_area: int) -> list[StillPicture]:
    """Any pictures with masks of the same stem, side by side or in sibling folders (DUTS, ECSSD and others).

    Palette masks hold ids, 255 ignored; in grey ones 128 and above is the object. EvaluationError as `StillFolder`.
    """
    with as_evaluation_errors():
        pairs = find_any_pairs(root)
    return [
        StillPicture(
            name=picture.relative_to(root).with_suffix("").as_posix(),
            picture=picture,
            masks=(mask,),
            read=read_ids,
            which=which,
            min_area=min_area,
        )
        for picture, mask in pairs
    ]
