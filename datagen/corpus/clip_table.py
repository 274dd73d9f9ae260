"""The table of clips in index.json: what is known of each clip without its manifest, so that opening reads one file.

One table a shard, in columns, in the order of the tar: see docs/corpus.md.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from .records import ClipEntry, clip_key
from .shards import clip_span

COLUMNS = ("index", "num_frames", "num_annotated", "width", "height", "offset", "bytes", "object_ids")


class ClipPlace(NamedTuple):
    """Where a clip lies: file name of its tar, the bytes [offset, offset + size) and how many frames have ids."""

    shard: str
    offset: int
    size: int
    num_annotated: int


def table_row(clip: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of a clip of a manifest of a shard."""
    start, stop = clip_span(clip)
    masks = sum(name.endswith(".png") for name, _, _ in clip["members"])
    known = {name: clip[name] for name in ("index", "num_frames", "width", "height", "object_ids")}
    return {**known, "num_annotated": masks, "offset": start, "bytes": stop - start}


def table_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Return the columns of the table of a shard."""
    return {column: [row[column] for row in rows] for column in COLUMNS}


def rows_of(table: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Return the rows of the table of a shard; KeyError or ValueError when columns are missing or differ in length."""
    columns = [table[column] for column in COLUMNS]
    return [dict(zip(COLUMNS, values, strict=True)) for values in zip(*columns, strict=True)]


def entry_and_place(
    name: str, shard: str, row: Mapping[str, Any], splits: Mapping[str, str]
) -> tuple[ClipEntry, ClipPlace]:
    """Return what a row says of a clip of the corpus `name`; splits: key -> split."""
    key = clip_key(name, row["index"])
    entry = ClipEntry(
        key=key,
        index=row["index"],
        num_frames=row["num_frames"],
        width=row["width"],
        height=row["height"],
        object_ids=tuple(row["object_ids"]),
        split=splits.get(key, ""),
    )
    return entry, ClipPlace(shard, row["offset"], row["bytes"], row["num_annotated"])
