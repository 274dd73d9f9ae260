"""Compare the pictures and ids of one clip with its metadata."""

from typing import Any

import numpy as np

from ..corpus.instances import decode_instances, instance_masks
from ..corpus.records import IGNORE_ID, check_clip, ids_name, image_name, instances_name
from ..imaging.images import decode_ids, decode_jpeg
from .tar import Problem


def check_clip_content(
    shard: str, clip: dict[str, Any], members: list[tuple[str, bytes]], found: list[Problem]
) -> dict[str, Any] | None:
    """Add to `found` what is wrong with a clip: its members, sizes, ids, areas and boxes; return its metadata."""
    where = f"{shard}, {clip['key']}"
    try:
        metadata = check_clip(clip["key"], clip["index"], members)
    except ValueError as error:
        found.append(Problem(where=where, what=str(error)))
        return None
    object_ids = [entry["id"] for entry in metadata["objects"]]
    if sorted(object_ids) != sorted(clip["object_ids"]):
        found.append(
            Problem(where=where, what=f"manifest lists objects {clip['object_ids']}, metadata lists {object_ids}")
        )
    for field in ("num_frames", "width", "height"):
        if clip[field] != metadata[field]:
            found.append(Problem(where=where, what=f"{field} is {clip[field]}, its metadata says {metadata[field]}"))
    shape, contents = (metadata["height"], metadata["width"]), dict(members)
    for t in range(metadata["num_frames"]):
        name = instances_name(clip["key"], t)
        if name in contents:
            found += _check_instances(f"{shard}, {name}", contents[name], shape)
        for name, decode in ((image_name(clip["key"], t), decode_jpeg), (ids_name(clip["key"], t), decode_ids)):
            if name not in contents:
                continue
            try:
                picture = decode(contents[name])
            except ValueError as error:
                found.append(Problem(where=f"{shard}, {name}", what=str(error)))
                continue
            if picture.shape[:2] != shape:
                size = f"{picture.shape[1]}x{picture.shape[0]}"
                what = f"is {size} pixels, metadata says {shape[1]}x{shape[0]}"
                found.append(Problem(where=f"{shard}, {name}", what=what))
            elif decode is decode_ids:
                found += _compare_ids(f"{shard}, {name}", picture, t, metadata["objects"])
    return metadata


def _check_instances(where: str, content: bytes, shape: tuple[int, int]) -> list[Problem]:
    """Decode the instances of a frame; shape: (H, W) of its picture."""
    try:
        instances = decode_instances(content)
        for instance in instances:
            instance_masks([instance], *shape)
    except ValueError as error:
        return [Problem(where=where, what=str(error))]
    return []


def _compare_ids(where: str, ids: np.ndarray, t: int, objects: list[dict[str, Any]]) -> list[Problem]:
    """Compare the ids of frame t with the objects of the metadata: ids, and area and box where given."""
    found = []
    areas = np.bincount(ids.ravel(), minlength=256)
    unknown = set(np.flatnonzero(areas).tolist()) - {0, IGNORE_ID} - {entry["id"] for entry in objects}
    if unknown:
        found.append(Problem(where=where, what=f"has ids {sorted(unknown)} that the metadata does not list"))
    for entry in objects:
        number, area = entry["id"], int(areas[entry["id"]])
        if "area" in entry and entry["area"][t] != area:
            found.append(
                Problem(where=where, what=f"object {number} covers {area} pixels, metadata says {entry['area'][t]}")
            )
        if "box" in entry:
            box = _box_of(ids == number) if area else None
            if entry["box"][t] != box:
                found.append(
                    Problem(where=where, what=f"object {number} fills box {box}, metadata says {entry['box'][t]}")
                )
    return found


def _box_of(inside: np.ndarray) -> list[int]:
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    return [int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1]
