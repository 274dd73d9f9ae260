"""One clip of fusion data: its true masks carried away from every reference frame, in the process of a farm worker."""

from __future__ import annotations

import functools
import json
import tarfile
import time
import zlib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ...datagen.corpus.reader import Corpus
from ...datagen.corpus.records import clip_key, ids_name, image_name, metadata_name
from ...datagen.corpus.shards import read_members
from ...datagen.corpus.soft_masks import Reference, soft_mask_members, soft_mask_name
from ...datagen.imaging.images import decode_ids, decode_jpeg
from ...datagen.imaging.pass_table import SOFT_MASKS
from ...datagen.imaging.passes import encode_soft_mask
from ...datagen.writing.parts import commit_part
from ...models.propagation import PropagationNetwork
from ..inference.propagation import PropagationSettings, propagate_soft
from ..networks import PROPAGATION
from ..trained_networks import trained_network
from .settings import FusionDataSettings, reference_at, reference_frames

if TYPE_CHECKING:
    from .job import ClipToMake, FusionDataJob


def make_fusion_clip(job: FusionDataJob, index: int, clip: ClipToMake) -> dict[str, Any]:
    """Carry the masks of a clip from every reference and commit it as clip `index`; returns facts for the journal.

    Pictures, ids and instances are copied byte for byte, so the new corpus needs the old one no more. ValueError or
    OSError name what cannot be read.
    """
    started = time.perf_counter()
    if job.device == "cpu":
        # One core for each task of the farm; and sums of floats depend on the number of threads.
        torch.set_num_threads(1)
    torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic = False, True
    network, _ = trained_network(job.checkpoint, PROPAGATION.name, job.device, job.checkpoint_sha256)
    source = read_source(_corpus(job.source), clip.key)
    key = clip_key(job.name, index)
    metadata = json.loads(source.pop(metadata_name(clip.key)))
    frames = ClipFrames(clip.key, source)
    references, masks = [], {}
    for frame in reference_frames(frames.annotated(metadata["num_frames"]), job.settings.separation):
        reference = reference_at(frame, frames.ids(frame), metadata["num_frames"], job.settings)
        if reference is not None:
            references.append(reference)
            masks.update(_carry(network, frames, reference, key, job.settings, clip.memory_every, job.device))
    # Point tracks are in a pass that stays behind.
    metadata = {name: value for name, value in metadata.items() if name != "tracks"} | {"key": key, "index": index}
    metadata["fusion"] = {
        "references": [reference.as_json() for reference in references],
        "clip": clip.key,
        "memory_every": clip.memory_every,
        "device": job.device,
    }
    members = [(key + name.removeprefix(clip.key), content) for name, content in source.items()]
    members.append((metadata_name(key), json.dumps(metadata, sort_keys=True, allow_nan=False).encode()))
    statistics = {
        "clip": clip.key,
        "memory_every": clip.memory_every,
        "references": len(references),
        "soft_masks": len(masks),
    }
    passes = {SOFT_MASKS.name: [(name, masks[name]) for name in soft_mask_members(key, references)]}
    commit_part(job.root, key, index, members, statistics, passes)
    return {**statistics, "seconds": round(time.perf_counter() - started, 3)}


def read_source(corpus: Corpus, key: str) -> dict[str, bytes]:
    """Return name -> bytes of the members of a clip; ValueError names one that changed since it was written."""
    try:
        members = dict(read_members(corpus.read_clip(key)))
    except tarfile.TarError as error:
        raise ValueError(f"{corpus.place(key).shard} of {corpus.root} is damaged at clip {key}: {error}") from error
    for name, crc32 in corpus.checksums(key).items():
        # libjpeg decodes most damaged pictures without a word.
        if name not in members or zlib.crc32(members[name]) != crc32:
            where = f"{corpus.place(key).shard} of {corpus.root}"
            raise ValueError(f"{where} is damaged: {name} changed since it was written; put its right bytes back")
    return members


class ClipFrames:
    """The frames of a clip, decoded when they are asked for; members: name -> bytes of pictures and ids."""

    def __init__(self, key: str, members: dict[str, bytes]) -> None:
        self._key, self._members = key, members

    def annotated(self, num_frames: int) -> np.ndarray:
        """The frames that have ids, ascending, int (A,)."""
        return np.array([t for t in range(num_frames) if ids_name(self._key, t) in self._members], int)

    def rgb(self, t: int) -> np.ndarray:
        """The picture of frame t, uint8 (H, W, 3)."""
        return self._decoded(decode_jpeg, image_name(self._key, t))

    def ids(self, t: int) -> np.ndarray:
        """The ids of frame t, uint8 (H, W)."""
        return self._decoded(decode_ids, ids_name(self._key, t))

    def _decoded(self, decode: Any, name: str) -> np.ndarray:
        try:
            return decode(self._members[name])
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error


def _carry(
    network: PropagationNetwork,
    frames: ClipFrames,
    reference: Reference,
    key: str,
    settings: FusionDataSettings,
    memory_every: int,
    device: str,
) -> Iterator[tuple[str, bytes]]:
    """Yield (member name, bytes) of the masks of a reference, in the order in which they are made."""
    propagation = PropagationSettings(
        memory_every=memory_every, top_k=settings.top_k, short_side=settings.short_side, device=device
    )
    first_ids = frames.ids(reference.frame)

    def run(times: Iterable[int]) -> Iterator[tuple[str, bytes]]:
        times = list(times)
        pictures = (frames.rgb(t) for t in times)
        probabilities = propagate_soft(network, pictures, first_ids, propagation, ids=reference.object_ids)
        for t, soft in zip(times, probabilities, strict=True):
            if t == reference.frame:
                continue
            for object_id, mask in zip(reference.object_ids, soft[1:].cpu().numpy(), strict=True):
                yield soft_mask_name(key, reference.frame, object_id, t), encode_soft_mask(mask)

    yield from run(range(reference.frame, reference.last + 1))
    yield from run(range(reference.frame, reference.first - 1, -1))


@functools.lru_cache(maxsize=1)
def _corpus(place: str) -> Corpus:
    return Corpus.open(place)
