"""Measure models in Blender child processes; a file that crashes Blender costs that file alone."""

from __future__ import annotations

import json
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ..process.child import run_child
from ..process.failures import ChildFailure, explain_failure
from .cache import Measurements
from .pool import Asset

CRASHES_BEFORE_QUARANTINE = 2
BATCH_SIZE = 200
"""Models measured by one process: few enough that a killed scan loses little, enough that its start costs little."""


def measure_models(
    candidates: Sequence[Asset],
    known: Measurements,
    *,
    limit_seconds: float = 120.0,
    num_workers: int = 1,
    on_measured: Callable[[int, int], None] = lambda _done, _total: None,
    on_batch: Callable[[Measurements], None] = lambda _answers: None,
) -> Measurements:
    """Measurements by content (see `content_of`) of every candidate; those in `known` are not loaded again.

    limit_seconds: wall-clock limit of one model. num_workers: processes at once. on_measured: called with how many are
    done of how many. on_batch: called with the new answers of each batch, so that a killed scan can go on from there.
    Raises ValueError when Blender does not start at all.
    """
    answers = {content_of(asset): known[content_of(asset)] for asset in candidates if content_of(asset) in known}
    waiting = list({content_of(asset): asset for asset in candidates if content_of(asset) not in answers}.items())
    total = len(answers) + len(waiting)
    # Batches are dealt like cards, so that the large models of one folder do not end up with one process.
    num_batches = max(-(-len(waiting) // BATCH_SIZE), min(num_workers, len(waiting)))
    batches = [waiting[start::num_batches] for start in range(num_batches)]
    with ThreadPoolExecutor(max(num_workers, 1)) as threads:
        for measured in threads.map(lambda batch: _measure_all(batch, limit_seconds), batches):
            answers |= measured
            on_batch(measured)
            on_measured(len(answers), total)
    return answers


def content_of(asset: Asset) -> str:
    """What a measurement depends on: the format and the content, with the files it refers to."""
    return f"{Path(asset.path).suffix}:{asset.sha256}"


def _measure_all(batch: list[tuple[str, Asset]], limit_seconds: float) -> Measurements:
    """Measure a batch, in a new process after each crash; the file that crashed it twice is quarantined."""
    answers: Measurements = {}
    crashes: Counter[str] = Counter()
    while waiting := [(content, asset) for content, asset in batch if content not in answers]:
        measured, failure = _measure_batch([asset.path for _, asset in waiting], limit_seconds)
        for (content, _), answer in zip(waiting, measured, strict=False):
            answers[content] = answer
        if failure is not None and len(measured) < len(waiting):
            content = waiting[len(measured)][0]
            crashes[content] += 1
            if crashes[content] == CRASHES_BEFORE_QUARANTINE:
                answers[content] = {"reason": f"{failure.kind}: {failure}"}
    return answers


def _measure_batch(paths: list[str], limit_seconds: float) -> tuple[list[dict[str, Any]], ChildFailure | None]:
    """Measure models in one child process until the end or a crash; returns (answers so far, failure or None).

    A damaged file can ask for any amount of memory: the process is ended when it takes half of the machine's.
    """
    with tempfile.TemporaryDirectory(prefix="vosforge-scan-") as folder:
        request, answers, log = (Path(folder, name) for name in ("request.json", "answers.jsonl", "output.log"))
        request.write_text(json.dumps(paths))
        limit_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
        result = run_child(["scan", str(request), str(answers)], log, limit_seconds, answers, limit_bytes=limit_bytes)
        if not answers.exists():
            failure = explain_failure(result, limit_seconds, limit_bytes)
            raise ValueError(f"Blender does not start: {failure}; `vosforge-render doctor` says what is missing")
        measured = [json.loads(line) for line in answers.read_text().split("\n")[:-1]]
    return measured, None if result.returncode == 0 else explain_failure(result, limit_seconds, limit_bytes)
