"""Synthesize a corpus of pretraining sequences ahead of time: one sequence of a still becomes one clip."""

import dataclasses
import functools
import importlib.metadata
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..corpus.description import CorpusDescription
from ..corpus.records import clip_key, ids_name, image_name, metadata_name
from ..farm.farm import FarmSettings
from ..imaging.images import encode_jpeg, encode_palette_png
from ..writing.clip_job import ClipJobReport, run_clip_job
from ..writing.parts import commit_part
from ..writing.writer import CorpusWriter
from .sequence import StillSequence, sample_sequence
from .settings import SequenceSettings
from .stills import StillMixture, StillSource

SYNTHESIS_VERSION = 1
"""Raised whenever the same stills, settings and seed give other bytes than before."""
CLIPS_PER_TASK = 32
_DEALING_STREAM, _SEQUENCE_STREAM = range(2)


@dataclass(frozen=True, kw_only=True)
class SynthesisJob:
    """What is synthesized, and where to.

    root: folder or URL of the corpus; it and the stills must be reachable from every node. name: prefix of the keys.
    backgrounds: where replaced backgrounds come from, None for the stills. origin: one line on where the stills lie,
    for the ledger.
    """

    root: str
    stills: StillSource
    num_clips: int
    settings: SequenceSettings = field(default_factory=SequenceSettings)
    backgrounds: StillSource | None = None
    seed: int = 0
    name: str = "stills"
    clips_per_shard: int = 1000
    val_every: int = 0
    origin: str = ""

    def __post_init__(self) -> None:
        # Workers on other nodes have another current directory.
        root = str(self.root)
        repeats = isinstance(self.stills, StillMixture) and self.stills.has_repeats()
        borrows = self.settings.num_pasted[1] or self.settings.background_probability
        if self.val_every and (repeats or borrows or self.num_clips > len(self.stills)):
            raise ValueError(
                f"val_every is {self.val_every}, but stills that are shown more than once, pasted or taken for "
                "backgrounds would be in train and val; make two corpora, from two sets of stills"
            )
        object.__setattr__(self, "root", root if "://" in root else str(Path(root).resolve()))

    def description(self) -> CorpusDescription:
        """What the corpus is; the fingerprints tell when the stills are others than before."""
        parameters = dataclasses.asdict(self.settings)
        for name in ("still_jitter", "frame_jitter"):
            parameters |= {f"{name}.{field}": value for field, value in parameters.pop(name).items()}
        parameters |= {"num_stills": len(self.stills), "stills": self.stills.fingerprint()}
        if self.backgrounds is not None:
            parameters["backgrounds"] = self.backgrounds.fingerprint()
        return CorpusDescription(
            name=self.name,
            recipe="stills",
            parameters=parameters,
            seed=self.seed,
            num_clips=self.num_clips,
            clips_per_shard=self.clips_per_shard,
            val_every=self.val_every,
            code_version=f"{importlib.metadata.version('vosforge')}+synthesis.{SYNTHESIS_VERSION}",
        )

    def still_number(self, index: int) -> int:
        """Return which still clip `index` shows: they are dealt without replacement, one permutation after another."""
        cycle, dealt = divmod(index, len(self.stills))
        return int(_permutation(self.seed, cycle, len(self.stills))[dealt])


def synthesize_corpus(
    job: SynthesisJob,
    farm: FarmSettings,
    on_begin: Callable[[int], None] = lambda _num_clips: None,
    on_clip: Callable[[bool], None] = lambda _is_made: None,
) -> ClipJobReport:
    """Synthesize every clip that is not there yet; the same call again resumes.

    The bytes of the corpus do not depend on the workers. A clip whose still is broken is missing, with the reason.
    Raises CorpusMismatch when the output holds another corpus, or the stills or settings are others than before;
    NoNodeLeft.
    """
    writer = CorpusWriter(job.root, job.description())
    return run_clip_job(
        writer,
        synthesize_clip,
        job.still_number,
        farm,
        shared=job,
        clips_per_task=CLIPS_PER_TASK,
        assets=[{"asset": "stills", "kind": "stills", "status": "used", "source": job.origin}],
        on_begin=on_begin,
        on_clip=on_clip,
    )


def synthesize_clip(job: SynthesisJob, index: int, number: int) -> dict[str, Any]:
    """Draw a sequence of still `number`, commit it as clip `index` and return its statistics; ValueError, OSError."""
    cv2.setNumThreads(0)
    rng = np.random.default_rng(np.random.SeedSequence(job.seed, spawn_key=(_SEQUENCE_STREAM, index)))
    sequence = sample_sequence(rng, job.stills, number, job.settings, job.backgrounds)
    key = clip_key(job.name, index)
    members: list[tuple[str, bytes]] = []
    for frame, (rgb, ids) in enumerate(zip(sequence.rgb, sequence.ids, strict=True)):
        members += [(image_name(key, frame), encode_jpeg(rgb)), (ids_name(key, frame), encode_palette_png(ids))]
    num_frames, size = sequence.ids.shape[:2]
    objects = _objects(sequence)
    metadata = {
        "key": key,
        "index": index,
        "seed": job.seed,
        "recipe": "stills",
        "num_frames": num_frames,
        "width": size,
        "height": size,
        "objects": objects,
        "labelled": list(sequence.object_ids),
        "source": {"still": sequence.key},
        "unannotated_frames": [],
    }
    statistics = {
        "num_frames": num_frames,
        "width": size,
        "height": size,
        "still": sequence.key,
        "objects": [{"id": entry["id"], "mean_area": float(np.mean(entry["area"]))} for entry in objects],
    }
    members.append((metadata_name(key), json.dumps(metadata, sort_keys=True, allow_nan=False).encode()))
    commit_part(job.root, key, index, members, statistics)
    return {"still": sequence.key}


def _objects(sequence: StillSequence) -> list[dict[str, Any]]:
    """Area and box (left, top, right, bottom; None where nothing is seen) of each object in each frame."""
    objects = []
    for object_id, name in sorted(sequence.names.items()):
        boxes: Sequence[Any] = [cv2.boundingRect(cv2.compare(ids, object_id, cv2.CMP_EQ)) for ids in sequence.ids]
        objects.append(
            {
                "id": object_id,
                "asset": name,
                "area": [int(np.count_nonzero(ids == object_id)) for ids in sequence.ids],
                "box": [[x, y, x + width, y + height] if width else None for x, y, width, height in boxes],
            }
        )
    return objects


@functools.lru_cache(maxsize=4)
def _permutation(seed: int, cycle: int, length: int) -> np.ndarray:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_DEALING_STREAM, cycle))).permutation(length)
