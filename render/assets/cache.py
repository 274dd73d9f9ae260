"""Measurements of models by content hash, kept for the next command: each file is loaded once a machine."""

from __future__ import annotations

import importlib.metadata
import os
from pathlib import Path
from typing import Any

from ...datagen.storage.files import atomic_write_json, read_json

CACHE_VARIABLE = "VOSFORGE_CACHE"
MEASUREMENT_VERSION = 4
"""Raised when `measure_model` answers more or differently."""

Measurements = dict[str, dict[str, Any]]


def cache_path() -> Path:
    """The cache file: `assets.json` in $VOSFORGE_CACHE, else in vosforge/ of the user's cache folder."""
    if folder := os.environ.get(CACHE_VARIABLE):
        return Path(folder) / "assets.json"
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "vosforge" / "assets.json"


def load_measurements() -> Measurements:
    """What is known of models by content; empty without a cache, with a damaged one or one of another version."""
    try:
        content = read_json(cache_path())
    except (OSError, ValueError):
        return {}
    if not isinstance(content, dict) or content.get("version") != _version():
        return {}
    return content["models"]


def save_measurements(measurements: Measurements) -> None:
    """Add measurements to the cache; a cache that cannot be written costs time next time, nothing else.

    Verdicts that may have been the machine's fault (a time limit, a full memory) are not kept.
    """
    lasting = {content: answer for content, answer in measurements.items() if is_lasting(answer)}
    path = cache_path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write_json(path, {"version": _version(), "models": load_measurements() | lasting})
    except OSError:
        return


def is_lasting(answer: dict[str, Any]) -> bool:
    """Whether a measurement says something of the file alone."""
    return not answer.get("reason", "").startswith(("timeout: ", "memory: "))


def _version() -> str:
    """A measurement depends on the code that measures and on the Blender that loads."""
    try:
        blender = importlib.metadata.version("bpy")
    except importlib.metadata.PackageNotFoundError:
        blender = "none"
    return f"{MEASUREMENT_VERSION}, bpy {blender}"
