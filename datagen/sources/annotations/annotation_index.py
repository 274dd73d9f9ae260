"""Where the annotations of each image lie in a JSON file of COCO's format, and its images and categories."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..source import SourceLayoutError
from .json_members import ArrayElement, scan_arrays

_ARRAYS = ("images", "annotations", "categories")
_LONGEST_SIDE = 65535


class AnnotationIndex:
    """One JSON file, gone through once. ValueError or SourceLayoutError say what in it is not as in COCO.

    `images`: id -> the image as the file has it. `places`: id of an image -> offset, size, offset, size, ... of its
    annotations in the file, those below `min_area` (crowds apart) left out.
    """

    def __init__(self, path: Path, min_area: float) -> None:
        self.path, self._min_area = path, min_area
        self.images: dict[int, dict[str, Any]] = {}
        self.places: dict[int, list[int]] = {}
        self._categories: dict[int, str] = {}
        self._used: dict[int, set[int]] = {}
        self._with_object: set[int] = set()
        found = set()
        for element in scan_arrays(path, _ARRAYS):
            found.add(element.array)
            try:
                self._add(element)
            except (KeyError, TypeError, ValueError) as error:
                raise ValueError(
                    f"{path}: the element of {element.array!r} at byte {element.offset} is not as in COCO: {error!r}"
                ) from error
        if found != set(_ARRAYS):
            absent = ", ".join(name for name in _ARRAYS if name not in found)
            raise SourceLayoutError(
                f"{path} has no elements of {absent}; a file of instances in COCO's format is expected"
            )
        unknown = sorted(self.places.keys() - self.images.keys())
        if unknown:
            raise ValueError(f"{path} has annotations of the image {unknown[0]}, which is not among its images")

    def annotated(self) -> list[int]:
        """Return the ids of the images with at least one object."""
        return sorted(self._with_object)

    def checked(self, image_id: int, get: Callable[[Mapping[str, Any]], Any]) -> Any:
        """Return `get` of an image; ValueError names the image and the field that it lacks."""
        try:
            return get(self.images[image_id])
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{self.path}: the image {image_id} is not as in COCO: {error!r}") from error

    def side(self, image_id: int, name: str) -> int:
        """Return the height or width of an image, which must be one that a picture can have.

        Masks of this size are made before the picture is opened.
        """
        pixels = self.checked(image_id, lambda image: image[name])
        if not isinstance(pixels, int) or not 1 <= pixels <= _LONGEST_SIDE:
            what = f"its {name} is {pixels!r}, it must be 1 to {_LONGEST_SIDE} pixels"
            raise ValueError(f"{self.path}: the image {image_id} is not as in COCO: {what}")
        return pixels

    def categories_of(self, image_id: int) -> dict[str, str]:
        """Return the names of the categories of an image, by their number as text (as JSON has it)."""
        unknown = self._used[image_id] - self._categories.keys()
        if unknown:
            raise ValueError(f"{self.path}: the image {image_id} has category {min(unknown)}, which has no name")
        return {str(number): self._categories[number] for number in sorted(self._used[image_id])}

    def _add(self, element: ArrayElement) -> None:
        value = element.value
        if element.array == "images":
            if value["id"] in self.images:
                raise ValueError(f"the id {value['id']} comes twice")
            self.images[value["id"]] = value
        elif element.array == "categories":
            self._categories[value["id"]] = value["name"]
        else:
            image_id, is_crowd = value["image_id"], bool(value.get("iscrowd", 0))
            if not is_crowd and self._min_area and value["area"] < self._min_area:
                return
            self.places.setdefault(image_id, []).extend((element.offset, element.size))
            self._used.setdefault(image_id, set()).add(value["category_id"])
            if not is_crowd:
                self._with_object.add(image_id)
