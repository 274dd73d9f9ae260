"""Random access to a finished corpus: one read fetches a frame with its ids, out of a shard of any size."""

import json
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..imaging.images import decode_ids, decode_jpeg
from ..storage.store import Store, open_store
from .pass_reader import PassReader
from .records import SCHEMA_VERSION, ClipEntry
from .shard_bytes import ShardBytes, check_size

# Columns of the table of frames; a size of 0 says that the frame has no ids.
_RGB_OFFSET, _RGB_SIZE, _IDS_OFFSET, _IDS_SIZE = range(4)
_MANIFESTS_AT_ONCE = 64


class NotACorpus(ValueError):
    """There is no finished corpus; the message is one line that says what to do."""


class Corpus:
    """A finished corpus, open for reading.

    `index` is the content of index.json, `clips` one ClipEntry per clip in the order of their index, `passes` name ->
    what index.json says of that pass, `root` the folder or the URL. Instances can be pickled and used after a fork:
    files are opened on first use in each process and read by position.
    """

    def __init__(self, root: Path | str | Store, index: dict[str, Any]) -> None:
        """Read the manifests of the shards that `index` names; use `Corpus.open` for a folder or a URL."""
        self.store, self.index = open_store(root), index
        self.root = self.store.location
        self.passes: dict[str, dict[str, Any]] = index.get("passes", {})
        self.clips: list[ClipEntry] = []
        self.shard_clips: dict[str, list[str]] = {}
        self._frames: dict[str, np.ndarray] = {}
        self._metadata: dict[str, tuple[int, int]] = {}
        self._shard_of: dict[str, dict[str, Any]] = {}
        self._bytes = ShardBytes(self.store, tar_sizes(index))
        self._passes = PassReader(self._bytes)
        split_of = {key: split for split, keys in index["splits"].items() for key in keys}
        for first in range(0, len(index["shards"]), _MANIFESTS_AT_ONCE):
            shards = index["shards"][first : first + _MANIFESTS_AT_ONCE]
            for shard, manifest in zip(shards, self._read_manifests(shards), strict=True):
                self.shard_clips[shard["name"]] = [clip["key"] for clip in manifest["clips"]]
                for clip in manifest["clips"]:
                    self._add_clip(clip, shard, split_of)
                self._passes.add_shard(manifest)
        self.clips.sort(key=lambda clip: clip.index)
        self._clip_of = {clip.key: clip for clip in self.clips}

    @classmethod
    def open(cls, root: Path | str | Store) -> "Corpus":
        """Open a corpus in a folder or under a URL such as s3://bucket/prefix.

        Raises NotACorpus when there is no finished corpus of a schema that is known here, ValueError that names the
        file when a shard or its manifest is missing or has another size than the index says.
        """
        store = open_store(root)
        folder = store.local_path("")
        if folder is not None and not folder.is_dir():
            raise NotACorpus(f"{store.url} is not a folder; give the folder or the URL of a corpus")
        if store.size("index.json") is None:
            if store.size("journal/corpus.json") is not None:
                raise NotACorpus(f"{store.url} is not finished: no index.json; run the command that makes it again")
            raise NotACorpus(f"{store.url} is not a corpus: no index.json; give the place that a run wrote with --out")
        index = store.read_json("index.json")
        if not isinstance(index, dict) or index.get("schema") != SCHEMA_VERSION:
            found = index.get("schema") if isinstance(index, dict) else None
            where = store.full_name("index.json")
            raise NotACorpus(f"{where} has schema {found!r}, this version reads schema {SCHEMA_VERSION}")
        sizes = store.sizes("shards")
        for tar, num_bytes in tar_sizes(index).items():
            if sizes.get(tar) != num_bytes:
                check_size(store, f"shards/{tar}", num_bytes)
        return cls(store, index)

    def split(self, name: Literal["train", "val", "all"]) -> list[ClipEntry]:
        """Return the clips of a split, in the order of their index."""
        if name not in ("train", "val", "all"):
            raise ValueError(f"split is {name!r}, it must be 'train', 'val' or 'all'")
        return [clip for clip in self.clips if name in ("all", clip.split)]

    def clip(self, key: str) -> ClipEntry:
        """Return the entry of a clip; ValueError names a key that the corpus does not have."""
        try:
            return self._clip_of[key]
        except KeyError:
            first = self.clips[0].key if self.clips else "none"
            raise ValueError(f"{self.root} has no clip {key!r}; its {len(self.clips)} keys start at {first}") from None

    def is_annotated(self, key: str, t: int) -> bool:
        """True when frame t has ids."""
        return self._frame_row(key, t)[_IDS_SIZE] > 0

    def has_all_ids(self, key: str) -> bool:
        """True when every frame of a clip has ids."""
        self.clip(key)
        return bool((self._frames[key][:, _IDS_SIZE] > 0).all())

    def read_frame(self, key: str, t: int) -> tuple[np.ndarray, np.ndarray]:
        """Return rgb uint8 (H, W, 3) and ids uint8 (H, W) of frame t, by one read.

        ValueError for an unknown key or frame, for a frame that is not annotated, and for damaged bytes (naming the
        shard).
        """
        row = self._frame_row(key, t)
        if not row[_IDS_SIZE]:
            raise ValueError(f"frame {t} of clip {key} is not annotated")
        start = row[_RGB_OFFSET]
        content = self._read(key, start, row[_IDS_OFFSET] + row[_IDS_SIZE] - start)
        ids_start = row[_IDS_OFFSET] - start
        return self._decode(key, t, content[: row[_RGB_SIZE]], content[ids_start:])

    def read_rgb(self, key: str, t: int) -> np.ndarray:
        """Return the picture of frame t, uint8 (H, W, 3), RGB."""
        return self._decode(key, t, self.read_jpeg(key, t), None)[0]

    def read_ids(self, key: str, t: int) -> np.ndarray:
        """Return the object ids of frame t, uint8 (H, W); ValueError when the frame is not annotated."""
        return self._decode(key, t, None, self.read_ids_png(key, t))[1]

    def read_jpeg(self, key: str, t: int) -> bytes:
        """Return the picture of frame t as it is stored, a JPEG."""
        row = self._frame_row(key, t)
        return self._read(key, row[_RGB_OFFSET], row[_RGB_SIZE])

    def read_ids_png(self, key: str, t: int) -> bytes:
        """Return the ids of frame t as they are stored, a palette PNG; ValueError when the frame is not annotated."""
        row = self._frame_row(key, t)
        if not row[_IDS_SIZE]:
            raise ValueError(f"frame {t} of clip {key} is not annotated")
        return self._read(key, row[_IDS_OFFSET], row[_IDS_SIZE])

    def read_pass(self, key: str, t: int, name: str) -> Any:
        """Return a pass of frame t, decoded: see the decoders of passes.py for types and units.

        name: "depth", "normals", "flow_forward", "flow_backward", "coordinates" or "amodal" (masks in the order of the
        clip's `object_ids`). ValueError for an unknown key, frame or name, a pass that the clip does not have, the
        forward flow of the last frame, the backward flow of the first, and damaged bytes (naming the shard).
        """
        self._frame_row(key, t)
        return self._passes.read(self.clip(key), t, name)

    def read_tracks(self, key: str) -> np.ndarray:
        """Return the point tracks of a clip, float32 (P, F, 4): x, y in pixels, depth, visible; see `decode_tracks`."""
        return self._passes.read(self.clip(key), None, "tracks")

    def metadata(self, key: str) -> dict[str, Any]:
        """Return the metadata of a clip (`<key>.json`)."""
        self.clip(key)
        try:
            return json.loads(self._read(key, *self._metadata[key]))
        except ValueError as error:
            where = self._bytes.where(self._shard_of[key]["name"])
            raise ValueError(f"{where} is damaged: metadata of clip {key}: {error}") from error

    def close(self) -> None:
        """Close the shards that this process opened; the next read opens them again."""
        self._bytes.close()

    def _read_manifests(self, shards: list[dict[str, Any]]) -> list[dict[str, Any]]:
        names = [f"shards/{shard['name'].removesuffix('.tar')}.json" for shard in shards]
        try:
            contents = self.store.read_many(names)
        except FileNotFoundError as error:
            raise ValueError(f"{error.filename} is missing; run the command that made the corpus again") from error
        manifests = [self.store.parse_json(name, content) for name, content in zip(names, contents, strict=True)]
        for name, manifest, shard in zip(names, manifests, shards, strict=True):
            found = {own: record["sha256"] for own, record in manifest.get("passes", {}).items()}
            expected = {own: record["sha256"] for own, record in shard.get("passes", {}).items()}
            if manifest["sha256"] != shard["sha256"] or found != expected:
                where = self.store.full_name(name)
                raise ValueError(f"{where} describes another shard than index.json; run the command that made it again")
        return manifests

    def _add_clip(self, clip: dict[str, Any], shard: dict[str, Any], split_of: dict[str, str]) -> None:
        key, num_frames = clip["key"], clip["num_frames"]
        frames = np.zeros((num_frames, 4), np.int64)
        for name, offset, size in clip["members"]:
            _, *place, kind = name.split(".")
            if kind == "json" and not place:
                self._metadata[key] = (offset, size)
            elif kind in ("jpg", "png"):
                column = _RGB_OFFSET if kind == "jpg" else _IDS_OFFSET
                frames[int(place[0]), column : column + 2] = offset, size
        self._frames[key] = frames
        self._shard_of[key] = shard
        self.clips.append(
            ClipEntry(
                key=key,
                index=clip["index"],
                num_frames=num_frames,
                width=clip["width"],
                height=clip["height"],
                object_ids=tuple(clip["object_ids"]),
                split=split_of.get(key, ""),
            )
        )

    def _frame_row(self, key: str, t: int) -> list[int]:
        num_frames = self.clip(key).num_frames
        if not 0 <= t < num_frames:
            raise ValueError(f"clip {key} has no frame {t}; its frames are 0 to {num_frames - 1}")
        return self._frames[key][t].tolist()

    def _read(self, key: str, offset: int, size: int) -> bytes:
        return self._bytes.read(self._shard_of[key]["name"], offset, size)

    def _decode(
        self, key: str, t: int, jpeg: bytes | None, png: bytes | None
    ) -> tuple[np.ndarray | None, np.ndarray | None]:
        try:
            return (None if jpeg is None else decode_jpeg(jpeg)), (None if png is None else decode_ids(png))
        except ValueError as error:
            where = self._bytes.where(self._shard_of[key]["name"])
            raise ValueError(f"{where} is damaged: frame {t} of clip {key}: {error}") from error


def tar_sizes(index: dict[str, Any]) -> dict[str, int]:
    """Return file name in `shards/` -> bytes of every tar that index.json lists, those of the passes too."""
    records = [record for shard in index["shards"] for record in (shard, *shard.get("passes", {}).values())]
    return {record["name"]: record["bytes"] for record in records}
