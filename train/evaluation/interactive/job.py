"""One session on a worker of the farm: played, or read from its file when an earlier run finished it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ....datagen.imaging.images import encode_jpeg, encode_palette_png
from ....datagen.storage.files import atomic_write
from ..finished import finished_record, is_whole_jpeg
from ..jobs import frames_done
from ..methods import InferenceSettings
from ..output_folder import whole_folder
from ..sequences import AnnotatedSequence
from .play import play_sample
from .protocol import FixedClock, ProtocolSettings
from .records import SampleRecord, record_from_dict, record_to_dict
from .samples import Sample
from .strips import session_strip
from .systems import TUNING_ITERATIONS, System, open_system

SCHEMA = 2
_DECIDES_NO_SESSION = ("num_scribble_sets", "threshold_seconds")
"""Settings of the protocol that leave a session as it is, so that more sets can join those that are finished."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What all sessions of a run share.

    checkpoints: kind -> file; checkpoint_hashes: kind -> SHA-256 of it. tuning_iterations: for systems that learn each
    video. keep_masks: the last masks become PNGs.
    machine: what networks run on, "cpu" or the name of the GPU; num_workers: sessions at once. Both decide what a clock
    on the wall shows.
    """

    protocol: ProtocolSettings
    clock: FixedClock | None
    inference: InferenceSettings
    checkpoints: Mapping[str, Path]
    checkpoint_hashes: Mapping[str, str]
    out: Path
    tuning_iterations: int = TUNING_ITERATIONS
    overwrite: bool = False
    keep_masks: bool = False
    machine: str = "cpu"
    num_workers: int = 1

    def identity(self, system: System, sequence: AnnotatedSequence, sample: Sample) -> dict[str, Any]:
        """All that decides a session's scores, as plain JSON; results of other settings are never reused."""
        strokes = hashlib.sha256(str(sample.frame).encode())
        for stroke in sample.strokes:
            strokes.update(np.int64(stroke.object_id).tobytes() + stroke.path.tobytes())
        found = {
            "schema": SCHEMA,
            **{name: value for name, value in asdict(self.protocol).items() if name not in _DECIDES_NO_SESSION},
            **asdict(system),
            "clock": asdict(self.clock) if self.clock else "wall",
            **{f"{kind}_sha256": self.checkpoint_hashes[kind] for kind in system.needs},
            "num_frames": sequence.num_frames,
            "object_ids": sample.object_ids,
            "data_sha256": sample.data_sha256,
            "first_scribbles_sha256": strokes.hexdigest(),
        }
        if self.clock is None:
            found |= {"machine": self.machine if system.has_networks else "cpu", "num_workers": self.num_workers}
        if system.fusion is not None:
            found |= {"memory_every": self.inference.memory_every, "short_side": self.inference.short_side}
        if system.other is not None:
            found |= {"short_side": self.inference.short_side}
        if system.tunes:
            found |= {"tuning_iterations": self.tuning_iterations}
        return json.loads(json.dumps(found))


def finished_session(plan: Plan, system: System, sequence: AnnotatedSequence, sample: Sample) -> SampleRecord | None:
    """The record of a session that was played before, None where there is none; EvaluationError for other settings."""
    if plan.overwrite:
        return None
    identity = plan.identity(system, sequence, sample)
    return finished_record(
        _record_path(plan, system, sample), identity, lambda content: record_from_dict(content["record"])
    )


def run_session(plan: Plan, payload: tuple[System, AnnotatedSequence, Sample]) -> SampleRecord:
    """Play one session and write its record and its strip of pictures; return the record."""
    system, sequence, sample = payload
    path = _record_path(plan, system, sample)
    name = path.stem
    finished = finished_session(plan, system, sequence, sample)
    masks_folder = masks_of(plan.out, system.label) / str(sample.scribble_set) / sequence.name
    has_all = is_whole_jpeg(strip_path(plan.out, system.label, name)) and (masks_folder.is_dir() or not plan.keep_masks)
    if finished is not None and has_all:
        return finished
    session = open_system(
        system,
        plan.checkpoints,
        plan.inference,
        tuning_iterations=plan.tuning_iterations,
        hashes=plan.checkpoint_hashes,
    )
    try:
        record, masks = play_sample(
            session,
            sequence,
            sample,
            plan.protocol,
            true_masks=system.true_masks,
            clock=plan.clock,
            on_round=lambda: frames_done(sequence.num_frames),
        )
    finally:
        close = getattr(session, "close", None)
        if close is not None:
            close()
    picture = session_strip(sequence, record, masks, plan.protocol.metric, system.label)
    for target in (path, strip_path(plan.out, system.label, name)):
        target.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(strip_path(plan.out, system.label, name), encode_jpeg(picture))
    if plan.keep_masks:
        _write_masks(masks_folder, sequence, masks)
    # The record last: a session that has one is finished.
    identity = plan.identity(system, sequence, sample)
    atomic_write(path, json.dumps({"settings": identity, "record": record_to_dict(record)}, allow_nan=False).encode())
    return record


def _record_path(plan: Plan, system: System, sample: Sample) -> Path:
    return plan.out / system.label / "sessions" / f"{sample.sequence}-{sample.scribble_set:03d}.json"


def strip_path(out: Path, label: str, name: str) -> Path:
    """Where the pictures of a session are."""
    return out / label / "strips" / f"{name}.jpg"


def masks_of(out: Path, label: str) -> Path:
    """Where the masks of a system are, one folder a set of scribbles."""
    return out / label / "masks"


def _write_masks(folder: Path, sequence: AnnotatedSequence, masks: np.ndarray) -> None:
    """Write palette PNGs of uint8 ids (T, H, W) under the frames' names; the folder appears whole."""
    with whole_folder(folder) as partial:
        for name, ids in zip(sequence.frame_names, masks, strict=True):
            (partial / f"{name}.png").write_bytes(encode_palette_png(ids))
