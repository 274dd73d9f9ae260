"""What one machine can render, as plain data: versions, libraries, devices, a probe frame of each, space, assets."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
import shutil
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any

from ..assets.files import find_assets, label_of
from ..assets.scan import AssetFolders
from ..process.child import run_child
from .system_libraries import advice, missing_for_blender, missing_libraries

PACKAGES = ("vosforge", "bpy", "blenderproc", "numpy", "opencv-python-headless", "ray")
PROBE_LIMIT_SECONDS = 600.0
"""The first render on a GPU compiles kernels, which takes minutes."""
SMALLEST_SHM_BYTES = 100 * 10**6
SMALLEST_DISK_BYTES = 2 * 10**9


def examine_node(order: dict[str, Any]) -> dict[str, Any]:
    """Look at the machine that this runs on; a function of plain data, so that it runs on any node.

    order: {"device", "engine", "folders": {field of AssetFolders: [path]}}. Returns {"host", "platform", "cpu", "cpus",
    "memory_bytes", "versions": {package: version}, "space": {folder: free bytes}, "assets": fingerprint or "",
    "num_assets", "probe": the answer of `devices.probe`, "problems": [what makes rendering impossible], "warnings"}.
    """
    problems: list[str] = []
    warnings: list[str] = []
    versions = {"python": platform.python_version()} | {name: _version(name) for name in PACKAGES}
    for name in ("bpy", "blenderproc"):
        if versions[name] == "not installed":
            problems.append(f"{name} is not installed; pip install 'vosforge[render]' on Python 3.11")
    libraries = missing_for_blender()
    if libraries:
        problems.append(advice(libraries))
    probe = _probe(order, problems) if versions["bpy"] != "not installed" else {}
    if probe.get("refused"):
        problems.append(probe["refused"])
    space = _space(warnings)
    assets, count = _assets(order["folders"], problems)
    return {
        "host": socket.gethostname(),
        "platform": platform.platform(),
        "cpu": _cpu_model(),
        "cpus": os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "versions": versions,
        "space": space,
        "assets": assets,
        "num_assets": count,
        "probe": probe,
        "problems": problems,
        "warnings": warnings,
    }


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _probe(order: dict[str, Any], problems: list[str]) -> dict[str, Any]:
    """The devices and a frame of each, from a Blender child process; what stops it is added to `problems`."""
    with tempfile.TemporaryDirectory(prefix="vosforge-doctor-") as folder:
        request, answer, log = (Path(folder, name) for name in ("request.json", "answer.json", "output.log"))
        request.write_text(json.dumps({"device": order["device"], "engine": order["engine"], "frame": True}))
        result = run_child(["probe", str(request), str(answer)], log, PROBE_LIMIT_SECONDS)
        if result.returncode == 0 and answer.exists():
            return json.loads(answer.read_text())
        output = log.read_text(errors="replace")
    libraries = missing_libraries(output)
    if libraries:
        line = advice(libraries)
    else:
        from ..process.failures import explain_failure

        failure = explain_failure(result, PROBE_LIMIT_SECONDS)
        line = f"Blender renders no frame: {failure.kind}: {failure}"
    if line not in problems:
        problems.append(line)
    return {}


def _space(warnings: list[str]) -> dict[str, int]:
    """Free bytes of the RAM disk and of the folder for temporary files."""
    space = {}
    for folder, least in (("/dev/shm", SMALLEST_SHM_BYTES), (tempfile.gettempdir(), SMALLEST_DISK_BYTES)):
        if not Path(folder).is_dir():
            warnings.append(f"{folder} is not there; frames go through {tempfile.gettempdir()}")
            continue
        space[folder] = shutil.disk_usage(folder).free
        if space[folder] < least:
            warnings.append(
                f"{folder} has {space[folder] / 1e6:.0f} MB free; frames on their way need {least / 1e6:.0f}"
            )
    return space


def _assets(folders: dict[str, list[str]], problems: list[str]) -> tuple[str, int]:
    """(fingerprint over the names and contents of all asset files, their number); "" when no folder is given."""
    digest, count = hashlib.sha256(), 0
    for kind, places in (
        AssetFolders(**{name: tuple(map(Path, paths)) for name, paths in folders.items()}).by_kind().items()
    ):
        for place in places:
            try:
                found = find_assets(kind, place, label_of(place, places))
            except ValueError as error:
                problems.append(str(error))
                continue
            for asset in found:
                digest.update(json.dumps((kind, asset.name, asset.sha256)).encode())
            count += len(found)
    return digest.hexdigest() if count else "", count


def _cpu_model() -> str:
    """The name of the processor; frames are the same byte by byte on one class of processors."""
    if sys.platform.startswith("linux"):
        for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
