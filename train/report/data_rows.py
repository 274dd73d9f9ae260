"""What a run was trained on, with the digests that name it, and what of it is still where it was."""

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

from ...datagen.compositing.still_folder import StillFolder
from ..run_identity import FINGERPRINT
from .run_record import RunRecord

_BROKEN = "its index.json cannot be read: it is damaged"


class DataRow(NamedTuple):
    """One place of data. what: recipe, clips and frames, where known; note: what is no longer as it was, else ""."""

    place: str
    weight: float
    sha256: str
    what: str
    note: str


def data_rows(record: RunRecord) -> list[DataRow]:
    """One row a place, in the order of the run's --data."""
    identities = record.identity.get("data", [])
    rows = []
    for number, entry in enumerate(record.config.get("data", [])):
        identity = identities[number] if number < len(identities) else {}
        sha256, stills = identity.get("index_sha256"), identity.get(FINGERPRINT)
        index, found = _index_at(entry["path"])
        known = {**(index if index and found == sha256 else {}), **entry}
        changed = found is not None and sha256 is not None and found != sha256
        rows.append(
            DataRow(
                place=str(entry["path"]),
                weight=float(entry.get("weight", 1.0)),
                sha256=sha256 or f"a folder of stills, fingerprint {stills or 'not known'}",
                what=_description(known),
                note=_stills_note(entry["path"], stills)
                or (_BROKEN if index is None else "another corpus lies there now" if changed else ""),
            )
        )
    return rows


def _stills_note(place: str, fingerprint: str | None) -> str:
    if fingerprint is None or not Path(place).is_dir():
        return ""
    try:
        found = StillFolder(place).fingerprint()
    except ValueError:
        found = None
    return "" if found == fingerprint else "other pictures or masks lie there now"


def _index_at(place: str) -> tuple[dict[str, Any] | None, str | None]:
    """The index of a corpus in a local folder and its digest; ({}, None) where there is none, (None, ...) if broken."""
    path = Path(place) / "index.json"
    if "://" in place or not path.is_file():
        return {}, None
    try:
        content = path.read_bytes()
    except OSError:
        return None, None
    digest = hashlib.sha256(content).hexdigest()
    try:
        index = json.loads(content)
    except ValueError:
        return None, digest
    return index if isinstance(index, dict) else None, digest


def _description(known: dict[str, Any]) -> str:
    shards = known.get("shards", [])
    clips = known.get("num_clips") or sum(shard.get("clips", 0) for shard in shards if isinstance(shard, dict))
    frames = known.get("num_frames") or sum(shard.get("frames", 0) for shard in shards if isinstance(shard, dict))
    parts = [str(known[name]) for name in ("name", "recipe") if known.get(name)]
    parts += [f"{clips:,} clips"] if clips else []
    parts += [f"{frames:,} frames"] if frames else []
    return ", ".join(dict.fromkeys(parts))
