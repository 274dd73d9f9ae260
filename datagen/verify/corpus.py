"""Compare a corpus with what its index, its manifests and its metadata say."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..corpus.description import is_held_out
from ..corpus.reader import NotACorpus, tar_sizes
from ..corpus.records import SCHEMA_VERSION, clip_key
from ..storage.files import is_temporary
from ..storage.store import Store, open_store
from .checksums import check_checksums, check_table
from .clip import check_clip_content
from .passes import check_passes_of_shard
from .tar import Problem, read_listed_members, read_tar

__all__ = ["Problem", "verify"]


def verify(
    root: Path | str | Store, report_progress: Callable[[int, int], None] = lambda done, total: None
) -> list[Problem]:
    """Return everything that is wrong with a corpus; an empty list says that it is whole.

    Checked: the size and SHA-256 of every shard, manifests against index, names, order and offsets of the members and
    the checksums that readers use, that every picture and mask decodes to the stated size, ids, areas and boxes against
    the metadata, splits, counts; the passes likewise. Clips that the index lists as missing are problems.
    report_progress(done, total) is called after each shard.

    Raises NotACorpus when there is no index.json of a known schema.
    """
    store = open_store(root)
    index = _read_index(store)
    found: list[Problem] = []
    keys: list[str] = []
    for number, shard in enumerate(index["shards"]):
        try:
            keys += _check_shard(store, index, shard, found)
        except (KeyError, IndexError, TypeError) as error:
            what = f"its manifest or metadata is malformed ({type(error).__name__}: {error})"
            found.append(Problem(where=f"shards/{shard['name']}", what=what))
        report_progress(number + 1, len(index["shards"]))
    _check_index(index, keys, found)
    _check_strangers(store, index, found)
    return found


def _read_index(store: Store) -> dict[str, Any]:
    path = store.full_name("index.json")
    if store.size("index.json") is None:
        raise NotACorpus(f"{store.url} holds no finished corpus: no index.json; give the folder or URL of a corpus")
    try:
        index = store.read_json("index.json")
    except ValueError as error:
        raise NotACorpus(str(error)) from error
    if not isinstance(index, dict) or index.get("schema") != SCHEMA_VERSION:
        raise NotACorpus(f"{path} is not of schema {SCHEMA_VERSION}, the one this version reads")
    for field in ("name", "num_clips", "clips_per_shard", "val_every", "splits", "shards", "missing"):
        if field not in index:
            raise NotACorpus(f"{path} lacks the field {field!r}; run the command that made the corpus again")
    return index


def _check_shard(store: Store, index: dict[str, Any], shard: dict[str, Any], found: list[Problem]) -> list[str]:
    """Check one shard and return the keys that its manifest lists."""
    where = f"shards/{shard['name']}"
    manifest_where = where.removesuffix(".tar") + ".json"
    try:
        manifest = store.read_json(manifest_where)
    except (FileNotFoundError, ValueError):
        found.append(Problem(where=manifest_where, what="is missing or not JSON"))
        return []
    clips = manifest["clips"]
    counts = {"clips": len(clips), "frames": sum(clip["num_frames"] for clip in clips)}
    for field, value in (counts | {name: manifest[name] for name in ("bytes", "sha256")}).items():
        if value != shard[field]:
            found.append(Problem(where=manifest_where, what=f"{field} is {value}, index.json says {shard[field]}"))
    check_table(manifest_where, shard, clips, found)
    keys = [clip["key"] for clip in clips]
    metadata: dict[str, dict[str, Any]] = {}
    content = read_tar(store, where, shard, found)
    if content is not None:
        listed = [member for clip in clips for member in clip["members"]]
        members = read_listed_members(where, content, listed, found)
        if members is not None:
            check_checksums(where, content, clips, found)
            metadata = _check_clips(where, index, clips, members, found)
    check_passes_of_shard(store, index, shard, manifest, metadata, found)
    return keys


def _check_clips(
    where: str,
    index: dict[str, Any],
    clips: list[dict[str, Any]],
    members: list[tuple[str, bytes]],
    found: list[Problem],
) -> dict[str, dict[str, Any]]:
    """Check the clips of a shard and return the metadata of those that have one."""
    metadata = {}
    position, block = 0, int(where.removesuffix(".tar").rpartition("-")[2])
    for clip in clips:
        own = members[position : position + len(clip["members"])]
        position += len(own)
        if clip["index"] // index["clips_per_shard"] != block or clip["key"] != clip_key(index["name"], clip["index"]):
            found.append(Problem(where=f"{where}, {clip['key']}", what=f"index {clip['index']} does not belong here"))
        content = check_clip_content(where, clip, own, found)
        if content is not None:
            metadata[clip["key"]] = content
    return metadata


def _check_index(index: dict[str, Any], keys: list[str], found: list[Problem]) -> None:
    def complain(what: str) -> None:
        found.append(Problem(where="index.json", what=what))

    for entry in index["missing"]:
        found.append(Problem(where=entry["key"], what=f"is missing: {entry['reason']}"))
    repeated = sorted(key for key, count in Counter(keys).items() if count > 1)
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
    every, num_train = index["val_every"], index.get("num_train")
    held_out = {key for key in keys if is_held_out(int(key.rpartition("-")[2]), every, num_train)}
    if set(index["splits"].get("val", ())) != held_out:
        rule = f"val_every = {every}" if num_train is None else f"num_train = {num_train}"
        complain(f'its split "val" is not the one that {rule} makes')


def _check_strangers(store: Store, index: dict[str, Any], found: list[Problem]) -> None:
    known = set(tar_sizes(index)) | {shard["name"].removesuffix(".tar") + ".json" for shard in index["shards"]}
    for name in store.names("shards"):
        if name not in known:
            found.append(Problem(where=f"shards/{name}", what="is not listed in index.json"))
    folder = store.local_path("shards")
    for path in sorted(folder.iterdir()) if folder is not None and folder.is_dir() else ():
        if is_temporary(path):
            found.append(Problem(where=f"shards/{path.name}", what="is the rest of a write that was cut"))
    for name in store.names("parts"):
        if name.endswith(".json"):
            found.append(Problem(where=f"parts/{name}", what="is a clip that has not joined its shard"))
