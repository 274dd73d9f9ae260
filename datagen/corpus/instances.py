"""Instances of a frame that overlap or are more than 254: the member `<key>.00000.instances.json`, masks as COCO RLE.

The member holds {"instances": [{"id", "category", "is_crowd", "rle": {"size": [H, W], "counts": text}, ...}]}; further
fields of an entry are facts of the source. pycocotools (the extra `coco`) codes the masks and is imported on first use.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .rle_runs import check_runs

_OWN_FIELDS = ("id", "category", "is_crowd", "rle")


@dataclass(frozen=True, kw_only=True)
class Instance:
    """One instance of a frame. Instances may overlap.

    id: positive, unique in the clip; the source's own where it has one. rle: {"size": [H, W], "counts": text}, COCO's
    compressed RLE; see `encode_rle`. details: further facts, JSON-like. A crowd (is_crowd) is a region of many objects
    that are not told apart; training ignores it.
    """

    id: int
    rle: Mapping[str, Any]
    category: str = ""
    is_crowd: bool = False
    details: Mapping[str, Any] = field(default_factory=dict)


def encode_rle(mask: np.ndarray) -> dict[str, Any]:
    """Return the COCO RLE of a mask, bool (H, W); ValueError for another type, or when pycocotools is missing."""
    if mask.dtype != np.bool_ or mask.ndim != 2:
        raise ValueError(f"a mask must be bool of shape (H, W), it is {mask.dtype} of shape {mask.shape}")
    rle = coco_mask().encode(np.asfortranarray(mask, np.uint8))
    return {"size": [int(length) for length in rle["size"]], "counts": rle["counts"].decode("ascii")}


def decode_rle(rle: Mapping[str, Any]) -> np.ndarray:
    """Return the mask of a COCO RLE, bool (H, W); ValueError when it is malformed."""
    try:
        check_runs(rle)
        height, width = rle["size"]
        return coco_mask().decode({"size": [height, width], "counts": rle["counts"].encode("ascii")}).astype(bool)
    except (KeyError, TypeError, AttributeError, UnicodeEncodeError) as error:
        raise ValueError(f"not a COCO RLE with size [H, W] and counts: {error!r}") from error


def rle_area(rle: Mapping[str, Any]) -> int:
    """Return the number of pixels of a COCO RLE without decoding it."""
    return int(coco_mask().area({"size": list(rle["size"]), "counts": rle["counts"].encode("ascii")}))


def encode_instances(instances: Sequence[Instance]) -> bytes:
    """Return the bytes of the member; ValueError names an id that is not positive or comes twice."""
    seen: set[int] = set()
    entries = []
    for instance in instances:
        if instance.id < 1 or instance.id in seen:
            raise ValueError(f"instance id {instance.id} is not positive or comes twice; ids must be unique in a frame")
        seen.add(instance.id)
        own = {
            "id": instance.id,
            "category": instance.category,
            "is_crowd": instance.is_crowd,
            "rle": dict(instance.rle),
        }
        entries.append({**instance.details, **own})
    return json.dumps({"instances": entries}, allow_nan=False, separators=(",", ":")).encode()


def decode_instances(content: bytes) -> list[Instance]:
    """Return the instances of a member; ValueError when the bytes are not such a member."""
    try:
        entries = json.loads(content)["instances"]
        return [
            Instance(
                **{name: entry[name] for name in _OWN_FIELDS},
                details={name: value for name, value in entry.items() if name not in _OWN_FIELDS},
            )
            for entry in entries
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{len(content)} bytes are not a list of instances: {error!r}") from error


def instance_masks(instances: Sequence[Instance], height: int, width: int) -> np.ndarray:
    """Return the masks of instances as bool (N, height, width); ValueError when one has another size."""
    masks = np.zeros((len(instances), height, width), bool)
    for mask, instance in zip(masks, instances, strict=True):
        if list(instance.rle["size"]) != [height, width]:
            raise ValueError(f"instance {instance.id} has size {instance.rle['size']}, expected {[height, width]}")
        mask[:] = decode_rle(instance.rle)
    return masks


def coco_mask() -> Any:
    """Return the module pycocotools.mask; ValueError says how to install it."""
    try:
        import pycocotools.mask
    except ImportError as error:
        raise ValueError("COCO RLE needs pycocotools; install vosforge[coco]") from error
    return pycocotools.mask
