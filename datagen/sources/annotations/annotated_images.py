"""What COCO and LVIS share: one JSON file of images, annotations and categories for each split.

Listing goes through the JSON once and notes where the annotations of each picture lie in it, so that a clip of the
listing is small and a worker reads a few hundred bytes of the file, not the gigabyte that LVIS has.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from ...corpus.instances import Instance, coco_mask, rle_area
from ..source import ClipContent, FrameContent, SourceClip, SourceLayoutError, layout_error
from .annotation_index import AnnotationIndex
from .annotation_masks import encode_segmentation, resolve_ids
from .json_members import read_element


@dataclass(frozen=True, kw_only=True)
class AnnotatedImages:
    """Pictures with the annotations of a JSON file. A subclass says where files lie.

    labels: "instances" keeps every mask whole, as COCO RLE; "ids" paints them into one mask of ids, the smaller of two
    on top, crowds as ignore. min_area: annotations below this area in pixels (as the file states it) are left out.
    Pictures without an annotated object are left out.
    """

    is_video: ClassVar[bool] = False
    splits: ClassVar[tuple[str, ...]] = ("train", "val")
    picture_facts: ClassVar[tuple[str, ...]] = ()

    root: Path
    split: str | None = None
    labels: str = "instances"
    min_area: float = 0.0

    def __post_init__(self) -> None:
        """ValueError for an option out of its range."""
        if self.labels not in ("instances", "ids"):
            raise ValueError(f"labels is {self.labels!r}; it must be instances or ids")
        if not self.min_area >= 0:
            raise ValueError(f"min_area is {self.min_area}; it must be at least 0 pixels")

    def annotation_files(self, split: str) -> tuple[str, ...]:
        """Return the places of the JSON of a split, relative to the root; the first that is there counts."""
        raise NotImplementedError

    def picture_path(self, image: Mapping[str, Any], split: str) -> str:
        """Return the path of a picture, relative to `picture_root`; KeyError names a field that the image lacks."""
        raise NotImplementedError

    def picture_root(self) -> Path:
        """Return the folder that holds the folders of pictures."""
        return self.root

    def list_clips(self) -> list[SourceClip]:
        """Return the annotated pictures of train and val, as far as their JSON is there, or of `split`."""
        coco_mask()  # Says how to install it, once and not for every picture.
        splits = (self.split,) if self.split else self.splits
        files = {split: self._find_annotations(split) for split in splits}
        if not any(files.values()):
            raise layout_error(self, " or ".join(name for split in splits for name in self.annotation_files(split)[:1]))
        clips = [clip for split, path in files.items() if path for clip in self._list_split(path, split)]
        return sorted(clips, key=lambda clip: (clip.split != "train", clip.name))

    def recipe_parameters(self) -> dict[str, Any]:
        """Return the options."""
        return {"split": self.split, "labels": self.labels, "min_area": self.min_area}

    def read(self, clip: SourceClip) -> ClipContent:
        """Read one picture and its annotations."""
        details = clip.details
        picture = self.picture_root() / details["picture"]
        size = details["height"], details["width"]
        instances, empty = self._read_instances(clip)
        metadata = {"image_id": details["image_id"], **details["facts"]}
        if empty:
            metadata["empty_annotations"] = empty
        frame: dict[str, Any] = {"name": picture.stem, "picture": picture.read_bytes(), "file": str(picture)}
        if self.labels == "instances":
            return ClipContent(frames=[FrameContent(instances=instances, **frame)], metadata=metadata)
        ids, numbered = resolve_ids(instances, *size)
        objects = {number: {"category": one.category, "annotation": one.id} for number, one in numbered.items()}
        return ClipContent(frames=[FrameContent(ids=ids, **frame)], objects=objects, metadata=metadata)

    def _find_annotations(self, split: str) -> Path | None:
        return next((self.root / name for name in self.annotation_files(split) if (self.root / name).is_file()), None)

    def _list_split(self, path: Path, split: str) -> list[SourceClip]:
        index = AnnotationIndex(path, self.min_area)
        clips = []
        for image_id in index.annotated():
            image = index.images[image_id]
            picture = index.checked(image_id, lambda image: self.picture_path(image, split))
            details = {
                "picture": picture,
                "image_id": image_id,
                "height": index.side(image_id, "height"),
                "width": index.side(image_id, "width"),
                "json": path.relative_to(self.root).as_posix(),
                "annotations": index.places[image_id],
                "categories": index.categories_of(image_id),
                "facts": {name: image[name] for name in self.picture_facts if name in image},
            }
            clips.append(
                SourceClip(name="/".join(Path(picture).with_suffix("").parts[-2:]), split=split, details=details)
            )
        folders = sorted({str(Path(clip.details["picture"]).parent) for clip in clips})
        absent = [folder for folder in folders if not (self.picture_root() / folder).is_dir()]
        if absent:
            whose = f" (pictures of {path.name})"
            raise layout_error(self, " and ".join(absent), self.picture_root(), hint=whose)
        if not clips:
            raise SourceLayoutError(f"{path} has no picture with an annotation of at least {self.min_area} pixels")
        return clips

    def _read_instances(self, clip: SourceClip) -> tuple[list[Instance], list[int]]:
        """The instances of a clip, and the ids of the annotations without a pixel."""
        details, places = clip.details, clip.details["annotations"]
        path = self.root / details["json"]
        instances, empty = [], []
        with path.open("rb") as file:
            for offset, size in zip(places[::2], places[1::2], strict=True):
                try:
                    instance = _instance(read_element(file, offset, size), details)
                except (ValueError, KeyError, TypeError) as error:
                    raise ValueError(f"{path}: the annotation at byte {offset}, of {clip.name}: {error}") from error
                if rle_area(instance.rle):
                    instances.append(instance)
                else:
                    empty.append(instance.id)
        return instances, empty


def _instance(annotation: Mapping[str, Any], details: Mapping[str, Any]) -> Instance:
    if annotation["image_id"] != details["image_id"]:
        raise ValueError("it is of another picture; the file has changed since it was listed")
    category_id = annotation["category_id"]
    return Instance(
        id=annotation["id"],
        rle=encode_segmentation(annotation["segmentation"], details["height"], details["width"]),
        category=details["categories"][str(category_id)],
        is_crowd=bool(annotation.get("iscrowd", 0)),
        details={"category_id": category_id},
    )
