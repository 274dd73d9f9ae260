"""Compare a corpus with what its index, its manifests and its metadata say."""

import hashlib
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .files import is_temporary, read_json
from .images import decode_ids, decode_jpeg
from .reader import NotACorpus
from .records import IGNORE_ID, SCHEMA_VERSION, check_clip, clip_key, ids_name, image_name
from .shards import read_members


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What is wrong, and with which file or clip of the corpus."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


def verify(root: Path, report_progress: Callable[[int, int], None] = lambda done, total: None) -> list[Problem]:
    """Return everything that is wrong with a corpus; an empty list says that it is whole.

    Checked: the size and SHA-256 of every shard, manifests against index, names, order and offsets of the members,
    that every picture and mask decodes to the stated size, ids, areas and boxes against the metadata, splits, counts.
    Clips that the index lists as missing are problems. report_progress(done, total) is called after each shard.

    Raises NotACorpus when the folder holds no index.json of a known schema.
    """
    root = Path(root)
    index = _read_index(root)
    found: list[Problem] = []
    keys: list[str] = []
    for number, shard in enumerate(index["shards"]):
        try:
            keys += _check_shard(root, index, shard, found)
        except (KeyError, IndexError, TypeError) as error:
            what = f"its manifest or metadata is malformed ({type(error).__name__}: {error})"
            found.append(Problem(where=f"shards/{shard['name']}", what=what))
        report_progress(number + 1, len(index["shards"]))
    _check_index(index, keys, found)
    _check_strangers(root, index, found)
    return found


def _read_index(root: Path) -> dict[str, Any]:
    path = root / "index.json"
    if not path.exists():
        raise NotACorpus(f"{root} holds no finished corpus: there is no {path.name}; give the folder of a corpus")
    try:
        index = read_json(path)
    except ValueError as error:
        raise NotACorpus(str(error)) from error
    if not isinstance(index, dict) or index.get("schema") != SCHEMA_VERSION:
        raise NotACorpus(f"{path} is not of schema {SCHEMA_VERSION}, the one this version reads")
    for field in ("name", "num_clips", "clips_per_shard", "val_every", "splits", "shards", "missing"):
        if field not in index:
            raise NotACorpus(f"{path} lacks the field {field!r}; run the command that made the corpus again")
    return index


def _check_shard(root: Path, index: dict[str, Any], shard: dict[str, Any], found: list[Problem]) -> list[str]:
    """Check one shard and return the keys that its manifest lists."""
    tar = root / "shards" / shard["name"]
    where = f"shards/{shard['name']}"
    manifest_where = where.removesuffix(".tar") + ".json"
    try:
        manifest = read_json(tar.with_suffix(".json"))
    except (FileNotFoundError, ValueError):
        found.append(Problem(where=manifest_where, what="is missing or not JSON"))
        return []
    clips = manifest["clips"]
    counts = {"clips": len(clips), "frames": sum(clip["num_frames"] for clip in clips)}
    for field, value in (counts | {name: manifest[name] for name in ("bytes", "sha256")}).items():
        if value != shard[field]:
            found.append(Problem(where=manifest_where, what=f"{field} is {value}, index.json says {shard[field]}"))
    keys = [clip["key"] for clip in clips]
    if not tar.exists():
        found.append(Problem(where=where, what="is missing"))
        return keys
    content = tar.read_bytes()
    if len(content) != shard["bytes"]:
        found.append(Problem(where=where, what=f"has {len(content)} bytes, index.json says {shard['bytes']}"))
    elif hashlib.sha256(content).hexdigest() != shard["sha256"]:
        found.append(Problem(where=where, what="its SHA-256 is not the one in index.json"))
    try:
        members = read_members(content)
    except tarfile.TarError as error:
        found.append(Problem(where=where, what=f"is not a readable tar: {error}"))
        return keys
    listed = [name for clip in clips for name, _, _ in clip["members"]]
    if [name for name, _ in members] != listed:
        found.append(Problem(where=where, what=f"holds {len(members)} members, not the {len(listed)} of its manifest"))
        return keys
    position, block = 0, int(tar.stem.rpartition("-")[2])
    for clip in clips:
        own = members[position : position + len(clip["members"])]
        position += len(own)
        if clip["index"] // index["clips_per_shard"] != block or clip["key"] != clip_key(index["name"], clip["index"]):
            found.append(Problem(where=f"{where}, {clip['key']}", what=f"index {clip['index']} does not belong here"))
        for (name, offset, size), (_, stored) in zip(clip["members"], own, strict=True):
            if content[offset : offset + size] != stored:
                found.append(Problem(where=f"{where}, {name}", what="its offset or size in the manifest is wrong"))
        _check_clip(where, clip, own, found)
    return keys


def _check_clip(shard: str, clip: dict[str, Any], members: list[tuple[str, bytes]], found: list[Problem]) -> None:
    where = f"{shard}, {clip['key']}"
    try:
        metadata = check_clip(clip["key"], clip["index"], members)
    except ValueError as error:
        found.append(Problem(where=where, what=str(error)))
        return
    object_ids = [entry["id"] for entry in metadata["objects"]]
    if sorted(object_ids) != sorted(clip["object_ids"]):
        found.append(
            Problem(where=where, what=f"manifest lists objects {clip['object_ids']}, metadata lists {object_ids}")
        )
    for field in ("num_frames", "width", "height"):
        if clip[field] != metadata[field]:
            found.append(Problem(where=where, what=f"{field} is {clip[field]}, its metadata says {metadata[field]}"))
    shape, contents = (metadata["height"], metadata["width"]), dict(members)
    for t in range(metadata["num_frames"]):
        for name, decode in ((image_name(clip["key"], t), decode_jpeg), (ids_name(clip["key"], t), decode_ids)):
            if name not in contents:
                continue
            try:
                picture = decode(contents[name])
            except ValueError as error:
                found.append(Problem(where=f"{shard}, {name}", what=str(error)))
                continue
            if picture.shape[:2] != shape:
                size = f"{picture.shape[1]}x{picture.shape[0]}"
                what = f"is {size} pixels, metadata says {shape[1]}x{shape[0]}"
                found.append(Problem(where=f"{shard}, {name}", what=what))
            elif decode is decode_ids:
                found += _compare_ids(f"{shard}, {name}", picture, t, metadata["objects"])


def _compare_ids(where: str, ids: np.ndarray, t: int, objects: list[dict[str, Any]]) -> list[Problem]:
    """Compare the ids of frame t with the objects of the metadata: ids, and area and box where given."""
    found = []
    areas = np.bincount(ids.ravel(), minlength=256)
    unknown = set(np.flatnonzero(areas).tolist()) - {0, IGNORE_ID} - {entry["id"] for entry in objects}
    if unknown:
        found.append(Problem(where=where, what=f"has ids {sorted(unknown)} that the metadata does not list"))
    for entry in objects:
        number, area = entry["id"], int(areas[entry["id"]])
        if "area" in entry and entry["area"][t] != area:
            found.append(
                Problem(where=where, what=f"object {number} covers {area} pixels, metadata says {entry['area'][t]}")
            )
        if "box" in entry:
            box = _box_of(ids == number) if area else None
            if entry["box"][t] != box:
                found.append(
                    Problem(where=where, what=f"object {number} fills box {box}, metadata says {entry['box'][t]}")
                )
    return found


def _box_of(inside: np.ndarray) -> list[int]:
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    return [int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1]


def _check_index(index: dict[str, Any], keys: list[str], found: list[Problem]) -> None:
    def complain(what: str) -> None:
        found.append(Problem(where="index.json", what=what))

    for entry in index["missing"]:
        found.append(Problem(where=entry["key"], what=f"is missing: {entry['reason']}"))
    repeated = sorted({key for key in keys if keys.count(key) > 1}) if len(set(keys)) != len(keys) else []
    if repeated:
        complain(f"the shards hold {repeated[0]} more than once")
    missing = {entry["key"] for entry in index["missing"]}
    expected = {clip_key(index["name"], number) for number in range(index["num_clips"])} - missing
    for absent in sorted(expected - set(keys))[:5]:
        complain(f"clip {absent} is in no shard and not listed as missing")
    for extra in sorted(set(keys) - expected)[:5]:
        complain(f"the shards hold {extra}, which is not one of the {index['num_clips']} clips")
    listed = [key for split in index["splits"].values() for key in split]
    if sorted(listed) != sorted(keys):
        complain(f"its splits list {len(listed)} clips, the shards hold {len(keys)}, or other ones")
    every = index["val_every"]
    held_out = {key for key in keys if every and int(key.rpartition("-")[2]) % every == every - 1}
    if set(index["splits"].get("val", ())) != held_out:
        complain(f'its split "val" is not the one that val_every = {every} makes')


def _check_strangers(root: Path, index: dict[str, Any], found: list[Problem]) -> None:
    known = {shard["name"] for shard in index["shards"]}
    known |= {name.removesuffix(".tar") + ".json" for name in known}
    for path in sorted((root / "shards").glob("*")) if (root / "shards").is_dir() else ():
        if path.name not in known:
            what = "is the rest of a write that was cut" if is_temporary(path) else "is not listed in index.json"
            found.append(Problem(where=f"shards/{path.name}", what=what))
    if (root / "parts").is_dir():
        for path in sorted((root / "parts").glob("*.json")):
            found.append(Problem(where=f"parts/{path.name}", what="is a clip that has not joined its shard"))
