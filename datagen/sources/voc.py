"""PASCAL VOC 2012 and SBD: several instances of 20 categories in a picture."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ..corpus.records import IGNORE_ID
from .masks import read_mask
from .sbd_mat import read_instances
from .source import ClipContent, FrameContent, SourceClip, SourceLayoutError, layout_error, require
from .videos.frame_folders import read_names

# fmt: off
VOC_CATEGORIES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)
# fmt: on
"""The 20 categories; category number 1 is the first."""

_LISTS = "ImageSets/Segmentation"


@dataclass(frozen=True, kw_only=True)
class Voc:
    """JPEGImages/*.jpg, SegmentationObject/*.png and SegmentationClass/*.png (palette, 255 void), and
    ImageSets/Segmentation/{train,val}.txt: the folder VOC2012 of VOCdevkit.

    The void borders of objects stay ignore regions. Source: Everingham et al., IJCV 2010.
    """

    name: ClassVar[str] = "voc"
    is_video: ClassVar[bool] = False
    splits: ClassVar[tuple[str, ...]] = ("train", "val")
    summary: ClassVar[str] = "PASCAL VOC 2012: 1,464 + 1,449 pictures with instances and void borders"
    licence: ClassVar[str] = "pictures under the terms of Flickr; see the PASCAL VOC page"

    root: Path
    split: str | None = None

    def list_clips(self) -> list[SourceClip]:
        """Return the pictures of the lists of train and val, as far as they are there, or of the list of `split`."""
        require(self, "JPEGImages", "SegmentationObject", "SegmentationClass", _LISTS)
        return _list_splits(self, self.root / _LISTS, (self.split,) if self.split else self.splits)

    def recipe_parameters(self) -> dict[str, Any]:
        """Return the options."""
        return {"split": self.split}

    def read(self, clip: SourceClip) -> ClipContent:
        """Read one picture with its instances; ValueError when the two masks differ in size."""
        ids_file = self.root / "SegmentationObject" / f"{clip.name}.png"
        ids = read_mask(ids_file, "ids")
        categories = read_mask(self.root / "SegmentationClass" / f"{clip.name}.png", "ids")
        if categories.shape != ids.shape:
            raise ValueError(
                f"{ids_file} is {ids.shape}, its mask of categories is {categories.shape}: (height, width)"
            )
        objects = {}
        for object_id in np.unique(ids[(ids > 0) & (ids < IGNORE_ID)]).tolist():
            numbers = np.bincount(categories[ids == object_id], minlength=IGNORE_ID + 1)
            objects[object_id] = _facts(int(numbers[:IGNORE_ID].argmax()), ids_file)
        return _content(self.root / "JPEGImages" / f"{clip.name}.jpg", ids, objects)


@dataclass(frozen=True, kw_only=True)
class Sbd:
    """img/*.jpg, inst/*.mat, train.txt and val.txt: the folder benchmark_RELEASE/dataset. The split train_noval, 5,623
    pictures none of which is in val of VOC 2012, needs train_noval.txt beside them (it is downloaded apart).

    Train and val of SBD are not those of VOC 2012: some pictures to train on are in val of VOC. voc: the folder
    VOC2012; the pictures that VOC has masks for itself, in train or val, are then left out and all others are to train
    on, so that train of `voc` and all of `sbd` are the augmented VOC of 10,582 pictures. min_box_fill: an instance that
    fills less than this share of its box becomes ignore (0.08 in RITM, Sofiiuk et al. 2021: masks that are outlines).
    Source: Hariharan et al., ICCV 2011.
    """

    name: ClassVar[str] = "sbd"
    is_video: ClassVar[bool] = False
    splits: ClassVar[tuple[str, ...]] = ("train", "val", "train_noval")
    summary: ClassVar[str] = "SBD: 8,498 + 2,857 pictures of PASCAL VOC with instances"
    licence: ClassVar[str] = "none stated for the masks; pictures of PASCAL VOC, under the terms of Flickr"

    root: Path
    split: str | None = None
    voc: str = ""
    min_box_fill: float = 0.0

    def __post_init__(self) -> None:
        """ValueError for an option out of its range."""
        if not 0 <= self.min_box_fill < 1:
            raise ValueError(f"min_box_fill is {self.min_box_fill}; it must be at least 0 and below 1, e.g. 0.08")

    def list_clips(self) -> list[SourceClip]:
        """Return the pictures of train and val, or of the list of `split`, without those that VOC has."""
        require(self, "img", "inst")
        clips = _list_splits(self, self.root, (self.split,) if self.split else ("train", "val"))
        if not self.voc:
            return clips
        left_out = self._names_of_voc()
        kept = sorted(clip.name for clip in clips if clip.name not in left_out)
        return [SourceClip(name=name, split="train") for name in kept]

    def recipe_parameters(self) -> dict[str, Any]:
        """Return the options; of VOC, a digest of the names that are left out."""
        digest = hashlib.sha256("\n".join(sorted(self._names_of_voc())).encode()).hexdigest()[:16] if self.voc else ""
        return {"split": self.split, "without_voc": digest, "min_box_fill": self.min_box_fill}

    def read(self, clip: SourceClip) -> ClipContent:
        """Read one picture with its instances."""
        path = self.root / "inst" / f"{clip.name}.mat"
        ids, categories = read_instances(path)
        objects = {number: _facts(category, path) for number, category in enumerate(categories, start=1)}
        metadata: dict[str, Any] = {}
        outlines = [number for number in objects if _box_fill(ids == number) < self.min_box_fill]
        if outlines:
            ids = np.where(np.isin(ids, outlines), np.uint8(IGNORE_ID), ids)
            metadata["ignored_objects"] = outlines
        return _content(self.root / "img" / f"{clip.name}.jpg", ids, objects, metadata)

    def _names_of_voc(self) -> set[str]:
        lists = [Path(self.voc) / _LISTS / f"{split}.txt" for split in ("train", "val")]
        for path in lists:
            if not path.is_file():
                raise SourceLayoutError(
                    f"the option voc is {self.voc}, where {path} is missing; give the folder VOC2012"
                )
        return {name for path in lists for name in read_names(path)}


def _list_splits(source: Voc | Sbd, folder: Path, splits: tuple[str, ...]) -> list[SourceClip]:
    """The clips of the lists <split>.txt of a folder; a name in both lists counts for the first."""
    lists = {split: folder / f"{split}.txt" for split in splits}
    names: dict[str, str] = {}
    for split, path in lists.items():
        for name in read_names(path) if path.is_file() else ():
            names.setdefault(name, split)
    if not names:
        raise layout_error(source, f"names of pictures in {' or '.join(path.name for path in lists.values())}", folder)
    clips = [SourceClip(name=name, split="val" if split == "val" else "train") for name, split in names.items()]
    return sorted(clips, key=lambda clip: (clip.split != "train", clip.name))


def _content(
    picture: Path, ids: np.ndarray, objects: Mapping[int, Mapping[str, Any]], metadata: Mapping[str, Any] | None = None
) -> ClipContent:
    frame = FrameContent(name=picture.stem, picture=picture.read_bytes(), ids=ids, file=str(picture))
    return ClipContent(frames=[frame], objects=objects, metadata=metadata or {})


def _facts(category: int, path: Path) -> dict[str, str]:
    if not 1 <= category <= len(VOC_CATEGORIES):
        raise ValueError(f"{path}: an object has category {category}; the categories are 1..{len(VOC_CATEGORIES)}")
    return {"category": VOC_CATEGORIES[category - 1]}


def _box_fill(mask: np.ndarray) -> float:
    """The share of its box that a mask fills, 1 for an empty mask."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return 1.0
    return mask.sum() / float((rows[-1] - rows[0] + 1) * (columns[-1] - columns[0] + 1))
