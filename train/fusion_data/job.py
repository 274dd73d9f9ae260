"""A job of fusion data: clips of a corpus with the masks that a network propagated, as a corpus of their own."""

import dataclasses
import hashlib
import importlib.metadata
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

from ...datagen.corpus.description import CorpusDescription
from ...datagen.corpus.reader import Corpus
from ...datagen.corpus.soft_masks import references_of
from ...datagen.farm.farm import FarmSettings
from ...datagen.samples.fusion import MORE_REFERENCES
from ...datagen.samples.fusion_draws import fusion_pairs
from ...datagen.storage.files import sha256_of_file
from ...datagen.storage.store import open_store
from ...datagen.writing.clip_job import ClipJobReport, run_clip_job
from ...datagen.writing.writer import CorpusWriter
from ..checkpoint import load_network
from .clip import make_fusion_clip
from .settings import FusionDataSettings

FUSION_DATA_VERSION = 1
"""Raised whenever the same corpus, checkpoint and settings give other bytes than before."""
MIN_ANNOTATED = 2


class ClipToMake(NamedTuple):
    """A clip of the source, its split, and the memory frequency that its masks are made with."""

    key: str
    split: str
    memory_every: int


@dataclass(frozen=True, kw_only=True)
class FusionDataJob:
    """What is made, and where to.

    root: folder or URL of the new corpus; it, the `source` corpus and the checkpoint must be reachable from every node.
    first, count: the clips of the source with index first to first + count - 1, None for all from there on.
    """

    root: str
    source: str
    checkpoint: str
    settings: FusionDataSettings = field(default_factory=FusionDataSettings)
    split: Literal["train", "val", "all"] = "all"
    first: int = 0
    count: int | None = None
    name: str = "fusion"
    clips_per_shard: int = 8
    device: Literal["cpu", "cuda"] = "cpu"
    checkpoint_sha256: str = ""

    def __post_init__(self) -> None:
        if self.first < 0 or (self.count is not None and self.count < 1):
            raise ValueError(f"first is {self.first} and count {self.count}; first must be 0 or more, count 1 or more")
        # Workers on other nodes have another current directory.
        for name in ("root", "source", "checkpoint"):
            place = str(getattr(self, name))
            object.__setattr__(self, name, place if "://" in place else str(Path(place).resolve()))
        if self.root == self.source:
            raise ValueError(f"{self.root} is the corpus that is read; write the fusion data to another folder")
        if not self.checkpoint_sha256:
            if not Path(self.checkpoint).is_file():
                raise ValueError(f"no checkpoint at {self.checkpoint}; give the path of a propagation checkpoint")
            object.__setattr__(self, "checkpoint_sha256", sha256_of_file(Path(self.checkpoint)))

    def clips(self, corpus: Corpus) -> list[ClipToMake]:
        """Return the clips to make, those of the train split before those of "val", as the rule of splits wants it.

        Left out are clips without objects or with fewer than two frames that have ids. ValueError when none is left.
        """
        asked = [clip for clip in corpus.split(self.split) if clip.index >= self.first]
        if self.count is not None:
            asked = [clip for clip in asked if clip.index < self.first + self.count]
        usable = [clip for clip in asked if clip.object_ids and corpus.num_annotated(clip.key) >= MIN_ANNOTATED]
        if not usable:
            raise ValueError(
                f"{corpus.root}: of {len(asked)} clips asked for (split {self.split}, from index {self.first}) none "
                f"has objects and {MIN_ANNOTATED} frames with ids; give another corpus, split or range"
            )
        return sorted(
            (ClipToMake(clip.key, clip.split, every) for every in self.settings.memory_every for clip in usable),
            key=lambda clip: clip.split == "val",
        )

    def description(self, clips: list[ClipToMake], info: dict[str, Any]) -> CorpusDescription:
        """What the new corpus is; info: what the checkpoint says of itself."""
        parameters = {
            **dataclasses.asdict(self.settings),
            "split": self.split,
            "first": self.first,
            "count": self.count,
            "device": self.device,
            "source_index_sha256": hashlib.sha256(open_store(self.source).read_bytes("index.json")).hexdigest(),
            "checkpoint_sha256": self.checkpoint_sha256,
            "checkpoint": f"{info['stage']}, step {info['step']}, size {info['size']}",
        }
        return CorpusDescription(
            name=self.name,
            recipe="fusion-data",
            parameters=parameters,
            seed=0,
            num_clips=len(clips),
            clips_per_shard=self.clips_per_shard,
            num_train=sum(clip.split == "train" for clip in clips),
            code_version=f"{importlib.metadata.version('vosforge')}+fusion.{FUSION_DATA_VERSION}",
        )


def make_fusion_data(
    job: FusionDataJob,
    farm: FarmSettings,
    on_begin: Callable[[int], None] = lambda _num_clips: None,
    on_clip: Callable[[bool], None] = lambda _is_made: None,
) -> ClipJobReport:
    """Make every clip that is not there yet; the same call again resumes.

    The bytes do not depend on the workers, only on the class of device. A clip that cannot be read is missing, with the
    reason. Raises ValueError for a checkpoint that is not a propagation network's, and CorpusMismatch when the output
    holds another corpus, or source, checkpoint or settings are others than before; NoNodeLeft.
    """
    corpus = Corpus.open(job.source)
    clips = job.clips(corpus)
    # From the file, which the workers will read, whatever this process has loaded before.
    _, info = load_network(job.checkpoint, sha256=job.checkpoint_sha256)
    writer = CorpusWriter(job.root, job.description(clips, info))
    facts = {"asset": corpus.index["name"], "kind": "corpus", "status": "used", "source": str(corpus.root)}
    corpus.close()
    return run_clip_job(
        writer,
        make_fusion_clip,
        clips.__getitem__,
        farm,
        shared=job,
        assets=[facts],
        on_begin=on_begin,
        on_clip=on_clip,
    )


def clips_without_samples(root: str) -> list[str]:
    """Return the keys of the clips of finished fusion data that training cannot draw from, by the order of the clips.

    Those in which no two references know one object in a third frame. ValueError when no clip has such references.
    """
    corpus = Corpus.open(root)
    empty = [
        clip.key
        for clip in corpus.clips
        if not fusion_pairs(references_of(corpus.metadata(clip.key)), corpus.annotated_frames(clip.key))
    ]
    corpus.close()
    if empty and len(empty) == len(corpus.clips):
        raise ValueError(
            f"{root}: in none of its {len(empty)} clips two references know one object in a third frame, so no fusion "
            f"can be trained on it; {MORE_REFERENCES}"
        )
    return empty
