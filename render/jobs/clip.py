"""One clip of a render job, in the process of a farm worker: draw, render in a child process, draw again.

Only a deterministic rejection advances a clip's attempt number; a crash or a time limit repeats the same attempt, so
that the bytes of a corpus do not depend on what went wrong on the way.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
from pathlib import Path
from typing import Any

from ...datagen.corpus.records import clip_key
from ...datagen.storage.store import open_store
from ..checks import RejectedScene
from ..process.child import ChildFailure, explain_failure, run_child
from ..process.failures import EXIT_REJECTED, read_answer
from ..scene import SceneSpec
from .job import RenderJob
from .suspects import absent_files, find_culprit

SEARCH_AT_ONCE = ("timeout", "asset")
"""Failures after which the culprit is looked for before the attempt is repeated: a repeat of a hanging scene would cost
another time limit, a broken file stays broken."""


class ClipFailed(RuntimeError):
    """A clip that cannot be made on this node; the message says why."""


class PoisonFound(Exception):
    """An asset does not render even alone: {name: reason}."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.reasons = {name: reason}


def render_clip(job: RenderJob, payload: tuple[int, tuple[str, ...]]) -> dict[str, Any]:
    """Make one clip: draw a scene, render it in a child process, draw again after a rejection.

    payload: (index, names of poisoned assets). Returns {"attempt", "rejections": [[class, detail], ...]} with, when the
    clip was made and committed as a part, "frames", "seconds", "device", "peak_memory_bytes"; when it was not, either
    "poison": {asset name: reason}, found just now, or "failure": {"kind", "message"}. Raises ClipFailed when this node
    cannot make any clip. A pure function of the job and the payload, apart from crashes.
    """
    index, poisoned = payload
    key = clip_key(job.name, index)
    store = open_store(job.root)
    if store.size("journal/corpus.json") is None:
        raise ClipFailed(f"{job.root} is not there on this node; all nodes must share the output folder")
    staging = store.local_path("staging")
    rejections: list[list[str]] = []
    record: dict[str, Any] = {"rejections": rejections}
    folder = staging if staging is not None and staging.is_dir() else None
    with tempfile.TemporaryDirectory(prefix=f"{key}-", dir=folder) as scratch:
        for attempt in range(job.max_attempts):
            record["attempt"] = attempt
            try:
                spec = job.draw(index, attempt, frozenset(poisoned))
                child = _Child(job, key, Path(scratch))
                return record | child.render(spec, [reason for reason, _ in rejections])
            except RejectedScene as rejection:
                rejections.append([str(rejection.reason), rejection.detail])
            except PoisonFound as found:
                return record | {"poison": found.reasons}
            except ChildFailure as failure:
                with contextlib.suppress(OSError):  # the failure itself matters more than its log
                    store.write_bytes(f"journal/logs/{key}.log", child.log.read_bytes())
                return record | {"failure": {"kind": failure.kind, "message": f"{failure.kind}: {failure}"}}
    last = ": ".join(rejections[-1])
    message = f"all {job.max_attempts} attempts were rejected; the last: {last}"
    return record | {"failure": {"kind": "rejected", "message": message}}


class _Child:
    """The child processes of one clip, and the files through which they are given orders and answer."""

    def __init__(self, job: RenderJob, key: str, folder: Path) -> None:
        self.job, self.key, self.folder = job, key, folder
        self.log = folder / "output.log"

    def render(self, spec: SceneSpec, rejections: list[str]) -> dict[str, Any]:
        """Render one scene as the clip and return the child's answer; repeat it after a failure.

        Raises RejectedScene, PoisonFound for an asset that does not render alone, and ChildFailure otherwise.
        """
        for repeat in range(self.job.child_retries + 1):
            try:
                return self._run(spec, self.job.root, rejections, self.log, self.job.clip_limit_seconds)
            except ChildFailure as failure:
                absent = absent_files(spec)
                if absent:
                    message = f"not on this node: {', '.join(absent)}; all nodes must see the asset folders"
                    raise ChildFailure("asset", message) from failure
                searched = failure.kind in SEARCH_AT_ONCE
                is_last = repeat == self.job.child_retries
                if failure.kind != "gpu" and (is_last or searched):
                    culprit = find_culprit(spec, self._try)
                    if culprit is not None:
                        raise PoisonFound(*culprit) from failure
                if is_last:
                    raise
        raise AssertionError("the last repeat either returns or raises")

    def _try(self, spec: SceneSpec) -> ChildFailure | None:
        """Render a scene for nobody; returns why it failed."""
        with tempfile.TemporaryDirectory(prefix="suspect-", dir=self.folder) as root:
            try:
                # Not the clip's limit: a short one on a busy node would blame an innocent asset for being slow.
                self._run(spec, root, [], Path(root, "output.log"), self.job.asset_limit_seconds)
            except ChildFailure as failure:
                return failure
            except RejectedScene:
                pass  # it was rendered and found dull
        return None

    def _run(self, spec: SceneSpec, root: str, rejections: list[str], log: Path, limit: float) -> dict[str, Any]:
        request, answer = self.folder / "request.json", self.folder / "answer.json"
        answer.unlink(missing_ok=True)
        order = {"root": root, "key": self.key, "seed": self.job.seed, "spec": spec.to_json()}
        request.write_text(json.dumps({**order, "checks": self.job.settings.gate(), "rejections": rejections}))
        limit_bytes = self.job.memory_limit_bytes
        arguments = ["render", str(request), str(answer)]
        result = run_child(arguments, log, limit, limit_bytes=limit_bytes, worker=self.job.worker)
        said = read_answer(answer)
        if result.returncode == EXIT_REJECTED and "rejected" in said:
            raise RejectedScene(said["rejected"], said["detail"])
        if result.returncode != 0 or not said:
            raise explain_failure(result, limit, limit_bytes, said)
        return {**said, "peak_memory_bytes": max(result.peak_bytes, said.get("peak_memory_bytes") or 0)}
