"""Pack a published data set into a corpus: one clip of the source becomes one clip of the corpus."""

import hashlib
import importlib.metadata
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..corpus.description import CorpusDescription
from ..corpus.records import metadata_name
from ..farm.farm import FarmSettings
from ..writing.clip_job import ClipJobReport, run_clip_job
from ..writing.parts import commit_part
from ..writing.writer import CorpusWriter
from .packed_frames import PackedFrames
from .source import Source, SourceClip, SourceLayoutError, layout_of

PACK_VERSION = 1
"""Raised whenever the same data set and settings give other bytes than before."""
STILLS_PER_TASK = 32
STILLS_PER_SHARD, VIDEOS_PER_SHARD = 1000, 8


@dataclass(frozen=True, kw_only=True)
class PackJob:
    """What is packed, and where to.

    root: folder or URL of the corpus; the source's files and a folder must be reachable from every node. name: prefix
    of the keys. short_side: pixels to which the shorter side of larger pictures is reduced (bicubic, ids by the nearest
    pixel); 0 keeps every size, and with it the bytes of the JPEGs. clips_per_shard: None takes 8 videos or 1000 stills.
    limit: pack the first clips of the listing alone; None packs all.
    """

    root: str
    source: Source
    name: str
    short_side: int = 0
    clips_per_shard: int | None = None
    limit: int | None = None

    def __post_init__(self) -> None:
        # Workers on other nodes have another current directory.
        root = str(self.root)
        object.__setattr__(self, "root", root if "://" in root else str(Path(root).resolve()))
        if self.short_side < 0:
            raise ValueError(f"short_side is {self.short_side}, it must be a number of pixels, or 0 to keep every size")
        if self.limit is not None and self.limit < 1:
            raise ValueError(f"limit is {self.limit}, it must be at least 1")

    def description(self, clips: Sequence[SourceClip]) -> CorpusDescription:
        """What the corpus is; `clip_names_sha256` tells when clips were added or taken away between two runs."""
        listing = [[clip.name, clip.split] for clip in clips]
        parameters = {
            **self.source.recipe_parameters(),
            "short_side": self.short_side,
            "clip_names_sha256": hashlib.sha256(json.dumps(listing).encode()).hexdigest(),
        }
        return CorpusDescription(
            name=self.name,
            recipe=self.source.name,
            parameters=parameters,
            seed=0,
            num_clips=len(clips),
            clips_per_shard=self.clips_per_shard or (VIDEOS_PER_SHARD if self.source.is_video else STILLS_PER_SHARD),
            num_train=sum(clip.split == "train" for clip in clips),
            code_version=f"{importlib.metadata.version('vosforge')}+pack.{PACK_VERSION}",
        )


def pack_corpus(
    job: PackJob,
    farm: FarmSettings,
    on_begin: Callable[[int], None] = lambda _num_clips: None,
    on_clip: Callable[[bool], None] = lambda _is_made: None,
) -> ClipJobReport:
    """List the source and pack every clip that is not there yet; the same call again resumes.

    The bytes of the corpus do not depend on the workers. A clip with a broken file is missing, with the reason. Raises
    SourceLayoutError before anything is written when the root holds another layout; CorpusMismatch when the output
    holds another corpus, or the source lists other clips than before; NoNodeLeft.
    """
    clips = _checked_listing(job.source)[: job.limit]
    writer = CorpusWriter(job.root, job.description(clips))
    facts = {"asset": job.source.name, "kind": "data set", "status": "used", "licence": job.source.licence}
    return run_clip_job(
        writer,
        pack_clip,
        clips.__getitem__,
        farm,
        shared=job,
        clips_per_task=1 if job.source.is_video else STILLS_PER_TASK,
        assets=[{**facts, "source": job.source.summary}],
        on_begin=on_begin,
        on_clip=on_clip,
    )


def pack_clip(job: PackJob, index: int, clip: SourceClip) -> dict[str, Any]:
    """Read one clip of the source and commit it as clip `index` of the corpus; returns its statistics.

    ValueError or OSError name the file that is broken, missing or does not fit the others.
    """
    content = job.source.read(clip)
    frames = PackedFrames(f"{job.name}-{index:06d}", job.short_side)
    for frame in content.frames:
        frames.add(frame)
    if not frames.names:
        raise ValueError(f"{clip.name} has no frames")
    objects = frames.objects(content.objects)
    metadata = {
        "key": frames.key,
        "index": index,
        "recipe": job.source.name,
        "num_frames": len(frames.names),
        "width": frames.size[0],
        "height": frames.size[1],
        "unannotated_frames": frames.unannotated,
        **({"instance_frames": frames.with_instances} if frames.with_instances else {}),
        "objects": objects,
        "source": {
            **content.metadata,
            "name": job.source.name,
            "clip": clip.name,
            "frames": frames.names,
            "width": frames.source_size[0],
            "height": frames.source_size[1],
        },
    }
    statistics = {
        "num_frames": len(frames.names),
        "width": frames.size[0],
        "height": frames.size[1],
        "annotated_frames": len(frames.names) - len(frames.unannotated),
        "objects": len(objects),
        "instances": frames.num_instances,
        "encoded_pictures": frames.num_encoded,
    }
    stored = json.dumps(metadata, sort_keys=True, allow_nan=False).encode()
    commit_part(job.root, frames.key, index, [*frames.members, (metadata_name(frames.key), stored)], statistics)
    return statistics


def _checked_listing(source: Source) -> list[SourceClip]:
    """The clips of a source, all names different, train before val as the rule of the splits wants it."""
    clips = source.list_clips()
    if not clips:
        raise SourceLayoutError(f"{source.root} lists no clips of {source.name}; the layout: {layout_of(type(source))}")
    name, count = Counter(clip.name for clip in clips).most_common(1)[0]
    if count > 1:
        raise ValueError(f"{source.root} lists {name} {count} times; every clip must be listed once, in one split")
    return sorted(clips, key=lambda clip: clip.split != "train")
