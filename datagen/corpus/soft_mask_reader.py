"""Random access to the soft masks of a corpus."""

import zlib
from collections.abc import Mapping

import numpy as np

from ..imaging.pass_table import SOFT_MASKS
from ..imaging.passes import decode_soft_mask
from .opening import tar_sizes
from .places import Manifests
from .reader import Corpus
from .shard_bytes import ShardBytes
from .soft_masks import Reference, split_soft_mask_name

_Places = dict[tuple[int, int], tuple[int, np.ndarray]]
"""(reference, object id) -> the first frame, and offset, size and CRC-32 by frame from there on, (F, 3)."""


class SoftMaskReader:
    """Reads the soft masks of a corpus that was made with them. Can be pickled and used after a fork.

    ValueError when the corpus has none.
    """

    def __init__(self, corpus: Corpus) -> None:
        if SOFT_MASKS.name not in corpus.passes:
            raise ValueError(
                f"{corpus.root} holds no soft masks to train fusion on; make them from it with "
                f"`vosforge-train fusion-data --data {corpus.root} --checkpoint CKPT --out DIR`, and give that DIR"
            )
        self._corpus = corpus
        self._bytes = ShardBytes(corpus.store, tar_sizes(corpus.index))
        self._manifests = Manifests(corpus.store, corpus.index["shards"])
        self._tars: dict[str, str] = {}
        self._places: dict[str, _Places] = {}

    def references(self, key: str) -> list[Reference]:
        """Return the references of a clip, by frame; without those that no mask was carried from."""
        objects: dict[int, list[int]] = {}
        for frame, object_id in self._places_of(key):
            objects.setdefault(frame, []).append(object_id)
        found = []
        for frame, object_ids in sorted(objects.items()):
            first, rows = self._places[key][frame, object_ids[0]]
            last = max(frame, first + len(rows) - 1)
            found.append(Reference(frame=frame, object_ids=tuple(object_ids), first=min(frame, first), last=last))
        return found

    def read(self, key: str, reference: int, object_id: int, t: int) -> np.ndarray:
        """Return the soft mask of an object in frame t, carried from frame `reference`: uint8 (H, W), 255 stands for 1.

        In the reference frame itself it is the true mask. ValueError when there is none, DamagedFile (a ValueError that
        names the shard) for bytes that are not those that were written.
        """
        first, rows = self._places_of(key).get((reference, object_id), (0, np.zeros((0, 3))))
        if len(rows) and t == reference:
            return (self._corpus.read_ids(key, t) == object_id).astype(np.uint8) * np.uint8(255)
        offset, size, crc32 = rows[t - first].tolist() if first <= t < first + len(rows) else (0, 0, 0)
        if not size:
            where = f"of object {object_id} in frame {t}, carried from frame {reference}"
            raise ValueError(f"clip {key} has no soft mask {where}")
        tar = self._tars[key]
        content = self._bytes.read(tar, offset, size)
        try:
            if crc32 and zlib.crc32(content) != crc32:
                raise ValueError("its bytes changed since they were written")
            return decode_soft_mask(content)
        except ValueError as error:
            what = f"object {object_id} in frame {t}, carried from frame {reference}"
            raise self._bytes.damaged(tar, f"is damaged: clip {key}, {what}: {error}") from error

    def _places_of(self, key: str) -> _Places:
        if key not in self._places:
            self._add(self._manifests.read(self._corpus.place(key).shard))
        return self._places[key]

    def _add(self, manifest: Mapping) -> None:
        record = manifest["passes"][SOFT_MASKS.name]
        # A clip of 160 frames has thousands of masks: 4 bytes a number where the tar allows it.
        dtype = np.uint32 if record["bytes"] < 2**32 else np.uint64
        for clip in manifest["clips"]:
            self._places[clip["key"]] = {}
        for clip in record["clips"]:
            rows: dict[tuple[int, int], dict[int, tuple[int, int, int]]] = {}
            for (name, offset, size), crc32 in zip(clip["members"], clip["members_crc32"], strict=True):
                reference, object_id, t = split_soft_mask_name(name)
                rows.setdefault((reference, object_id), {})[t] = offset, size, crc32
            self._tars[clip["key"]] = record["tar"]
            self._places[clip["key"]] = {pair: _table(frames, dtype) for pair, frames in rows.items()}


def _table(frames: Mapping[int, tuple[int, int, int]], dtype: type) -> tuple[int, np.ndarray]:
    first = min(frames)
    table = np.zeros((max(frames) - first + 1, 3), dtype)
    for t, row in frames.items():
        table[t - first] = row
    return first, table
