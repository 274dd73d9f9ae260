"""COCO: instances of 80 categories, as polygons or, for crowds, as RLE."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from .annotated_images import AnnotatedImages


@dataclass(frozen=True, kw_only=True)
class Coco(AnnotatedImages):
    """annotations/instances_{train,val}2017.json and train2017/*.jpg, val2017/*.jpg (or images/train2017/*.jpg and so
    on).

    year: 2014 for the other release. Crowds are instances that are marked so. Source: Lin et al., ECCV 2014.
    """

    name: ClassVar[str] = "coco"
    summary: ClassVar[str] = "COCO: 118,287 + 5,000 pictures with instances of 80 categories (instances or ids)"
    licence: ClassVar[str] = "annotations CC BY 4.0; each picture has its own licence, by its number in the JSON"
    picture_facts: ClassVar[tuple[str, ...]] = ("license", "flickr_url")

    year: int = 2017

    def annotation_files(self, split: str) -> tuple[str, ...]:
        """Return the place of the JSON of a split."""
        return (f"annotations/instances_{split}{self.year}.json",)

    def picture_path(self, image: Mapping[str, Any], split: str) -> str:
        """Return the path of a picture in the folder of its split."""
        folder = f"{split}{self.year}"
        if not (self.root / folder).is_dir() and (self.root / "images" / folder).is_dir():
            folder = f"images/{folder}"
        return f"{folder}/{image['file_name']}"

    def recipe_parameters(self) -> dict[str, Any]:
        """Return the options."""
        return super().recipe_parameters() | {"year": self.year}
