"""Where the members of clips lie in their tars, from manifests that are read when they are first needed."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..storage.store import Store
from .records import ids_name, image_name, instances_name, metadata_name
from .shards import DamagedFile

# Columns of the table of frames. A size of 0 says that the frame has no ids, a CRC-32 of 0 that it was not recorded.
RGB_OFFSET, RGB_SIZE, RGB_CRC32, IDS_OFFSET, IDS_SIZE, IDS_CRC32 = range(6)
_MANIFESTS_AT_ONCE = 64


class MemberPlace(NamedTuple):
    """Offset and size in bytes of the data of one member, and its CRC-32; 0 where it was not recorded."""

    offset: int
    size: int
    crc32: int


class ClipMembers(NamedTuple):
    """Where the members of one clip lie; `frames`: unsigned int (F, 6), the columns above; `instances`: by frame."""

    frames: np.ndarray
    metadata: MemberPlace
    instances: Mapping[int, MemberPlace]

    def checksums(self, key: str) -> dict[str, int]:
        """Return member name -> CRC-32 of metadata, pictures and ids of this clip, as far as they were recorded."""
        found = {metadata_name(key): self.metadata.crc32}
        found |= {image_name(key, t): int(crc32) for t, crc32 in enumerate(self.frames[:, RGB_CRC32])}
        annotated = np.flatnonzero(self.frames[:, IDS_SIZE]).tolist()
        found |= {ids_name(key, t): int(self.frames[t, IDS_CRC32]) for t in annotated}
        found |= {instances_name(key, t): place.crc32 for t, place in self.instances.items()}
        return {name: crc32 for name, crc32 in found.items() if crc32}


class Manifests:
    """The manifests of the shards that an index lists, compared with it when they are read."""

    def __init__(self, store: Store, shards: Sequence[Mapping[str, Any]]) -> None:
        self._store, self._shards = store, {shard["name"]: shard for shard in shards}

    def read(self, shard: str) -> dict[str, Any]:
        """Return the manifest of a shard; DamagedFile when it is missing, not JSON or of another shard."""
        name = manifest_of(shard)
        try:
            return self._checked(shard, name, self._store.read_bytes(name))
        except FileNotFoundError:
            raise _missing(self._store, name) from None

    def read_all(self, shards: Sequence[str]) -> list[dict[str, Any] | DamagedFile]:
        """Return the manifests of several shards, in their order, or what is wrong with one in its place."""
        found: list[dict[str, Any] | DamagedFile] = []
        for first in range(0, len(shards), _MANIFESTS_AT_ONCE):
            block = shards[first : first + _MANIFESTS_AT_ONCE]
            names = [manifest_of(shard) for shard in block]
            try:
                contents = self._store.read_many(names)
            except FileNotFoundError:
                contents = [None] * len(names)
            for shard, name, content in zip(block, names, contents, strict=True):
                try:
                    found.append(self.read(shard) if content is None else self._checked(shard, name, content))
                except DamagedFile as error:
                    found.append(error)
        return found

    def _checked(self, shard: str, name: str, content: bytes) -> dict[str, Any]:
        try:
            manifest = self._store.parse_json(name, content)
        except ValueError as error:
            raise DamagedFile(str(error), name) from error
        if not isinstance(manifest, dict) or _hashes(manifest) != _hashes(self._shards[shard]):
            where = self._store.full_name(name)
            what = f"{where} describes another shard than index.json; run the command that made it again"
            raise DamagedFile(what, name)
        return manifest


class MemberPlaces:
    """Places of members by clip; the manifest of a shard is read when one of its clips is first asked for."""

    def __init__(self, manifests: Manifests) -> None:
        self._manifests = manifests
        self._clips: dict[str, ClipMembers] = {}

    def of(self, shard: str, key: str) -> ClipMembers:
        """Return the places of the members of a clip that lies in this shard; raises as `Manifests.read`."""
        if key not in self._clips:
            self.add(self._manifests.read(shard))
        if key not in self._clips:
            name = manifest_of(shard)
            raise DamagedFile(f"{name} lists no clip {key}, index.json does; run the command that made it again", name)
        return self._clips[key]

    def add(self, manifest: Mapping[str, Any]) -> None:
        """Take the places of all clips of a manifest."""
        # 4 bytes a number: those of 30,000 clips of 160 frames lie in the memory of each worker process.
        dtype = np.uint32 if manifest["bytes"] < 2**32 else np.uint64
        for clip in manifest["clips"]:
            self._clips[clip["key"]] = _members_of(clip, dtype)


def manifest_of(shard: str) -> str:
    """Return the name of the manifest beside a tar of `shards/`."""
    return f"shards/{shard.removesuffix('.tar')}.json"


def _members_of(clip: Mapping[str, Any], dtype: type) -> ClipMembers:
    frames = np.zeros((clip["num_frames"], 6), dtype)
    metadata, instances = MemberPlace(0, 0, 0), {}
    checksums = clip.get("members_crc32") or [0] * len(clip["members"])
    for (name, offset, size), crc32 in zip(clip["members"], checksums, strict=True):
        _, _, place = name.partition(".")
        number, _, kind = place.partition(".")
        if place == "json":
            metadata = MemberPlace(offset, size, crc32)
        elif kind == "jpg":
            frames[int(number), RGB_OFFSET : RGB_CRC32 + 1] = offset, size, crc32
        elif kind == "png":
            frames[int(number), IDS_OFFSET : IDS_CRC32 + 1] = offset, size, crc32
        elif kind == "instances.json":
            instances[int(number)] = MemberPlace(offset, size, crc32)
    return ClipMembers(frames, metadata, instances)


def _hashes(record: Mapping[str, Any]) -> list[Any]:
    passes = sorted(record.get("passes", {}).items())
    return [record.get("sha256"), *((name, own.get("sha256")) for name, own in passes)]


def _missing(store: Store, name: str) -> DamagedFile:
    return DamagedFile(f"{store.full_name(name)} is missing; run the command that made the corpus again", name)
