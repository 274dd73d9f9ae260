"""Compare the passes of a shard with index, manifest and metadata."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..corpus.records import pass_members
from ..imaging.pass_table import STORED_PASSES, split_pass_member
from ..imaging.passes import decode_member
from ..storage.store import Store
from .tar import Problem, read_listed_members, read_tar


def check_passes_of_shard(
    store: Store,
    index: Mapping[str, Any],
    shard: Mapping[str, Any],
    manifest: Mapping[str, Any],
    metadata: Mapping[str, Mapping[str, Any]],
    found: list[Problem],
) -> None:
    """Add to `found` what is wrong with the passes of a shard.

    shard: its entry in index.json. metadata: key -> metadata of the clips whose metadata can be trusted. Checked: the
    table of passes, sizes and hashes, that every clip has every pass of the corpus with the right members in the right
    places, that they decode to the size of the clip, and that tracks fit the objects.
    """
    listed, records = shard.get("passes", {}), manifest.get("passes", {})
    for name in sorted(set(index.get("passes", {})) | set(listed) | set(records)):
        manifest_where = f"shards/{shard['name'].removesuffix('.tar')}.json"
        if not _is_known(name, index.get("passes", {}).get(name, {})):
            found.append(Problem(where="index.json", what=f"its description of the pass {name!r} is not the known one"))
        if name not in listed or name not in records:
            lacking = "index.json" if name not in listed else manifest_where
            what = f"pass {name!r} of shard {shard['name']} is not listed"
            found.append(Problem(where=lacking, what=what))
            continue
        for field in ("bytes", "sha256"):
            if records[name][field] != listed[name][field]:
                what = f"{field} of pass {name!r} is {records[name][field]}, index.json says {listed[name][field]}"
                found.append(Problem(where=manifest_where, what=what))
        if name in STORED_PASSES:
            _check_pass(store, name, listed[name], records[name], manifest, metadata, found)


def _is_known(name: str, described: Mapping[str, Any]) -> bool:
    # Not the texts: they may be worded better one day.
    known = STORED_PASSES[name].as_json() if name in STORED_PASSES else {}
    return bool(known) and all(described.get(field) == known[field] for field in ("members", "dtype", "scale", "zero"))


def _check_pass(
    store: Store,
    name: str,
    listed: Mapping[str, Any],
    record: Mapping[str, Any],
    manifest: Mapping[str, Any],
    metadata: Mapping[str, Mapping[str, Any]],
    found: list[Problem],
) -> None:
    where = f"shards/{listed['name']}"
    clips = {clip["key"]: clip for clip in record["clips"]}
    for clip in manifest["clips"]:
        if clip["key"] not in clips:
            found.append(Problem(where=where, what=f"lacks clip {clip['key']}"))
            continue
        names = [member for member, _, _ in clips[clip["key"]]["members"]]
        described = metadata.get(clip["key"])
        if described is not None and names != pass_members(name, clip["key"], described):
            found.append(Problem(where=f"{where}, {clip['key']}", what="its members are not those of the pass"))
    content = read_tar(store, where, listed, found)
    if content is None:
        return
    places = [member for clip in record["clips"] for member in clip["members"]]
    members = read_listed_members(where, content, places, found)
    for member, stored in members or ():
        described = metadata.get(member.partition(".")[0])
        if described is not None:
            what = _content_problem(member, stored, described)
            if what is not None:
                found.append(Problem(where=f"{where}, {member}", what=what))


def _content_problem(member: str, stored: bytes, metadata: Mapping[str, Any]) -> str | None:
    """Return what is wrong with a member, None when it decodes to the size that the metadata says."""
    object_ids = [entry["id"] for entry in metadata["objects"]]
    _, suffix = split_pass_member(member)
    try:
        values = decode_member(suffix, stored, object_ids)
    except ValueError as error:
        return str(error)
    if suffix == "tracks.npy":
        return _tracks_problem(values, metadata, object_ids)
    if suffix == "amodal.png":
        found = values.shape[1:]
    else:
        found = (values[0] if isinstance(values, tuple) else values).shape[:2]
    height, width = metadata["height"], metadata["width"]
    if found != (height, width):
        return f"is {found[1]}x{found[0]} pixels, metadata says {width}x{height}"
    return None


def _tracks_problem(tracks: np.ndarray, metadata: Mapping[str, Any], object_ids: list[int]) -> str | None:
    owners = metadata.get("tracks", {}).get("object_id")
    if owners is None or len(owners) != len(tracks):
        listed = "none" if owners is None else len(owners)
        return f'holds {len(tracks)} tracks, the metadata lists the objects of {listed} in "tracks"'
    if tracks.shape[1] != metadata["num_frames"]:
        return f"its tracks have {tracks.shape[1]} frames, the metadata says {metadata['num_frames']}"
    strangers = sorted(set(owners) - set(object_ids))
    if strangers:
        return f"the objects {strangers} of its tracks are not listed in the metadata"
    return None
