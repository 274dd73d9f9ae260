"""Masks of annotations in COCO's format: polygons and RLE to the compressed RLE of a corpus, and to ids."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...corpus.instances import Instance, coco_mask, decode_rle, rle_area
from ...corpus.records import IGNORE_ID
from ...corpus.rle_runs import check_runs, parse_runs

_MAX_OBJECTS = IGNORE_ID - 1
_LEAST_POLYGON = 6
"""Numbers of a triangle; what has fewer encloses nothing (and pycocotools takes 4 numbers for a box)."""


def encode_segmentation(segmentation: Any, height: int, width: int) -> dict[str, Any]:
    """Return {"size", "counts"} of the field "segmentation": polygons [[x, y, x, y, ...], ...] or an RLE.

    ValueError for a polygon that is no list of pairs or lies far outside the picture, and for an RLE of another size or
    one that does not fill it.
    """
    if isinstance(segmentation, list):
        return _encode_polygons(segmentation, height, width)
    if not isinstance(segmentation, dict) or not {"size", "counts"} <= segmentation.keys():
        raise ValueError("its segmentation is neither a list of polygons nor an RLE with size and counts")
    if segmentation["size"] != [height, width]:
        raise ValueError(f"its RLE has the size {segmentation['size']}, the picture {[height, width]}")
    rle = {"size": [height, width], "counts": segmentation["counts"]}
    check_runs(rle)
    if isinstance(rle["counts"], str):
        return rle
    return _as_text(coco_mask().frPyObjects({**rle, "counts": parse_runs(rle["counts"])}, height, width))


def resolve_ids(instances: Sequence[Instance], height: int, width: int) -> tuple[np.ndarray, dict[int, Instance]]:
    """Return (ids, id -> instance): uint8 (height, width), where instances overlap that of the smaller area on top.

    Ids count from 1 in the order of the instances. Crowds, and the smallest instances beyond 254, are ignore.
    """
    ids = np.zeros((height, width), np.uint8)
    by_area = sorted(instances, key=lambda instance: (not instance.is_crowd, -rle_area(instance.rle)))
    largest = [instance.id for instance in by_area if not instance.is_crowd][:_MAX_OBJECTS]
    numbered = dict(enumerate((instance for instance in instances if instance.id in set(largest)), start=1))
    number_of = {instance.id: number for number, instance in numbered.items()}
    for instance in by_area:
        ids[decode_rle(instance.rle)] = number_of.get(instance.id, IGNORE_ID)
    return ids, numbered


def _encode_polygons(polygons: list[Any], height: int, width: int) -> dict[str, Any]:
    reach = max(height, width)
    outlines = []
    for polygon in polygons:
        try:
            points = np.array(polygon, np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(f"a polygon of it is no list of numbers: {error}") from error
        if points.ndim != 1 or len(points) % 2:
            raise ValueError("a polygon of it is no list x, y, x, y, ...")
        if not np.isfinite(points).all() or (np.abs(points - reach / 2) > 1.5 * reach).any():
            raise ValueError(f"a polygon of it lies far outside the picture of {width} x {height}")
        if len(points) >= _LEAST_POLYGON:
            outlines.append(points.tolist())
    if not outlines:
        return _as_text(coco_mask().encode(np.zeros((height, width), np.uint8, order="F")))
    return _as_text(coco_mask().merge(coco_mask().frPyObjects(outlines, height, width)))


def _as_text(rle: dict[str, Any]) -> dict[str, Any]:
    return {"size": [int(length) for length in rle["size"]], "counts": rle["counts"].decode("ascii")}
