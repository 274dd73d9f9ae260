"""Compare what readers take from index and manifests without reading a shard with the bytes of the shard."""

import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from ..corpus.clip_table import table_of, table_row
from .tar import Problem


def check_checksums(where: str, content: bytes, clips: Sequence[Mapping[str, Any]], found: list[Problem]) -> None:
    """Add to `found` the members of a tar whose CRC-32 in the manifest is wrong.

    clips: those of the manifest; corpora made before checksums were recorded have none.
    """
    for clip in clips:
        checksums = clip.get("members_crc32")
        if checksums is None:
            continue
        if len(checksums) != len(clip["members"]):
            what = f"the manifest has {len(checksums)} checksums for {len(clip['members'])} members"
            found.append(Problem(where=f"{where}, {clip['key']}", what=what))
        for (name, offset, size), checksum in zip(clip["members"], checksums, strict=False):
            if zlib.crc32(content[offset : offset + size]) != checksum:
                what = "the checksum in the manifest is not that of its bytes"
                found.append(Problem(where=f"{where}, {name}", what=what))


def check_table(where: str, shard: Mapping[str, Any], clips: Sequence[dict[str, Any]], found: list[Problem]) -> None:
    """Add to `found` a table of clips in index.json that is not the one of the manifest; old corpora have none."""
    if "table" in shard and shard["table"] != table_of([table_row(clip) for clip in clips]):
        found.append(Problem(where=where, what="the table of its clips in index.json differs from it"))
