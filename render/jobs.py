"""Render jobs: clip index -> scene -> Blender child process -> committed part -> shard -> index.

Running the same job again is the resume. Only a deterministic rejection advances a clip's attempt number; a crash or a
time limit repeats the same attempt, so that the bytes of a corpus do not depend on what went wrong on the way.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.metadata
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..datagen.corpus import CorpusDescription, CorpusWriter
from ..datagen.farm import FarmSettings, Outcome, run_tasks
from ..datagen.files import atomic_write_json, read_json
from ..datagen.records import clip_key
from .asset_scan import scan_assets
from .assets import AssetPool, ledger_rows
from .checks import RejectedScene
from .child import explain_failure, run_child
from .randomness import ClipRandomness
from .recipes import RecipeSettings, sample_scene
from .worker import EXIT_REJECTED

ASSET_CACHE = "journal/assets.json"


class ClipFailed(RuntimeError):
    """A clip that could not be made; the message says why and what happened on the way."""


@dataclass(frozen=True, kw_only=True)
class RenderJob:
    """Everything a worker needs to make any clip of a corpus.

    smallest_visible_share: share of the frames in which every object must cover `smallest_visible_area` pixels.
    clip_limit_seconds: wall-clock limit of one Blender process. child_retries: repeats of one attempt after a crash.
    """

    root: Path
    name: str
    seed: int
    num_clips: int
    settings: RecipeSettings
    assets: AssetPool
    clips_per_shard: int = 8
    val_every: int = 10
    max_attempts: int = 20
    child_retries: int = 1
    clip_limit_seconds: float = 3600.0
    smallest_visible_area: int = 16
    smallest_visible_share: float = 0.2

    def description(self) -> CorpusDescription:
        """What the corpus is: equal descriptions give equal bytes on one class of CPU."""
        parameters = _flatten(dataclasses.asdict(self.settings))
        parameters.pop("render.threads")
        parameters |= {
            "assets": self.assets.fingerprint(),
            "blender": _blender_version(),
            "max_attempts": self.max_attempts,
            "smallest_visible_area": self.smallest_visible_area,
            "smallest_visible_share": self.smallest_visible_share,
        }
        return CorpusDescription(
            name=self.name,
            recipe=self.settings.name,
            parameters=parameters,
            seed=self.seed,
            num_clips=self.num_clips,
            clips_per_shard=self.clips_per_shard,
            val_every=self.val_every,
            code_version=importlib.metadata.version("vosforge"),
        )


@dataclass(frozen=True, kw_only=True)
class JobReport:
    """How a run ended: clips made now, clips there already, and the reasons of those that are missing."""

    made: int
    already_there: int
    missing: dict[str, str]
    rejections: int
    index_path: Path


def render_corpus(
    job: RenderJob,
    farm: FarmSettings,
    measured: dict[str, dict] | None = None,
    on_clip: Callable[[bool], None] = lambda _is_made: None,
    on_begin: Callable[[int], None] = lambda _num_clips: None,
) -> JobReport:
    """Make every clip that is not there yet, assemble shards as blocks fill up, write the index last.

    measured: model measurements to keep in the journal for the next scan. on_begin: called with the number of clips to
    make. on_clip: called with whether it was made, once a clip has ended.
    A failing clip is recorded with its reason and does not stop the others. Raises CorpusMismatch (a ValueError) when
    the folder holds another corpus.
    """
    writer = CorpusWriter(job.root, job.description())
    try:
        atomic_write_json(job.root / ASSET_CACHE, measured or {})
        waiting = [index for index in range(job.num_clips) if not writer.done(index)]
        missing: dict[int, str] = {}
        rejections = 0
        tasks = [(writer.key(index), (job, index)) for index in waiting]
        on_begin(len(waiting))
        indices = {writer.key(index): index for index in waiting}
        for outcome in run_tasks(render_clip, tasks, farm) if tasks else ():
            index = indices[outcome.task_id]
            reason = _reason_missing(outcome, writer.done(index))
            if reason is None:
                rejections += len(outcome.value["rejections"])
            else:
                missing[index] = reason
            writer.journal(_journal_entry(outcome, reason))
            writer.assemble_ready(frozenset(missing))
            on_clip(reason is None)
        writer.assemble_ready(frozenset(missing))
        writer.write_assets(ledger_rows(job.assets, _used_assets(job.root)))
        index_path = writer.finish(missing)
    finally:
        writer.close()
    return JobReport(
        made=len(waiting) - len(missing),
        already_there=job.num_clips - len(waiting),
        missing={writer.key(index): reason for index, reason in sorted(missing.items())},
        rejections=rejections,
        index_path=index_path,
    )


def render_clip(payload: tuple[RenderJob, int]) -> dict[str, Any]:
    """Make one clip: draw a scene, render it in a child process, draw again after a rejection.

    Returns {"key", "attempt", "rejections", "frames", "seconds", "device"}; the frames themselves are committed as a
    part. Raises ClipFailed with the reason. A pure function of the job and the index, apart from crashes.
    """
    job, index = payload
    key = clip_key(job.name, index)
    if not (job.root / "journal/corpus.json").exists():
        raise ClipFailed(f"{job.root} is not there on this node; all nodes must share the output folder")
    rejections: list[str] = []
    staging = job.root / "staging"
    with tempfile.TemporaryDirectory(prefix=f"{key}-", dir=staging if staging.is_dir() else None) as folder:
        for attempt in range(job.max_attempts):
            try:
                spec = sample_scene(
                    ClipRandomness(seed=job.seed, index=index, attempt=attempt), job.assets, job.settings
                )
                answer = _render_attempt(job, key, spec.to_json(), Path(folder))
            except RejectedScene as rejection:
                rejections.append(f"attempt {attempt}: {rejection}")
                continue
            return {"key": key, "attempt": attempt, "rejections": rejections, **answer}
    raise ClipFailed(f"all {job.max_attempts} attempts were rejected; the last: {rejections[-1]}")


def _render_attempt(job: RenderJob, key: str, spec: str, folder: Path) -> dict[str, Any]:
    """Run one attempt in a child process; repeat it after a crash. Returns the child's answer."""
    request, answer, log = folder / "request.json", folder / "answer.json", folder / "output.log"
    checks = {"smallest_area": job.smallest_visible_area, "smallest_share": job.smallest_visible_share}
    order = {"root": str(job.root.resolve()), "key": key, "seed": job.seed, "spec": spec, "checks": checks}
    request.write_text(json.dumps(order))
    for _ in range(job.child_retries + 1):
        result = run_child(["render", str(request), str(answer)], log, job.clip_limit_seconds)
        if result.returncode == 0:
            return json.loads(answer.read_text())
        if result.returncode == EXIT_REJECTED:
            verdict = json.loads(answer.read_text())
            raise RejectedScene(verdict["rejected"], verdict["detail"])
    _keep_log(job.root, key, log)
    raise explain_failure(result, job.clip_limit_seconds)


def _keep_log(root: Path, key: str, log: Path) -> None:
    """Keep the output of a failed Blender process beside the journal."""
    folder = root / "journal" / "logs"
    with contextlib.suppress(OSError):  # the failure itself matters more than its log
        folder.mkdir(exist_ok=True)
        shutil.copyfile(log, folder / f"{key}.log")


def _reason_missing(outcome: Outcome, is_done: bool) -> str | None:
    if outcome.failure is not None:
        return outcome.failure.message
    if not is_done:
        return f"rendered on {outcome.host}, but its part is not in the output folder; nodes must share that folder"
    return None


def _journal_entry(outcome: Outcome, reason: str | None) -> dict[str, Any]:
    entry = {"event": "clip", "key": outcome.task_id, "host": outcome.host, "wall_seconds": round(outcome.seconds, 3)}
    if reason is not None:
        return {**entry, "event": "clip failed", "reason": reason, "attempts": outcome.attempts}
    return {**entry, **outcome.value}


def _used_assets(root: Path) -> Iterator[str]:
    for manifest in sorted((root / "shards").glob("clips-?????.json")):
        for clip in json.loads(manifest.read_text())["clips"]:
            yield from clip["statistics"]["assets"]


def _blender_version() -> str:
    """The version of bpy; another Blender renders other bytes."""
    try:
        return importlib.metadata.version("bpy")
    except importlib.metadata.PackageNotFoundError:
        return "none"


def _flatten(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """{"render": {"samples": 16}} -> {"render.samples": 16}, so that a mismatch names the one number that differs."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= _flatten(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return flat


def load_assets(
    root: Path, models: list[Path], textures: list[Path], backgrounds: list[Path]
) -> tuple[AssetPool, dict[str, dict]]:
    """Scan the asset folders with the measurements kept in the corpus journal; returns (pool, measurements)."""
    cache = root / ASSET_CACHE
    known = read_json(cache) if cache.exists() else {}
    return scan_assets(models, textures, backgrounds, known), known
