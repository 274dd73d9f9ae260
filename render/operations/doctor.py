"""Diagnose the machines that shall render: what is wrong with each, and in what a node differs from the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...datagen.farm.farm import FarmSettings, run_on_every_node
from ..assets.scan import AssetFolders
from .node_report import PROBE_LIMIT_SECONDS, examine_node


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """What was found. nodes: {name: report of `examine_node`}. problems, warnings: lines that name their node."""

    nodes: dict[str, dict[str, Any]]
    problems: tuple[str, ...]
    warnings: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Every field by its name."""
        return {"nodes": self.nodes, "problems": list(self.problems), "warnings": list(self.warnings)}


def diagnose(
    folders: AssetFolders, device: str = "auto", engine: str = "cycles", address: str | None = None
) -> Diagnosis:
    """Examine this machine, or with `address` every node of that Ray cluster, and compare the nodes.

    Raises ValueError when the cluster cannot be reached.
    """
    order = {
        "device": device,
        "engine": engine,
        "folders": {
            name: [str(path.resolve()) for path in getattr(folders, name)]
            for name in ("models", "textures", "backgrounds", "hdris")
        },
    }
    if address is None:
        report = examine_node(order)
        return make_diagnosis({report["host"]: report}, {})
    settings = FarmSettings(executor="ray", address=address)
    outcomes = run_on_every_node(examine_node, order, settings, limit_seconds=2 * PROBE_LIMIT_SECONDS)
    reports, failed = {}, {}
    seen: Counter[str] = Counter()
    for outcome in outcomes:
        seen[outcome.task_id] += 1
        # Several Ray nodes may share one machine, and so its name and address.
        name = outcome.task_id if seen[outcome.task_id] == 1 else f"{outcome.task_id}#{seen[outcome.task_id]}"
        if outcome.failure is None:
            reports[name] = outcome.value
        else:
            failed[name] = outcome.failure.message
    return make_diagnosis(reports, failed)


def make_diagnosis(reports: Mapping[str, dict[str, Any]], failed: Mapping[str, str]) -> Diagnosis:
    """Put reports together. failed: {node: why it gave no report}."""
    problems = [f"{node}: {problem}" for node, report in reports.items() for problem in report["problems"]]
    problems += [f"{node}: cannot be examined: {reason}" for node, reason in failed.items()]
    warnings = [f"{node}: {warning}" for node, report in reports.items() for warning in report["warnings"]]
    problems += _differences(reports)
    return Diagnosis(nodes=dict(reports), problems=tuple(problems), warnings=tuple(warnings))


def _differences(reports: Mapping[str, dict[str, Any]]) -> list[str]:
    """One line for each node and each thing in which it is not like most of the others."""
    facts: dict[str, dict[str, str]] = {}
    for node, report in reports.items():
        for package, version in report["versions"].items():
            facts.setdefault(f"version of {package}", {})[node] = version
        facts.setdefault("assets", {})[node] = report["assets"]
        for frame in report["probe"].get("frames", ()):
            api = frame["device"].split(":")[0]
            facts.setdefault(f"probe frame on {api}", {})[node] = frame["sha256"]
    lines = []
    for fact, values in facts.items():
        # Among equally frequent values that of the first node stands.
        usual = Counter(values.values()).most_common(1)[0][0]
        for node, value in values.items():
            if value != usual:
                like = next(other for other, theirs in values.items() if theirs == usual)
                detail = f"{_short(value)}, on {like} it is {_short(usual)}"
                if fact.startswith("probe frame"):
                    detail += f" ({reports[node]['cpu']}; there {reports[like]['cpu']})"
                lines.append(f"{node} differs: {fact} is {detail}")
    return lines


def _short(value: str) -> str:
    if not value:
        return "not there"
    return value[:12] if len(value) == 64 else value
