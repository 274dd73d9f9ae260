"""YouTube-VOS 2018 and 2019: palette masks on every fifth frame, objects that appear late."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from ..source import ClipContent, SourceClip, SourceLayoutError, layout_error, require
from .frame_folders import read_frame_folders, with_masks


@dataclass(frozen=True, kw_only=True)
class YouTubeVos:
    """train/JPEGImages/<video>/00000.jpg, train/Annotations/<video>/00000.png (palette) and train/meta.json; valid/ and
    test/ likewise; with all_frames also train_all_frames/JPEGImages/<video>/00000.jpg.

    Without `split`, train and valid as far as they are there. valid and test have the first mask of each object alone
    and go to val; their metadata says so ("first_masks_only"). Ids are kept as they are, also where some are passed
    over. all_frames takes the pictures of every frame; those between the annotated ones are unannotated.
    Source: Xu et al., ECCV 2018.
    """

    name: ClassVar[str] = "youtube-vos"
    is_video: ClassVar[bool] = True
    splits: ClassVar[tuple[str, ...]] = ("train", "valid", "test")
    summary: ClassVar[str] = "YouTube-VOS: 3,471 + 507 videos, every fifth frame annotated, ids that appear late"
    licence: ClassVar[str] = "annotations CC BY 4.0, research use only; see youtube-vos.org"

    root: Path
    split: str | None = None
    all_frames: bool = False

    def list_clips(self) -> list[SourceClip]:
        """Return the videos of meta.json of train and valid, or of `split`."""
        present = [split for split in ("train", "valid") if (self.root / split).is_dir()]
        splits = [self.split] if self.split else present
        if not splits:
            require(self, "train")
        clips = []
        for split in splits:
            require(self, split)
            require(self, "JPEGImages", "Annotations", "meta.json", root=self.root / split)
            if self.all_frames:
                require(self, f"{split}_all_frames/JPEGImages")
            for name, video in sorted(self._videos(split).items()):
                details = {"split": split, "objects": _first_seen(video)}
                clips.append(SourceClip(name=name, split="train" if split == "train" else "val", details=details))
        return clips

    def recipe_parameters(self) -> dict[str, Any]:
        """Return the options."""
        return {"split": self.split, "all_frames": self.all_frames}

    def read(self, clip: SourceClip) -> ClipContent:
        """Read one video."""
        split = clip.details["split"]
        pictures = self.root / (f"{split}_all_frames" if self.all_frames else split) / "JPEGImages" / clip.name
        masks = self.root / split / "Annotations" / clip.name
        objects = {int(number): facts for number, facts in clip.details["objects"].items()}
        metadata = {"split": split, "first_masks_only": split != "train"}
        frames = read_frame_folders(pictures, masks, "ids")
        if split == "train" and not self.all_frames:
            frames = with_masks(frames, masks)
        return ClipContent(frames=frames, objects=objects, metadata=metadata)

    def _videos(self, split: str) -> dict[str, Any]:
        path = self.root / split / "meta.json"
        try:
            videos = json.loads(path.read_text(encoding="utf-8"))["videos"]
            # A list of instances (YouTube-VIS) or a broken entry would fail clip by clip otherwise.
            if not all(isinstance(video["objects"], dict) for video in videos.values()):
                raise TypeError("objects of a video must be keyed by their ids")
            for video in videos.values():
                _first_seen(video)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            what = 'expected {"videos": {<video>: {"objects": {<id>: {"category", "frames"}}}}}'
            raise SourceLayoutError(f"{path} is not the meta.json of {self.name}: {what} ({error!r})") from error
        if not videos:
            raise layout_error(self, "videos in meta.json", path.parent)
        return videos


def _first_seen(video: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Id -> category and name of the first frame in which the object is annotated, as far as meta.json says."""
    facts = {}
    for number, entry in video["objects"].items():
        facts[number] = {"category": entry["category"]} if "category" in entry else {}
        if entry.get("frames"):
            facts[number]["first_frame"] = min(entry["frames"])
    return facts
