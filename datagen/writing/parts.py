"""One finished clip, waiting for its shard: parts/<key>.tar, a tar for each pass, and then its manifest <key>.json."""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..corpus.records import check_clip, check_passes
from ..corpus.shards import write_hashed_tar
from ..storage.store import Store, open_store


def commit_part(
    root: Path | str | Store,
    key: str,
    index: int,
    members: Sequence[tuple[str, bytes]],
    statistics: Mapping[str, Any],
    passes: Mapping[str, Sequence[tuple[str, bytes]]] | None = None,
) -> dict[str, Any]:
    """Write one clip as a part of the corpus at `root` and return its manifest; callable from any process.

    members: (name, bytes) in tar order, as `expected_members` gives it, the metadata last. passes: name of a pass ->
    its members, as `records.pass_members` gives them. Committing the same clip again replaces it. Raises ValueError
    for members that do not fit the metadata and OSError, naming the file, when it cannot be written; then there is no
    part.
    """
    metadata, passes = check_clip(key, index, members), passes or {}
    check_passes(key, metadata, passes)
    store = open_store(root)
    store.remove(manifest_name(key))
    pass_records = {name: _write_tar(store, part_name(key, name), passes[name]) for name in sorted(passes)}
    main = _write_tar(store, part_name(key), members)
    record = {
        **{name: main[name] for name in ("tar", "bytes", "sha256")},
        "key": key,
        "index": index,
        "num_frames": metadata["num_frames"],
        "width": metadata["width"],
        "height": metadata["height"],
        "object_ids": [entry["id"] for entry in metadata["objects"]],
        "offset": main["offset"],
        "members": main["members"],
        "members_crc32": main["members_crc32"],
        "statistics": dict(statistics),
    }
    if pass_records:
        record["passes"] = pass_records
    store.write_json(manifest_name(key), record)
    return record


def part_name(key: str, pass_name: str | None = None) -> str:
    """Return the name of the tar of a part, or of the tar of one of its passes."""
    return f"parts/{key}.{pass_name}.tar" if pass_name else f"parts/{key}.tar"


def manifest_name(key: str) -> str:
    """Return the name of the manifest of a part."""
    return f"parts/{key}.json"


def key_of_part(name: str) -> str:
    """Return the key of the clip to which a file of `parts/` belongs."""
    return name.rpartition("/")[2].partition(".")[0]


def remove_part(store: Store, manifest: Mapping[str, Any]) -> None:
    """Remove the part with this manifest; the manifest goes first."""
    store.remove(manifest_name(manifest["key"]), *[f"parts/{tar}" for tar, _ in tars_of(manifest)])


def valid_manifest(store: Store, name: str, sizes: Mapping[str, int] | None = None) -> dict[str, Any] | None:
    """Return the manifest of a part or a shard, None unless it is there and all its tars have the sizes it says.

    sizes: a listing of the folder, to spare a request for each file.
    """
    folder, _, file_name = name.rpartition("/")
    if sizes is not None and file_name not in sizes:
        return None
    try:
        record = store.read_json(name)
    except (FileNotFoundError, ValueError):
        return None
    found = {tar: store.size(f"{folder}/{tar}") for tar, _ in tars_of(record)} if sizes is None else sizes
    return record if all(found.get(tar) == size for tar, size in tars_of(record)) else None


def tars_of(manifest: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """Yield (file name, bytes) of the tars of a manifest, those of its passes after the main one."""
    for record in (manifest, *manifest.get("passes", {}).values()):
        yield record["tar"], record["bytes"]


def _write_tar(store: Store, name: str, members: Sequence[tuple[str, bytes]]) -> dict[str, Any]:
    placed, record = write_hashed_tar(store, name, members)
    checksums = [zlib.crc32(content) for _, content in members]
    return {**record, "offset": 0, "members": [list(member) for member in placed], "members_crc32": checksums}
