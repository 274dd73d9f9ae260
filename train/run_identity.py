"""What makes a run the same run: two requests with one identity continue one another."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, fields
from pathlib import Path
from typing import Any

from ..datagen.compositing.still_folder import StillFolder
from ..datagen.storage.files import sha256_of_file
from ..datagen.storage.store import open_store
from .request import RunRequest
from .sample_settings import names_of_settings, settings_class, whole_sample_settings
from .stage import Stage

# Fields of a stage that are code or text, not settings of a run.
_NOT_SETTINGS = {
    "summary",
    "start_from",
    "network",
    "step",
    "needs_init",
    "sources",
    "size",
    "num_steps",
    "batch_size",
    "crop_size",
}
FINGERPRINT = "stills_fingerprint"
# In config.json of runs from before -> now.
_NAMES_OF_BEFORE = {"propagation_sha256": "companion_sha256"}


def run_identity(request: RunRequest, init_sha256: str | None = None) -> dict[str, Any]:
    """Everything that makes a run what it is; two requests with the same identity continue one another.

    Its sample_settings are whole, so that a default that has changed since is seen. Device, precision, numbers of
    processes and of workers, places of the data and how often something is written are not part of it. init_sha256: of
    the --init that the run began with, where that need not be read again.
    """
    stage = {
        field.name: _plain(getattr(request.stage, field.name))
        for field in fields(request.stage)
        if field.name not in _NOT_SETTINGS
    }
    own = {name: request.resolved(name) for name in ("size", "num_steps", "batch_size", "crop_size")}
    own["sample_settings"] = _plain(whole_sample_settings(request.stage, own["crop_size"]))
    data = [{**_digest(place), "weight": weight} for place, weight in request.data]
    init = None if request.init is None else init_sha256 or sha256_of_file(request.init)
    identity = {**stage, **own, "seed": request.seed, "init_sha256": init, "data": data}
    if request.companion is not None:
        identity["companion_sha256"] = sha256_of_file(request.companion)
    return identity


def with_defaults(identity: Mapping[str, Any], stage: Stage, asked: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return an identity read from a config.json with today's defaults for what it lacks of the stage and its samples.

    Runs from before the identity held them whole have those that their stage set; later ones lack what is new since.
    asked: today's identity, whose folders of stills are taken for those of a run from before they were looked at.
    """
    identity = {_NAMES_OF_BEFORE.get(name, name): value for name, value in identity.items()}
    new = {
        field.name: _plain(field.default)
        for field in fields(Stage)
        if field.name not in _NOT_SETTINGS and field.default is not MISSING
    }
    defaults = _plain(asdict(settings_class(stage.data)[0]()))
    stored = identity.get("sample_settings") or {}
    known = {name: defaults[name] for name in names_of_settings(stage.data)}
    data = _with_fingerprints(identity.get("data", []), (asked or {}).get("data", []))
    return {**new, **identity, "data": data, "sample_settings": {**stored, **_over(known, stored)}}


def _with_fingerprints(stored: Sequence[Mapping[str, Any]], asked: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    known = [{FINGERPRINT: entry[FINGERPRINT]} if FINGERPRINT in entry else {} for entry in asked]
    known += [{}] * len(stored)
    return [
        {**(today if entry.get("index_sha256") is None else {}), **entry}
        for entry, today in zip(stored, known, strict=False)
    ]


def _over(defaults: Mapping[str, Any], stored: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _over(value, stored.get(name, {})) if isinstance(value, Mapping) else stored.get(name, value)
        for name, value in defaults.items()
    }


def _digest(place: Path | str) -> dict[str, Any]:
    sha256 = index_sha256(place)
    if sha256 is not None or not Path(place).is_dir():
        return {"index_sha256": sha256}
    return {"index_sha256": None, FINGERPRINT: StillFolder(place).fingerprint()}


def index_sha256(place: Path | str) -> str | None:
    """SHA-256 of the index of a corpus; None for what is none."""
    store = open_store(place)
    if store.size("index.json") is None:
        return None
    return hashlib.sha256(store.read_bytes("index.json")).hexdigest()


def _plain(value: Any) -> Any:
    if hasattr(value, "__dataclass_fields__"):
        value = asdict(value)
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple | list) else value
