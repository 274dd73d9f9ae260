"""LVIS v1: instances of 1,203 categories on the pictures of COCO 2017, as polygons."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

from .annotated_images import AnnotatedImages


@dataclass(frozen=True, kw_only=True)
class Lvis(AnnotatedImages):
    """lvis_v1_{train,val}.json (or annotations/lvis_v1_train.json and so on) and train2017/*.jpg, val2017/*.jpg of
    COCO.

    A picture has no file name in the JSON, its folder and name are the end of its coco_url; val has pictures of both
    folders. pictures: the folder that holds train2017 and val2017, where that is not the root. Scribble-to-Mask trains
    on annotations of at least 50 x 50 pixels: min_area=2500. Categories are annotated in some pictures only: the
    metadata keeps which are absent (neg_category_ids) and which are not complete (not_exhaustive_category_ids).
    Source: Gupta et al., CVPR 2019.
    """

    name: ClassVar[str] = "lvis"
    summary: ClassVar[str] = "LVIS v1: 100,170 + 19,809 pictures with instances of 1,203 categories (instances or ids)"
    licence: ClassVar[str] = "annotations CC BY 4.0; each picture has its own licence, by its number in the JSON"
    picture_facts: ClassVar[tuple[str, ...]] = (
        "license",
        "flickr_url",
        "neg_category_ids",
        "not_exhaustive_category_ids",
    )

    pictures: str = ""

    def __post_init__(self) -> None:
        """Make `pictures` absolute, because workers may run in another folder."""
        super().__post_init__()
        object.__setattr__(self, "pictures", str(Path(self.pictures).resolve()) if self.pictures else "")

    def annotation_files(self, split: str) -> tuple[str, ...]:
        """Return the places of the JSON of a split."""
        return (f"lvis_v1_{split}.json", f"annotations/lvis_v1_{split}.json")

    def picture_path(self, image: Mapping[str, Any], split: str) -> str:
        """Return the folder and name at the end of the URL of a picture."""
        url = PurePosixPath(image["coco_url"])
        return f"{url.parent.name}/{url.name}"

    def picture_root(self) -> Path:
        """Return the folder that holds the folders of pictures."""
        return Path(self.pictures) if self.pictures else self.root
