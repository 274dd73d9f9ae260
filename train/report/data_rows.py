"""What a run was trained on, with the digests that name it, and what of it is still where it was."""

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

from .run_record import RunRecord


class DataRow(NamedTuple):
    """One place of data. what: recipe, clips and frames, where known; note: what is no longer as it was, else ""."""

    place: str
    weight: float
    sha256: str
    what: str
    note: str


def data_rows(record: RunRecord) -> list[DataRow]:
    """One row a place, in the order of the run's --data."""
    digests = [entry.get("index_sha256") for entry in record.identity.get("data", [])]
    rows = []
    for number, entry in enumerate(record.config.get("data", [])):
        sha256 = digests[number] if number < len(digests) else None
        index, found = _index_at(entry["path"])
        known = {**(index if found == sha256 else {}), **entry}
        changed = found is not None and sha256 is not None and found != sha256
        rows.append(
            DataRow(
                place=str(entry["path"]),
                weight=float(entry.get("weight", 1.0)),
                sha256=sha256 or "no corpus: a folder of stills",
                what=_description(known),
                note="another corpus lies there now" if changed else "",
            )
        )
    return rows


def _index_at(place: str) -> tuple[dict[str, Any], str | None]:
    """The index of a corpus in a local folder and its digest; ({}, None) where there is none to be read."""
    path = Path(place) / "index.json"
    if "://" in place or not path.is_file():
        return {}, None
    content = path.read_bytes()
    return json.loads(content), hashlib.sha256(content).hexdigest()


def _description(known: dict[str, Any]) -> str:
    shards = known.get("shards", [])
    clips = known.get("num_clips") or sum(shard.get("clips", 0) for shard in shards if isinstance(shard, dict))
    frames = known.get("num_frames") or sum(shard.get("frames", 0) for shard in shards if isinstance(shard, dict))
    parts = [str(known[name]) for name in ("name", "recipe") if known.get(name)]
    parts += [f"{clips:,} clips"] if clips else []
    parts += [f"{frames:,} frames"] if frames else []
    return ", ".join(dict.fromkeys(parts))
