"""Parts into shards and back: shards/clips-00000.tar, a tar for each pass, and then the manifest clips-00000.json."""

import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from ..corpus.clip_table import table_of, table_row
from ..corpus.shards import DamagedFile, clip_span, concatenate_tars, read_members
from ..storage.store import Store
from .parts import commit_part, part_name, remove_part, tars_of


def shard_name(number: int, pass_name: str | None = None) -> str:
    """Return the name of the tar of a shard, or of the tar of one of its passes."""
    return f"shards/clips-{number:05d}.{pass_name}.tar" if pass_name else f"shards/clips-{number:05d}.tar"


def shard_manifest_name(number: int) -> str:
    """Return the name of the manifest of a shard."""
    return f"shards/clips-{number:05d}.json"


def assemble_shard(store: Store, number: int, parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Join the parts with these manifests into shard `number` and return its manifest; the parts stay.

    The manifest: "tar", "bytes", "sha256", "clips", and with passes "passes": name -> "tar", "bytes", "sha256" and
    "clips", each with its "key", "offset" and "members". DamagedFile names a part whose bytes changed; that part is
    removed, so that the same command makes it again, and there is no shard.
    """
    # A stale manifest must not stand beside the new tars, nor an index that knows neither.
    store.remove("index.json", shard_manifest_name(number))
    try:
        main = [(part_name(part["key"]), part) for part in parts]
        manifest = concatenate_tars(store, shard_name(number), main)
        passes = {}
        for name in sorted({name for part in parts for name in part.get("passes", {})}):
            holders = [part for part in parts if name in part.get("passes", {})]
            own = [(part_name(part["key"], name), {"key": part["key"], **part["passes"][name]}) for part in holders]
            passes[name] = concatenate_tars(store, shard_name(number, name), own)
    except DamagedFile as error:
        for part in parts:
            if error.name in [f"parts/{tar}" for tar, _ in tars_of(part)]:
                remove_part(store, part)
        raise DamagedFile(f"{error}; it was removed, run the same command again", error.name) from error
    if passes:
        manifest["passes"] = passes
    store.write_json(shard_manifest_name(number), manifest)
    return manifest


def reopen_shard(store: Store, number: int) -> None:
    """Turn a shard back into parts, so that a clip that was missing can join it; every clip stays held by one.

    DamagedFile when bytes are not those that the manifest's checksums are of: new ones must not hide it.
    """
    manifest = store.read_json(shard_manifest_name(number))
    pass_clips: dict[str, dict[str, Mapping[str, Any]]] = {}
    for name, record in manifest.get("passes", {}).items():
        for clip in record["clips"]:
            pass_clips.setdefault(clip["key"], {})[name] = clip

    def members_of(tar: str, clip: Mapping[str, Any]) -> list[tuple[str, bytes]]:
        start, stop = clip_span(clip)
        members = read_members(store.read_range(tar, start, stop - start))
        for (name, content), crc32 in zip(members, clip.get("members_crc32") or [], strict=False):
            if zlib.crc32(content) != crc32:
                where = store.full_name(tar)
                raise DamagedFile(f"{where} changed since it was written: {name}; put its right bytes back", tar)
        return members

    parts = [(clip, members_of(shard_name(number), clip)) for clip in manifest["clips"]]
    store.remove("index.json")
    for clip, members in parts:
        key = clip["key"]
        passes = {name: members_of(shard_name(number, name), own) for name, own in pass_clips.get(key, {}).items()}
        commit_part(store, key, clip["index"], members, clip["statistics"], passes)
    store.remove(shard_manifest_name(number), *[f"shards/{tar}" for tar, _ in tars_of(manifest)])


def brief_manifest(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return a manifest without the members: those of 30,000 clips would fill the memory."""
    clips = [{"key": clip["key"], **table_row(clip)} for clip in manifest["clips"]]
    brief = {**manifest, "clips": clips}
    if "passes" in manifest:
        brief["passes"] = {
            name: {field: value for field, value in record.items() if field != "clips"}
            for name, record in manifest["passes"].items()
        }
    return brief


def index_entry(brief: Mapping[str, Any]) -> dict[str, Any]:
    """Return what index.json says of a shard."""
    clips = brief["clips"]
    entry = {
        "name": brief["tar"],
        "bytes": brief["bytes"],
        "sha256": brief["sha256"],
        "clips": len(clips),
        "frames": sum(clip["num_frames"] for clip in clips),
        "table": table_of(clips),
    }
    if "passes" in brief:
        entry["passes"] = {
            name: {"name": record["tar"], "bytes": record["bytes"], "sha256": record["sha256"]}
            for name, record in brief["passes"].items()
        }
    return entry
