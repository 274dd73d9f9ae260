"""Refuse a renderer that is not there before the output folder is touched: in the place where the clips will run."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from ...datagen.farm.farm import FarmSettings, run_tasks
from ..process.child import explain_failure, run_child
from .job import RenderJob

PROBE_LIMIT_SECONDS = 300.0


def check_renderer(job: RenderJob, farm: FarmSettings) -> None:
    """Raise ValueError when the named device or EEVEE cannot render where a task of the farm runs.

    The CPU and `auto` under Cycles work wherever Blender does, and are not asked about.
    """
    render = job.settings.render
    if render.device in ("auto", "cpu") and render.engine == "cycles":
        return
    order = {"device": render.device, "engine": render.engine, "frame": False}
    outcome = next(iter(run_tasks(probe, [("probe", (job.worker, order))], farm)))
    refusal = outcome.failure.message if outcome.failure else outcome.value.get("refused")
    if refusal:
        raise ValueError(f"{outcome.host or 'the farm'} cannot render: {refusal}")


def probe(payload: tuple[str, dict]) -> dict[str, Any]:
    """Ask a worker, (module, {"device", "engine", "frame"}), what renders here; returns its answer, see devices.probe.

    Raises ChildFailure when it does not answer.
    """
    worker, order = payload
    with tempfile.TemporaryDirectory(prefix="vosforge-probe-") as folder:
        request, answer, log = (Path(folder, name) for name in ("request.json", "answer.json", "output.log"))
        request.write_text(json.dumps(order))
        result = run_child(["probe", str(request), str(answer)], log, PROBE_LIMIT_SECONDS, worker=worker)
        if result.returncode != 0 or not answer.exists():
            raise explain_failure(result, PROBE_LIMIT_SECONDS)
        return json.loads(answer.read_text())
