"""GyGO: short videos of goods for sale, one object, about 5 frames a second."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from ..source import ClipContent, SourceClip, SourceLayoutError, layout_error, require
from .frame_folders import read_frame_folders, read_names, with_masks

_LISTS = {"train": ("Train.txt", "train.txt"), "val": ("val.txt", "Val.txt")}


@dataclass(frozen=True, kw_only=True)
class Gygo:
    """JPEGImages/480p/<sequence>/*.jpg, Annotations/480p/<sequence>/*.png (binary), and ImageSets/{Train,val}.txt.

    resolution: the folder between, 480p or original. Source: Friedman et al., 2018 (GyGO, Visualead).
    """

    name: ClassVar[str] = "gygo"
    is_video: ClassVar[bool] = True
    splits: ClassVar[tuple[str, ...]] = ("train", "val")
    summary: ClassVar[str] = "GyGO: 155 videos, one object, every frame annotated"
    licence: ClassVar[str] = "not stated; see github.com/ilchemla/gygo-dataset"

    root: Path
    split: str | None = None
    resolution: str = "480p"

    def list_clips(self) -> list[SourceClip]:
        """Return the sequences of both lists, or of the one of `split`."""
        require(self, f"JPEGImages/{self.resolution}", f"Annotations/{self.resolution}", "ImageSets")
        clips = []
        for split in (self.split,) if self.split else self.splits:
            paths = [path for path in (self.root / "ImageSets" / name for name in _LISTS[split]) if path.is_file()]
            if not paths:
                raise layout_error(self, _LISTS[split][0], self.root / "ImageSets")
            names = sorted(set(read_names(paths[0])))
            if not names:
                raise SourceLayoutError(f"{paths[0]} is empty; it must name the sequences of this split, one a line")
            clips += [SourceClip(name=name, split=split, details={"split": split}) for name in names]
        return clips

    def recipe_parameters(self) -> dict[str, Any]:
        """Return the options."""
        return {"split": self.split, "resolution": self.resolution}

    def read(self, clip: SourceClip) -> ClipContent:
        """Read one sequence."""
        pictures, masks = (self.root / kind / self.resolution / clip.name for kind in ("JPEGImages", "Annotations"))
        frames = with_masks(read_frame_folders(pictures, masks, "binary"), masks)
        return ClipContent(frames=frames, metadata=dict(clip.details))
