"""Random access to a finished corpus: one `pread` fetches a frame with its ids, out of a shard of any size."""

import collections
import json
import os
from pathlib import Path
from typing import Any, Literal

import numpy as np

from .files import read_json
from .images import decode_ids, decode_jpeg
from .records import SCHEMA_VERSION, ClipEntry

MAX_OPEN_SHARDS = 64
# Columns of the table of frames; a size of 0 says that the frame has no ids.
_RGB_OFFSET, _RGB_SIZE, _IDS_OFFSET, _IDS_SIZE = range(4)


class NotACorpus(ValueError):
    """The folder holds no finished corpus; the message is one line that says what to do."""


class Corpus:
    """A finished corpus, open for reading.

    `index` is the content of index.json, `clips` one ClipEntry per clip in the order of their index. Instances can be
    pickled and used after a fork: files are opened on first use in each process and read by position.
    """

    def __init__(self, root: Path, index: dict[str, Any]) -> None:
        """Read the manifests of the shards that `index` names; use `Corpus.open` for a folder."""
        self.root, self.index = Path(root), index
        self.clips: list[ClipEntry] = []
        self.shard_clips: dict[str, list[str]] = {}
        self._frames: dict[str, np.ndarray] = {}
        self._metadata: dict[str, tuple[int, int]] = {}
        self._shard_of: dict[str, dict[str, Any]] = {}
        self._open_files: collections.OrderedDict[tuple[int, str], int] = collections.OrderedDict()
        split_of = {key: split for split, keys in index["splits"].items() for key in keys}
        for shard in index["shards"]:
            manifest = self._read_manifest(shard)
            self.shard_clips[shard["name"]] = [clip["key"] for clip in manifest["clips"]]
            for clip in manifest["clips"]:
                self._add_clip(clip, shard, split_of)
        self.clips.sort(key=lambda clip: clip.index)
        self._clip_of = {clip.key: clip for clip in self.clips}

    @classmethod
    def open(cls, path: Path) -> "Corpus":
        """Open a corpus folder.

        Raises NotACorpus when there is no finished corpus of a schema that is known here, ValueError that names the
        file when a shard or its manifest is missing or has another size than the index says.
        """
        path = Path(path)
        if not path.is_dir():
            raise NotACorpus(f"{path} is not a folder; give the folder of a corpus")
        if not (path / "index.json").exists():
            if (path / "journal/corpus.json").exists():
                raise NotACorpus(f"{path} is not finished: no index.json yet; run the command that makes it again")
            raise NotACorpus(f"{path} is not a corpus: no index.json; give the folder that a run wrote with --out")
        index = read_json(path / "index.json")
        if not isinstance(index, dict) or index.get("schema") != SCHEMA_VERSION:
            found = index.get("schema") if isinstance(index, dict) else None
            raise NotACorpus(f"{path}/index.json has schema {found!r}, this version reads schema {SCHEMA_VERSION}")
        for shard in index["shards"]:
            _check_size(path / "shards" / shard["name"], shard["bytes"])
        return cls(path, index)

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
        row = self._frame_row(key, t)
        return self._decode(key, t, self._read(key, row[_RGB_OFFSET], row[_RGB_SIZE]), None)[0]

    def read_ids(self, key: str, t: int) -> np.ndarray:
        """Return the object ids of frame t, uint8 (H, W); ValueError when the frame is not annotated."""
        row = self._frame_row(key, t)
        if not row[_IDS_SIZE]:
            raise ValueError(f"frame {t} of clip {key} is not annotated")
        return self._decode(key, t, None, self._read(key, row[_IDS_OFFSET], row[_IDS_SIZE]))[1]

    def metadata(self, key: str) -> dict[str, Any]:
        """Return the metadata of a clip (`<key>.json`)."""
        self.clip(key)
        try:
            return json.loads(self._read(key, *self._metadata[key]))
        except ValueError as error:
            raise ValueError(f"{self._shard_path(key)} is damaged: metadata of clip {key}: {error}") from error

    def close(self) -> None:
        """Close the shards that this process opened; the next read opens them again."""
        while self._open_files:
            (process, _), descriptor = self._open_files.popitem()
            if process == os.getpid():
                os.close(descriptor)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_open_files": collections.OrderedDict()}

    def __del__(self) -> None:
        if hasattr(self, "_open_files"):
            self.close()

    def _read_manifest(self, shard: dict[str, Any]) -> dict[str, Any]:
        path = (self.root / "shards" / shard["name"]).with_suffix(".json")
        if not path.exists():
            raise ValueError(f"{path} is missing; run the command that made the corpus again")
        manifest = read_json(path)
        if manifest["sha256"] != shard["sha256"]:
            raise ValueError(f"{path} describes another shard than index.json; run the command that made it again")
        return manifest

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

    def _shard_path(self, key: str) -> Path:
        return self.root / "shards" / self._shard_of[key]["name"]

    def _read(self, key: str, offset: int, size: int) -> bytes:
        content = os.pread(self._descriptor(key), size, offset)
        if len(content) != size:
            raise ValueError(f"{self._shard_path(key)} is truncated: clip {key} needs bytes up to {offset + size}")
        return content

    def _descriptor(self, key: str) -> int:
        # The process id is part of the name: a forked worker opens its own file.
        name = (os.getpid(), self._shard_of[key]["name"])
        if name in self._open_files:
            self._open_files.move_to_end(name)
            return self._open_files[name]
        path = self._shard_path(key)
        _check_size(path, self._shard_of[key]["bytes"])
        while len(self._open_files) >= MAX_OPEN_SHARDS:
            (process, _), descriptor = self._open_files.popitem(last=False)
            if process == os.getpid():
                os.close(descriptor)
        self._open_files[name] = os.open(path, os.O_RDONLY)
        return self._open_files[name]

    def _decode(
        self, key: str, t: int, jpeg: bytes | None, png: bytes | None
    ) -> tuple[np.ndarray | None, np.ndarray | None]:
        try:
            return (None if jpeg is None else decode_jpeg(jpeg)), (None if png is None else decode_ids(png))
        except ValueError as error:
            raise ValueError(f"{self._shard_path(key)} is damaged: frame {t} of clip {key}: {error}") from error


def _check_size(path: Path, num_bytes: int) -> None:
    try:
        found = path.stat().st_size
    except FileNotFoundError:
        raise ValueError(f"{path} is missing; run the command that made the corpus again") from None
    if found != num_bytes:
        raise ValueError(f"{path} has {found} bytes, index.json says {num_bytes}; it was cut or changed")
