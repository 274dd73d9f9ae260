"""`vosforge-render doctor`: what can render here, or on every node of a cluster."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from .options import AssetOptions

if TYPE_CHECKING:
    from ..operations.doctor import Diagnosis


@dataclass(frozen=True, kw_only=True)
class Doctor(AssetOptions):
    """Say what can render here: versions, system libraries, devices with a timed probe frame each, space.

    With --address on every node of the cluster, which must agree in versions, assets and the probe frame. Exit code 1
    when something is wrong.
    """

    address: str | None = None
    """Ray cluster whose nodes are examined, e.g. auto or host:6379; only this machine when left out."""
    device: Literal["auto", "cpu", "cuda", "optix"] = "auto"
    """What is to render; a named device that is missing is a fault."""
    engine: Literal["cycles", "eevee"] = "cycles"
    """eevee is a fault where OpenGL is software."""
    json: Path | None = None
    """File for everything found, as JSON."""


def run(arguments: Doctor) -> int:
    """Examine, print; returns 0, or 1 when something is wrong."""
    from rich.console import Console

    from ...datagen.storage.files import atomic_write_json
    from ..operations.doctor import diagnose
    from .options import check_installed

    if arguments.address is not None:
        check_installed(("ray", "farm"))
    found = diagnose(arguments.folders(), arguments.device, arguments.engine, arguments.address)
    console = Console(markup=False, highlight=False, soft_wrap=True)
    for node, report in found.nodes.items():
        console.print(_node(node, report))
    _print_verdict(found, console)
    if arguments.json is not None:
        atomic_write_json(arguments.json, found.as_json())
    return 1 if found.problems else 0


def _node(name: str, report: dict[str, Any]) -> str:
    probe = report["probe"]
    space = ", ".join(f"{folder} {free / 1e9:.1f} GB free" for folder, free in report["space"].items())
    lines = [
        f"{name}: {report['cpu']}, {report['cpus']} cores, {report['memory_bytes'] / 2**30:.1f} GiB",
        "  versions   " + ", ".join(f"{package} {version}" for package, version in report["versions"].items()),
        f"  space      {space}",
    ]
    lines += [f"  device     {device['api']}: {device['name']}" for device in probe.get("devices", ())]
    lines += [
        f"  frame      {frame['device']}: {frame['seconds']:.2f} s, sha256 {frame['sha256'][:12]}"
        for frame in probe.get("frames", ())
    ]
    if probe:
        lines.append(f"  eevee      {probe['eevee_refusal'] or 'has a real GPU'}")
    if report["num_assets"]:
        lines.append(f"  assets     {report['num_assets']} files, fingerprint {report['assets'][:12]}")
    return "\n".join(lines)


def _print_verdict(found: Diagnosis, console: Any) -> None:
    for warning in found.warnings:
        console.print(f"warning: {warning}", style="yellow")
    for problem in found.problems:
        console.print(f"fault: {problem}", style="red")
    if not found.problems:
        count = len(found.nodes)
        console.print("this machine renders" if count == 1 else f"all {count} nodes render and agree")
