"""Clips through plain webdataset, shards from end to end; `samples/stream.py` makes batches of clips in any order."""

import json
import logging
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO, Literal

import numpy as np

from ..imaging.images import decode_ids, decode_jpeg
from .reader import Corpus, OnDamage
from .records import ClipEntry
from .shards import DamagedFile

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class StreamedClip:
    """One clip, whole in memory as encoded bytes; frames are decoded when they are asked for.

    It serves `samples.sample_triplet` in the place of a corpus, so several triplets can be drawn while it is there.
    `where` is the shard, for messages.
    """

    entry: ClipEntry
    metadata: dict[str, Any]
    members: Mapping[str, bytes]
    where: str = "the stream"

    def clip(self, key: str) -> ClipEntry:
        """Return the entry of the clip; ValueError for any other key."""
        if key != self.entry.key:
            raise ValueError(f"this is clip {self.entry.key}, not {key}")
        return self.entry

    def annotated_frames(self, key: str) -> np.ndarray:
        """Return the numbers of the frames that have ids, ascending, int (A,)."""
        self.clip(key)
        return np.array([t for t in range(self.entry.num_frames) if f"{t:05d}.png" in self.members], int)

    def read_frame(self, key: str, t: int) -> tuple[np.ndarray, np.ndarray]:
        """Return rgb uint8 (H, W, 3) and ids uint8 (H, W) of frame t.

        ValueError for another clip or a frame without ids, DamagedFile for bytes that cannot be decoded.
        """
        self.clip(key)
        picture, ids = f"{t:05d}.jpg", f"{t:05d}.png"
        if picture not in self.members or ids not in self.members:
            raise ValueError(f"frame {t} of clip {key} is not there or not annotated")
        try:
            return decode_jpeg(self.members[picture]), decode_ids(self.members[ids])
        except ValueError as error:
            raise DamagedFile(f"{self.where} is damaged: frame {t} of clip {key}: {error}", self.where) from error


def stream_clips(
    root: Path | str,
    split: Literal["train", "val", "all"] = "train",
    on_damage: OnDamage = "stop",
    report: Callable[[str], None] = _LOG.warning,
) -> Iterator[StreamedClip]:
    """Yield the clips of a split in the order of the shards, reading each shard once from its start to its end.

    root: folder or URL of a corpus. on_damage: "stop" raises DamagedFile, which names the shard and what is wrong with
    it; "skip" passes it to `report` and leaves out the clip, or the rest of a shard that is no tar. Needs the extra
    `stream` (webdataset). Raises as `Corpus.open`.
    """
    corpus = Corpus.open(root, on_damage)
    entries = {clip.key: clip for clip in corpus.split(split)}
    keys_of: dict[str, set[str]] = {}
    for clip in corpus.clips:
        keys_of.setdefault(corpus.place(clip.key).shard, set()).add(clip.key)
    for shard in corpus.index["shards"]:
        name = f"shards/{shard['name']}"
        where = corpus.store.full_name(name)
        missing = keys_of.get(shard["name"], set())
        try:
            with _open(corpus, name) as file:
                for sample in _samples_of(file, where):
                    missing.discard(sample["__key__"])
                    entry = entries.get(sample["__key__"])
                    clip = None if entry is None else _clip_of(corpus, entry, sample, where, on_damage, report)
                    if clip is not None:
                        yield clip
            if missing:  # a broken header in the middle ends a tar without a word
                raise DamagedFile(f"{where} is damaged: {', '.join(sorted(missing))} cannot be found in it", where)
        except DamagedFile as error:
            if on_damage == "stop":
                raise
            report(str(error))


def _open(corpus: Corpus, name: str) -> BinaryIO:
    try:
        return corpus.store.open_read(name)
    except FileNotFoundError:
        raise DamagedFile(f"{corpus.store.full_name(name)} is missing", name) from None


def _samples_of(file: BinaryIO, where: str) -> Iterator[dict[str, Any]]:
    webdataset = _webdataset()
    # handler: some of webdataset's print the error and go on, which would lose clips in silence.
    tar = [{"url": where, "stream": file}]
    files = webdataset.tariterators.tar_file_expander(tar, handler=webdataset.reraise_exception)
    yield from _name_damaged(webdataset.tariterators.group_by_keys(files, handler=webdataset.reraise_exception), where)


def _clip_of(
    corpus: Corpus,
    entry: ClipEntry,
    sample: Mapping[str, Any],
    where: str,
    on_damage: OnDamage,
    report: Callable[[str], None],
) -> StreamedClip | None:
    """The clip of a sample; None when it is damaged and that is reported."""
    members = {name: content for name, content in sample.items() if not name.startswith("__")}
    try:
        for name, crc32 in corpus.checksums(entry.key).items():
            place = name.partition(".")[2]
            if place not in members or zlib.crc32(members[place]) != crc32:
                what = "its bytes changed since they were written" if place in members else "is not there"
                raise DamagedFile(f"{where} is damaged: {name} of clip {entry.key}: {what}", where)
        try:
            metadata = json.loads(members.pop("json"))
        except (KeyError, ValueError) as error:
            raise DamagedFile(f"{where} is damaged: metadata of clip {entry.key}: {error}", where) from error
    except DamagedFile as error:
        if on_damage == "stop":
            raise
        report(str(error))
        return None
    return StreamedClip(entry=entry, metadata=metadata, members=members, where=where)


def _name_damaged(samples: Iterable[dict[str, Any]], where: str) -> Iterator[dict[str, Any]]:
    try:
        yield from samples
    except (tarfile.TarError, ValueError) as error:
        raise DamagedFile(f"{where} is damaged: {error}", where) from error


def _webdataset() -> ModuleType:
    try:
        import webdataset
    except ImportError as error:
        raise ValueError("streaming needs webdataset; install vosforge[stream]") from error
    return webdataset
