"""Stream a corpus through plain webdataset, for training that reads shards from end to end."""

import json
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..imaging.images import decode_ids, decode_jpeg
from .reader import Corpus
from .records import ClipEntry


@dataclass(frozen=True, kw_only=True)
class StreamedClip:
    """One clip, whole in memory as encoded bytes; frames are decoded when they are asked for.

    It serves `samples.sample_triplet` in the place of a corpus, so several triplets can be drawn while it is there.
    """

    entry: ClipEntry
    metadata: dict[str, Any]
    members: Mapping[str, bytes]

    def clip(self, key: str) -> ClipEntry:
        """Return the entry of the clip; ValueError for any other key."""
        if key != self.entry.key:
            raise ValueError(f"this is clip {self.entry.key}, not {key}")
        return self.entry

    def read_frame(self, key: str, t: int) -> tuple[np.ndarray, np.ndarray]:
        """Return rgb uint8 (H, W, 3) and ids uint8 (H, W) of frame t."""
        self.clip(key)
        return decode_jpeg(self.members[f"{t:05d}.jpg"]), decode_ids(self.members[f"{t:05d}.png"])


def stream_clips(root: Path | str, split: Literal["train", "val", "all"] = "train") -> Iterator[StreamedClip]:
    """Yield the clips of a split in the order of the shards, reading each shard once from its start to its end.

    root: folder or URL of a corpus. Needs the extra `stream` (webdataset). Raises as `Corpus.open`, and ValueError
    naming the shard for a damaged tar.
    """
    try:
        import webdataset
    except ImportError as error:
        raise ValueError("streaming needs webdataset; install vosforge[stream]") from error

    corpus = Corpus.open(root)
    entries = {clip.key: clip for clip in corpus.split(split)}
    for shard in corpus.index["shards"]:
        name = f"shards/{shard['name']}"
        with corpus.store.open_read(name) as file:
            # handler: some of webdataset's print the error and go on, which would lose clips in silence.
            tar = [{"url": corpus.store.full_name(name), "stream": file}]
            files = webdataset.tariterators.tar_file_expander(tar, handler=webdataset.reraise_exception)
            samples = webdataset.tariterators.group_by_keys(files, handler=webdataset.reraise_exception)
            for sample in _name_damaged(samples, corpus.store.full_name(name)):
                entry = entries.get(sample["__key__"])
                if entry is not None:
                    members = {name: content for name, content in sample.items() if name.endswith((".jpg", ".png"))}
                    yield StreamedClip(entry=entry, metadata=json.loads(sample["json"]), members=members)


def _name_damaged(samples: Iterable[dict[str, Any]], where: str) -> Iterator[dict[str, Any]]:
    try:
        yield from samples
    except tarfile.TarError as error:
        raise ValueError(f"{where} is damaged: {error}") from error
