"""BL30K as published: rendered videos of 160 frames with palette masks."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from ..source import ClipContent, SourceClip, layout_error, require
from .frame_folders import PICTURE_ENDINGS, files_by_stem, read_frame_folders, with_masks

FRAMES = 160


@dataclass(frozen=True, kw_only=True)
class Bl30k:
    """JPEGImages/<video>/00000.jpg and Annotations/<video>/00000.png (palette), 160 frames a video; or the unpacked
    parts BL30K_a, BL30K_b, ..., each with these two folders.

    Failed renders left empty or short folders behind, and downloads break off, so a video of another length is missing
    with that reason; num_frames=0 takes any length. Source: Cheng et al., CVPR 2021 (MiVOS).
    """

    name: ClassVar[str] = "bl30k"
    is_video: ClassVar[bool] = True
    splits: ClassVar[tuple[str, ...]] = ()
    summary: ClassVar[str] = "BL30K: 30,000 rendered videos of 160 frames, 768x512"
    licence: ClassVar[str] = "see the page of the data set; made of ShapeNet models"

    root: Path
    num_frames: int = FRAMES

    def list_clips(self) -> list[SourceClip]:
        """Return the videos, all of them train."""
        parts = [part for part in sorted(self.root.glob("BL30K_*")) if (part / "JPEGImages").is_dir()]
        places = [self.root] if (self.root / "JPEGImages").is_dir() else parts
        if not places:
            require(self, "JPEGImages", "Annotations")
        videos: dict[str, str] = {}
        for place in places:
            require(self, "JPEGImages", "Annotations", root=place)
            for folder in sorted((place / "JPEGImages").iterdir()):
                if folder.name.startswith(".") or not folder.is_dir():
                    continue
                if folder.name in videos:
                    raise layout_error(self, f"every video once, {folder.name} lies in two parts")
                videos[folder.name] = "" if place == self.root else place.name
        if not videos:
            raise layout_error(self, "a folder for each video", places[0] / "JPEGImages")
        name, part = next(iter(videos.items()))
        first = self.root / part / "JPEGImages" / name
        if any(entry.is_dir() for entry in first.iterdir()):
            raise layout_error(self, "the pictures of a video", first)
        return [SourceClip(name=name, details={"part": part}) for name, part in sorted(videos.items())]

    def recipe_parameters(self) -> dict[str, Any]:
        """Return the options."""
        return {"num_frames": self.num_frames}

    def read(self, clip: SourceClip) -> ClipContent:
        """Read one video; ValueError for one of another length."""
        pictures, masks = (
            self.root / clip.details["part"] / kind / clip.name for kind in ("JPEGImages", "Annotations")
        )
        found = len(files_by_stem(pictures, PICTURE_ENDINGS))
        if self.num_frames and found != self.num_frames:
            what = f"holds {found} pictures, a video of BL30K has {self.num_frames}"
            raise ValueError(f"{pictures} {what}; --option num_frames=0 takes any length")
        return ClipContent(frames=with_masks(read_frame_folders(pictures, masks, "ids"), masks))
