"""The frames of a source as members of a corpus: pictures, ids or instances, and what is counted on the way."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ..corpus.instances import Instance, decode_rle, encode_instances, encode_rle, rle_area
from ..corpus.records import IGNORE_ID, ids_name, image_name, instances_name
from ..imaging.images import encode_palette_png
from .picture import reduce_ids, store_picture
from .source import FrameContent


class PackedFrames:
    """The frames of one clip, added in their order.

    key: of the clip. short_side: see `picture.store_picture`. `members`: (name, bytes) in tar order; `names`: of the
    frames in the source; `size`, `source_size`: (width, height) in pixels, stored and before it was reduced;
    `unannotated`, `with_instances`: numbers of frames; `num_encoded`: pictures that are not the bytes of their file.
    """

    def __init__(self, key: str, short_side: int) -> None:
        self.key, self.short_side = key, short_side
        self.members: list[tuple[str, bytes]] = []
        self.names: list[str] = []
        self.unannotated: list[int] = []
        self.with_instances: list[int] = []
        self.size = self.source_size = (0, 0)
        self.num_instances = self.num_encoded = 0
        self._seen: list[dict[int, tuple[int, list[int]]] | None] = []

    def add(self, frame: FrameContent) -> None:
        """Store one frame; ValueError names its file when it is broken or of another size than its mask or clip."""
        t, where = len(self.names), frame.file or f"frame {frame.name}"
        mask_size = _mask_size(frame, where)
        try:
            picture = store_picture(frame.picture, self.short_side, mask_size)
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from error
        if mask_size not in (None, picture.source_size):
            raise ValueError(f"{where} has {_shown(picture.source_size)} pixels, its mask {_shown(mask_size)}")
        if t and picture.source_size != self.source_size:
            what = f"has {_shown(picture.source_size)} pixels, the frames before it {_shown(self.source_size)}"
            raise ValueError(f"{where} {what}; the frames of a clip must have one size")
        self.size, self.source_size = picture.size, picture.source_size
        self.names.append(frame.name)
        self.num_encoded += not picture.is_original
        self.members.append((image_name(self.key, t), picture.jpeg))
        self._seen.append(None)
        if frame.ids is not None:
            ids = reduce_ids(frame.ids, *self.size)
            self._seen[t] = _areas_and_boxes(ids)
            self.members.append((ids_name(self.key, t), encode_palette_png(ids)))
        elif frame.instances is not None:
            instances = [reduced for one in frame.instances if (reduced := _reduced(one, self.size)) is not None]
            self.num_instances += len(instances)
            self.with_instances.append(t)
            self.members.append((instances_name(self.key, t), encode_instances(instances)))
        else:
            self.unannotated.append(t)

    def objects(self, facts: Mapping[int, Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Return the objects of the masks: id, what the source knows, area and box per frame (None: no mask there)."""
        ids = sorted({number for seen in self._seen if seen for number in seen})
        objects = []
        for number in ids:
            found = [None if seen is None else seen.get(number, (0, None)) for seen in self._seen]
            area = [None if entry is None else entry[0] for entry in found]
            box = [None if entry is None else entry[1] for entry in found]
            objects.append({**facts.get(number, {}), "id": number, "area": area, "box": box})
        return objects


def _mask_size(frame: FrameContent, where: str) -> tuple[int, int] | None:
    """(width, height) of the ids or instances of a frame, None without; ValueError when they are malformed."""
    if frame.ids is not None:
        if frame.ids.dtype != np.uint8 or frame.ids.ndim != 2:
            shape = frame.ids.shape
            raise ValueError(f"{where}: ids must be uint8 of shape (H, W), they are {frame.ids.dtype} of shape {shape}")
        return frame.ids.shape[1], frame.ids.shape[0]
    sizes = {tuple(instance.rle["size"][::-1]) for instance in frame.instances or ()}
    if len(sizes) > 1:
        raise ValueError(f"{where}: its instances have several sizes: {', '.join(map(_shown, sorted(sizes)))}")
    return sizes.pop() if sizes else None


def _reduced(instance: Instance, size: tuple[int, int]) -> Instance | None:
    """The instance at another size, None when nothing of it is left."""
    width, height = size
    if list(instance.rle["size"]) == [height, width]:
        return instance if rle_area(instance.rle) else None
    mask = reduce_ids(decode_rle(instance.rle).astype(np.uint8), width, height).astype(bool)
    return replace(instance, rle=encode_rle(mask)) if mask.any() else None


def _areas_and_boxes(ids: np.ndarray) -> dict[int, tuple[int, list[int]]]:
    """Object id -> its pixels and its box [x0, y0, x1, y1], maxima exclusive."""
    areas = np.bincount(ids.ravel(), minlength=256)
    found = {}
    for number in np.flatnonzero(areas[1:IGNORE_ID]) + 1:
        inside = ids == number
        rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
        box = [int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1]
        found[int(number)] = (int(areas[number]), box)
    return found


def _shown(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
