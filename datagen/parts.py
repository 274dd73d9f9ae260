"""One finished clip on the disk, waiting for its shard: parts/<key>.tar, and then its manifest parts/<key>.json."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .files import atomic_write_json, file_has_size, remove_files
from .records import check_clip
from .shards import write_hashed_tar


def commit_part(
    root: Path, key: str, index: int, members: Sequence[tuple[str, bytes]], statistics: Mapping[str, Any]
) -> dict[str, Any]:
    """Write one clip as a part of the corpus at `root` and return its manifest; callable from any process.

    members: (name, bytes) in tar order, as `expected_members` gives it, the metadata last. Committing the same clip
    again replaces it. Raises ValueError for members that do not fit the metadata and OSError, naming the file, when it
    cannot be written; then there is no part.
    """
    metadata = check_clip(key, index, members)
    tar, manifest = part_paths(Path(root), key)
    remove_files(manifest)
    placed, record = write_hashed_tar(tar, members)
    record |= {
        "key": key,
        "index": index,
        "num_frames": metadata["num_frames"],
        "width": metadata["width"],
        "height": metadata["height"],
        "object_ids": [entry["id"] for entry in metadata["objects"]],
        "offset": 0,
        "members": [list(member) for member in placed],
        "statistics": dict(statistics),
    }
    atomic_write_json(manifest, record)
    return record


def part_paths(root: Path, key: str) -> tuple[Path, Path]:
    """Return the paths of the tar and of the manifest of a part."""
    return root / f"parts/{key}.tar", root / f"parts/{key}.json"


def remove_part(root: Path, key: str) -> None:
    """Remove a part, its manifest first."""
    tar, manifest = part_paths(root, key)
    remove_files(manifest, tar)


def valid_manifest(tar: Path, manifest: Path) -> dict[str, Any] | None:
    """Return the manifest of a part or a shard, None unless it is there and the tar has the size that it says."""
    try:
        record = json.loads(manifest.read_text())
    except (FileNotFoundError, ValueError):
        return None
    return record if file_has_size(tar, record["bytes"]) else None
