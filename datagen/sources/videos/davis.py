"""DAVIS 2016 (one object, binary masks) and DAVIS 2017 (several objects, palette masks)."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from ...corpus.records import IGNORE_ID
from ..source import ClipContent, FrameContent, SourceClip, SourceLayoutError, layout_error, require
from .frame_folders import read_frame_folders, read_names, with_masks


@dataclass(frozen=True, kw_only=True)
class _Davis:
    """What the two releases share: the tree, and one list of sequences for each split."""

    is_video: ClassVar[bool] = True
    licence: ClassVar[str] = "research use only; see davischallenge.org"
    coding: ClassVar[Literal["ids", "binary"]]
    lists: ClassVar[str]

    root: Path
    split: str | None = None
    resolution: str = "480p"

    def list_clips(self) -> list[SourceClip]:
        """Return the sequences of train and val, as far as their lists are there, or of the list of `split`."""
        require(self, f"JPEGImages/{self.resolution}", f"Annotations/{self.resolution}")
        splits = (self.split,) if self.split else ("train", "val")
        for folder in (self.root / "ImageSets" / name for name in self.list_folders()):
            lists = {split: folder / f"{split}.txt" for split in splits}
            clips = [
                SourceClip(name=name, split="train" if split == "train" else "val", details={"split": split})
                for split, path in lists.items()
                if path.is_file()
                for name in _sequences(path)
            ]
            if clips:
                return clips
        require(self, "ImageSets")
        there = self.root / "ImageSets" / self.lists
        if there.is_dir():
            raise layout_error(self, " or ".join(f"{split}.txt" for split in splits), there)
        raise layout_error(self, " or ".join(f"{self.lists}/{split}.txt" for split in splits), there.parent)

    def list_folders(self) -> tuple[str, ...]:
        """Return the folders of ImageSets that may hold the lists, the first that does counts."""
        return (self.lists,)

    def recipe_parameters(self) -> dict[str, Any]:
        """Return the options."""
        return {"split": self.split, "resolution": self.resolution}

    def read(self, clip: SourceClip) -> ClipContent:
        """Read one sequence."""
        pictures, masks = (self.root / kind / self.resolution / clip.name for kind in ("JPEGImages", "Annotations"))
        frames = read_frame_folders(pictures, masks, self.coding)
        if not clip.details["split"].startswith("test"):
            frames = with_masks(frames, masks)
        return ClipContent(frames=self.checked(frames, masks), metadata=dict(clip.details))

    def checked(self, frames: Iterator[FrameContent], masks: Path) -> Iterator[FrameContent]:
        """Yield the frames; a release may refuse masks of the other one."""
        return frames


class Davis2016(_Davis):
    """JPEGImages/480p/<sequence>/00000.jpg, Annotations/480p/<sequence>/00000.png (0 and 255), and
    ImageSets/2016/{train,val}.txt or the lists of the first release, ImageSets/480p/{train,val}.txt.

    Masks of DAVIS 2017 serve too: all objects become one. resolution: the folder between, e.g. 1080p.
    Source: Perazzi et al., CVPR 2016.
    """

    name: ClassVar[str] = "davis-2016"
    splits: ClassVar[tuple[str, ...]] = ("train", "val")
    summary: ClassVar[str] = "DAVIS 2016: 50 videos, one object, every frame annotated"
    coding = "binary"
    lists = "2016"

    def list_folders(self) -> tuple[str, ...]:
        """Return the folder of the lists in the tree of 2017, and that of the first release."""
        return (self.lists, self.resolution)


class Davis2017(_Davis):
    """JPEGImages/480p/<sequence>/00000.jpg, Annotations/480p/<sequence>/00000.png (palette, ids from 1), and
    ImageSets/2017/{train,val,test-dev,test-challenge}.txt.

    Without `split`, train and val. The test sets have the mask of the first frame alone and go to val. resolution: the
    folder between, e.g. Full-Resolution. Source: Pont-Tuset et al., arXiv 1704.00675.
    """

    name: ClassVar[str] = "davis-2017"
    splits: ClassVar[tuple[str, ...]] = ("train", "val", "test-dev", "test-challenge")
    summary: ClassVar[str] = "DAVIS 2017: 90 videos, several objects, every frame annotated"
    coding = "ids"
    lists = "2017"

    def checked(self, frames: Iterator[FrameContent], masks: Path) -> Iterator[FrameContent]:
        """Yield the frames; ValueError for the 0/255 masks of DAVIS 2016, which would all be ignore."""
        for frame in frames:
            if (
                frame.ids is not None
                and frame.ids.any()
                and set(np.unique(frame.ids[frame.ids > 0]).tolist()) == {IGNORE_ID}
            ):
                where = masks / f"{frame.name}.png"
                raise ValueError(f"{where} has 0 and 255 alone, as the masks of DAVIS 2016; pack it as davis-2016")
            yield frame


def _sequences(path: Path) -> list[str]:
    """The sequences of a list: a name a line or, in the first release, "/JPEGImages/480p/bear/00000.jpg ..."."""
    first_words = [line.split()[0] for line in read_names(path)]
    names = {word.split("/")[-2] if word.startswith("/JPEGImages/") else word for word in first_words}
    if not names:
        raise SourceLayoutError(f"{path} is empty; it must name the sequences of this split, one a line")
    return sorted(names)
