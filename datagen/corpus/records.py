"""The names in a corpus: clip keys, members of a shard, and what is known of each clip."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..imaging.pass_table import SOFT_MASKS, expected_pass_members
from .soft_masks import expected_soft_masks

SCHEMA_VERSION = 1
IGNORE_ID = 255
KEY_PATTERN = re.compile(r"[a-z0-9_-]+")


class Member(NamedTuple):
    """One file in a tar: its name, the byte offset of its data (not of its header) and its size in bytes."""

    name: str
    offset: int
    size: int


@dataclass(frozen=True, kw_only=True)
class ClipEntry:
    """One clip of a finished corpus; `split` is "train" or "val"."""

    key: str
    index: int
    num_frames: int
    width: int
    height: int
    object_ids: tuple[int, ...]
    split: str


def check_name(name: str) -> str:
    """Return `name` if it can be part of a key, else raise ValueError (a dot would merge samples in webdataset)."""
    if not KEY_PATTERN.fullmatch(name):
        raise ValueError(f"name {name!r} is not allowed: use lower-case letters, digits, '-' and '_' only")
    return name


def clip_key(name: str, index: int) -> str:
    """Return the key of clip `index` of the corpus `name`, e.g. `bl30k-000123`."""
    return f"{check_name(name)}-{index:06d}"


def image_name(key: str, t: int) -> str:
    """Return the member name of the picture of frame t."""
    return f"{key}.{t:05d}.jpg"


def ids_name(key: str, t: int) -> str:
    """Return the member name of the object ids of frame t."""
    return f"{key}.{t:05d}.png"


def instances_name(key: str, t: int) -> str:
    """Return the member name of the instances of frame t, which stand in place of ids; see instances.py."""
    return f"{key}.{t:05d}.instances.json"


def metadata_name(key: str) -> str:
    """Return the member name of the metadata of a clip."""
    return f"{key}.json"


def expected_members(key: str, metadata: dict[str, Any]) -> list[str]:
    """Return the member names of a clip in tar order, as its metadata demands them.

    Each picture is directly followed by its ids, so that one read fetches both; frames listed in `instance_frames` have
    instances in place of ids, those listed in `unannotated_frames` neither; the metadata comes last.
    """
    unannotated = set(metadata.get("unannotated_frames", ()))
    with_instances = set(metadata.get("instance_frames", ()))
    names = []
    for t in range(metadata["num_frames"]):
        names.append(image_name(key, t))
        if t in with_instances:
            names.append(instances_name(key, t))
        elif t not in unannotated:
            names.append(ids_name(key, t))
    return [*names, metadata_name(key)]


def check_clip(key: str, index: int, members: Sequence[tuple[str, bytes]]) -> dict[str, Any]:
    """Return the metadata of a clip after comparing it with the clip's members.

    Raises ValueError that names the key and the first difference: a bad key, no metadata at the end, metadata of
    another clip, a missing field, or members that are not those the metadata demands.
    """
    check_name(key)
    if not members or members[-1][0] != metadata_name(key):
        last = members[-1][0] if members else "nothing"
        raise ValueError(f"clip {key}: the last member must be {metadata_name(key)}, it is {last}")
    metadata = json.loads(members[-1][1])
    for field in ("key", "index", "num_frames", "width", "height", "objects"):
        if field not in metadata:
            raise ValueError(f"clip {key}: {metadata_name(key)} lacks the field {field!r}")
    if (metadata["key"], metadata["index"]) != (key, index):
        raise ValueError(
            f"clip {key}: {metadata_name(key)} belongs to key {metadata['key']!r}, index {metadata['index']}, "
            f"expected key {key!r}, index {index}"
        )
    if metadata["num_frames"] < 1:
        raise ValueError(f"clip {key}: num_frames is {metadata['num_frames']}, it must be at least 1")
    _compare_names(f"clip {key}", [name for name, _ in members], expected_members(key, metadata))
    return metadata


def check_passes(key: str, metadata: Mapping[str, Any], passes: Mapping[str, Sequence[tuple[str, bytes]]]) -> None:
    """Compare the members of each pass of a clip with those that the pass must have; ValueError names a difference."""
    for name, members in passes.items():
        expected = pass_members(name, key, metadata)
        _compare_names(f"clip {key}, pass {name}", [member for member, _ in members], expected)


def pass_members(pass_name: str, key: str, metadata: Mapping[str, Any]) -> list[str]:
    """Return the member names of a clip in the tar of a pass, as its metadata demands them."""
    if pass_name == SOFT_MASKS.name:
        return expected_soft_masks(key, metadata)
    return expected_pass_members(pass_name, key, metadata["num_frames"])


def _compare_names(where: str, names: Sequence[str], expected: Sequence[str]) -> None:
    if list(names) == list(expected):
        return
    position = next((i for i, (a, b) in enumerate(zip(names, expected, strict=False)) if a != b), len(expected))
    raise ValueError(
        f"{where}: {len(names)} members, {len(expected)} expected; the first difference is member {position}: "
        f"{names[position] if position < len(names) else 'nothing'} instead of "
        f"{expected[position] if position < len(expected) else 'nothing'}"
    )
