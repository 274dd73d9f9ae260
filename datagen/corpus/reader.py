"""Random access to a finished corpus: one read fetches a frame with its ids, out of a shard of any size."""

import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np

from ..imaging.images import decode_ids, decode_jpeg
from ..storage.store import Store, open_store
from .clip_table import ClipPlace, entry_and_place, rows_of, table_row
from .instances import coco_mask, decode_instances, instance_masks
from .opening import NotACorpus, OnDamage, read_index, tar_sizes, wrong_files
from .pass_reader import PassReader
from .places import (
    IDS_CRC32,
    IDS_OFFSET,
    IDS_SIZE,
    RGB_CRC32,
    RGB_OFFSET,
    RGB_SIZE,
    ClipMembers,
    Manifests,
    MemberPlace,
    MemberPlaces,
)
from .records import ClipEntry
from .shard_bytes import ShardBytes
from .shards import DamagedFile

__all__ = ["Corpus", "NotACorpus", "OnDamage", "tar_sizes"]

Decoded = TypeVar("Decoded")


class Corpus:
    """A finished corpus, open for reading.

    `index` is the content of index.json, `clips` one ClipEntry per clip in the order of their index, `passes` name ->
    what index.json says of that pass, `root` the folder or the URL, `damaged` file name -> what is wrong with it
    (only when opened with on_damage="skip"). Opening reads index.json alone; the manifest of a shard is read when one
    of its clips is first read. Instances can be pickled and used after a fork: files are opened on first use in each
    process and read by position.
    """

    def __init__(self, root: Path | str | Store, index: dict[str, Any], on_damage: OnDamage = "stop") -> None:
        """Take the clips from `index`; use `Corpus.open` for a folder or a URL.

        Where the index has no table of clips (corpora made before it had one), every manifest is read here.
        """
        self.store, self.index = open_store(root), index
        self.root = self.store.location
        self.passes: dict[str, dict[str, Any]] = index.get("passes", {})
        self.damaged: dict[str, str] = {}
        self._bytes = ShardBytes(self.store, tar_sizes(index))
        self._passes = PassReader(self._bytes)
        self._shards_with_passes: set[str] = set()
        self._manifests = Manifests(self.store, index["shards"])
        self._members = MemberPlaces(self._manifests)
        splits = {key: split for split, keys in index["splits"].items() for key in keys}
        pairs = [
            entry_and_place(index["name"], shard, row, splits)
            for shard, rows in self._tables(on_damage)
            for row in rows
        ]
        pairs.sort(key=lambda pair: pair[0].index)
        self.clips: list[ClipEntry] = [clip for clip, _ in pairs]
        self._clip_of = {clip.key: clip for clip in self.clips}
        self._place_of: dict[str, ClipPlace] = {clip.key: place for clip, place in pairs}

    @classmethod
    def open(cls, root: Path | str | Store, on_damage: OnDamage = "stop") -> "Corpus":
        """Open a corpus in a folder or under a URL such as s3://bucket/prefix.

        on_damage: what a shard is that is missing or has another size than the index says: "stop" raises DamagedFile,
        a ValueError that names it; "skip" notes it in `damaged`, and reading one of its clips raises DamagedFile.
        NotACorpus when there is no finished corpus of a schema that is known here.
        """
        if on_damage not in ("stop", "skip"):
            raise ValueError(f"on_damage is {on_damage!r}, it must be 'stop' or 'skip'")
        store = open_store(root)
        index = read_index(store)
        problems = dict(wrong_files(store, index, on_damage))
        corpus = cls(store, index, on_damage)
        corpus.damaged = problems | corpus.damaged
        return corpus

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

    def place(self, key: str) -> ClipPlace:
        """Return where the bytes of a clip lie: from its first tar header to the end of its last member."""
        self.clip(key)
        return self._place_of[key]

    def num_annotated(self, key: str) -> int:
        """Return the number of frames of a clip that have ids, without reading its manifest."""
        return self.place(key).num_annotated

    def annotated_frames(self, key: str) -> np.ndarray:
        """Return the numbers of the frames that have ids, ascending, int (A,)."""
        return np.flatnonzero(self._members_of(key).frames[:, IDS_SIZE])

    def is_annotated(self, key: str, t: int) -> bool:
        """True when frame t has ids."""
        return self._frame_row(key, t)[IDS_SIZE] > 0

    def instance_frames(self, key: str) -> list[int]:
        """Return the numbers of the frames that have instances in place of ids, ascending."""
        return sorted(self._members_of(key).instances)

    def has_all_ids(self, key: str) -> bool:
        """True when every frame of a clip has ids."""
        return self.num_annotated(key) == self.clip(key).num_frames

    def read_frame(self, key: str, t: int) -> tuple[np.ndarray, np.ndarray]:
        """Return rgb uint8 (H, W, 3) and ids uint8 (H, W) of frame t, by one read.

        ValueError for an unknown key or frame and for a frame that is not annotated, DamagedFile (a ValueError that
        names the shard) for bytes that are not those that were written.
        """
        row = self._annotated_row(key, t)
        start, stop = row[RGB_OFFSET], row[IDS_OFFSET] + row[IDS_SIZE]
        return self.decode_frame(key, t, self._bytes.read(self._place_of[key].shard, start, stop - start), start)

    def decode_frame(self, key: str, t: int, content: bytes, start: int) -> tuple[np.ndarray, np.ndarray]:
        """Return what `read_frame` returns, out of bytes of the shard that were read from offset `start` on."""
        row = self._annotated_row(key, t)
        jpeg, png = (content[row[c] - start : row[c] - start + row[c + 1]] for c in (RGB_OFFSET, IDS_OFFSET))
        rgb = self._decode(key, t, self._checked(key, t, jpeg, row[RGB_CRC32]), decode_jpeg)
        return rgb, self._decode(key, t, self._checked(key, t, png, row[IDS_CRC32]), decode_ids)

    def read_rgb(self, key: str, t: int) -> np.ndarray:
        """Return the picture of frame t, uint8 (H, W, 3), RGB."""
        return self._decode(key, t, self.read_jpeg(key, t), decode_jpeg)

    def read_ids(self, key: str, t: int) -> np.ndarray:
        """Return the object ids of frame t, uint8 (H, W); ValueError when the frame is not annotated."""
        return self._decode(key, t, self.read_ids_png(key, t), decode_ids)

    def read_jpeg(self, key: str, t: int) -> bytes:
        """Return the picture of frame t as it is stored, a JPEG."""
        row = self._frame_row(key, t)
        return self._read(key, t, MemberPlace(row[RGB_OFFSET], row[RGB_SIZE], row[RGB_CRC32]))

    def read_ids_png(self, key: str, t: int) -> bytes:
        """Return the ids of frame t as they are stored, a palette PNG; ValueError when the frame is not annotated."""
        row = self._annotated_row(key, t)
        return self._read(key, t, MemberPlace(row[IDS_OFFSET], row[IDS_SIZE], row[IDS_CRC32]))

    def read_instances(self, key: str, t: int) -> tuple[np.ndarray, list[dict[str, Any]]]:
        """Return the masks of the instances of frame t, bool (N, H, W), and N times their id, category and facts.

        ValueError when the frame has no instances (most frames have ids instead). Needs the extra `coco`.
        """
        self._frame_row(key, t)
        place = self._members_of(key).instances.get(t)
        if place is None:
            raise ValueError(f"frame {t} of clip {key} has no instances")
        coco_mask()  # says how to install it, where it is missing
        clip = self.clip(key)
        instances = self._decode(key, t, self._read(key, t, place), decode_instances)
        masks = self._decode(key, t, instances, lambda found: instance_masks(found, clip.height, clip.width))
        facts = [{"id": i.id, "category": i.category, "is_crowd": i.is_crowd, **i.details} for i in instances]
        return masks, facts

    def read_pass(self, key: str, t: int, name: str) -> Any:
        """Return a pass of frame t, decoded: see the decoders of passes.py for types and units.

        name: "depth", "normals", "flow_forward", "flow_backward", "coordinates" or "amodal" (masks in the order of the
        clip's `object_ids`). ValueError for an unknown key, frame or name, a pass that the clip does not have, the
        forward flow of the last frame, the backward flow of the first, and damaged bytes (naming the shard).
        """
        self._frame_row(key, t)
        return self._passes_with(key).read(self.clip(key), t, name)

    def read_tracks(self, key: str) -> np.ndarray:
        """Return the point tracks of a clip, float32 (P, F, 4): x, y in pixels, depth, visible; see `decode_tracks`."""
        return self._passes_with(key).read(self.clip(key), None, "tracks")

    def metadata(self, key: str) -> dict[str, Any]:
        """Return the metadata of a clip (`<key>.json`)."""
        return self._decode(key, None, self._read(key, None, self._members_of(key).metadata), json.loads)

    def read_clip(self, key: str) -> bytes:
        """Return the bytes of a whole clip, by one read: a tar of its own, without the end mark."""
        place = self.place(key)
        return self._bytes.read(place.shard, place.offset, place.size)

    def checksums(self, key: str) -> dict[str, int]:
        """Return member name -> CRC-32 of metadata, pictures and ids of a clip, as far as they were recorded."""
        return self._members_of(key).checksums(key)

    def close(self) -> None:
        """Close the shards that this process opened; the next read opens them again."""
        self._bytes.close()

    def _tables(self, on_damage: OnDamage) -> Iterator[tuple[str, list[Mapping[str, Any]]]]:
        """Yield (shard, rows); the manifests stand in for tables that are not there."""
        without = [shard["name"] for shard in self.index["shards"] if "table" not in shard]
        manifests = dict(zip(without, self._manifests.read_all(without), strict=True))
        for shard in self.index["shards"]:
            name, manifest = shard["name"], manifests.get(shard["name"])
            if isinstance(manifest, DamagedFile):
                if on_damage == "stop":
                    raise manifest
                self.damaged[manifest.name] = f"{manifest}; its {shard['clips']} clips are left out"
            elif manifest is None:
                try:
                    yield name, rows_of(shard["table"])
                except (KeyError, TypeError, ValueError) as error:
                    where = self.store.full_name("index.json")
                    raise NotACorpus(f"{where} has a malformed table of clips of {name}: {error!r}") from error
            else:
                self._members.add(manifest)
                yield name, [table_row(clip) for clip in manifest["clips"]]

    def _members_of(self, key: str) -> ClipMembers:
        return self._members.of(self.place(key).shard, key)

    def _passes_with(self, key: str) -> PassReader:
        """The reader of passes, after it has taken the places of this clip."""
        shard = self.place(key).shard
        if shard not in self._shards_with_passes:
            self._passes.add_shard(self._manifests.read(shard))
            self._shards_with_passes.add(shard)
        return self._passes

    def _frame_row(self, key: str, t: int) -> list[int]:
        num_frames = self.clip(key).num_frames
        if not 0 <= t < num_frames:
            raise ValueError(f"clip {key} has no frame {t}; its frames are 0 to {num_frames - 1}")
        return self._members_of(key).frames[t].tolist()

    def _annotated_row(self, key: str, t: int) -> list[int]:
        row = self._frame_row(key, t)
        if not row[IDS_SIZE]:
            raise ValueError(f"frame {t} of clip {key} is not annotated")
        return row

    def _read(self, key: str, t: int | None, place: MemberPlace) -> bytes:
        content = self._bytes.read(self._place_of[key].shard, place.offset, place.size)
        return self._checked(key, t, content, place.crc32)

    def _checked(self, key: str, t: int | None, content: bytes, crc32: int) -> bytes:
        # libjpeg decodes most damaged pictures without a word.
        if crc32 and zlib.crc32(content) != crc32:
            raise self._damaged(key, t, "its bytes changed since they were written")
        return content

    def _decode(self, key: str, t: int | None, content: Any, decode: Callable[[Any], Decoded]) -> Decoded:
        try:
            return decode(content)
        except ValueError as error:
            raise self._damaged(key, t, str(error)) from error

    def _damaged(self, key: str, t: int | None, what: str) -> DamagedFile:
        part = "metadata" if t is None else f"frame {t}"
        return self._bytes.damaged(self._place_of[key].shard, f"is damaged: {part} of clip {key}: {what}")
