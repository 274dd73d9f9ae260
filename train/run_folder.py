"""The folder of a run: claimed by one process, for one set of settings, which stand in its config.json."""

import contextlib
import hashlib
import json
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from ..datagen.storage import folder_lock
from ..datagen.storage.files import atomic_write_json, is_temporary, read_json, remove_files
from ..datagen.storage.store import open_store
from .request import RunRequest
from .run_identity import FINGERPRINT, run_identity, with_defaults
from .sample_settings import dotted

CONFIG_SCHEMA = 1
RAY_FOLDER = ".ray-train"
"""Where Ray Train keeps its own records while it runs."""


class RunMismatch(ValueError):
    """The run folder belongs to a run with other settings; the message names the differing fields."""


@contextlib.contextmanager
def claim_folder(request: RunRequest) -> Iterator[None]:
    """Hold the request's run folder: make it or continue it, with config.json written once.

    Of that file only the places validated on are brought up to date when a run goes on with others. Temporary files of
    killed runs are removed. Raises RunMismatch when it holds a run with other settings, ValueError when it holds
    foreign files or another process trains in it.
    """
    out, identity = request.out, run_identity(request, _known_init(request))
    config_path = out / "config.json"
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out} is a file; give a folder for the run")
    if config_path.exists():
        _check_config(request, identity)
    elif out.exists() and any(_is_foreign(entry) for entry in out.iterdir()):
        raise ValueError(f"{out} is not empty and holds no run; give a new or empty folder")
    out.mkdir(parents=True, exist_ok=True)
    refusal = ValueError(f"{out} is being trained by another process; wait for it or use another --out")
    with folder_lock.hold_lock(out / folder_lock.NAME, refusal):
        for folder in (out, out / "checkpoints", out / "pictures", *out.glob("validation/*")):
            remove_files(*[entry for entry in folder.glob(".*") if is_temporary(entry)])
        if config_path.exists():
            _check_config(request, identity)  # again: it may have been written by another before the lock was ours
            _record_validation(request)
        else:
            atomic_write_json(config_path, _config(request, identity))
        yield


def read_config(folder: Path) -> dict[str, Any]:
    """Read the config.json of a run folder; ValueError where it holds no settings of a run."""
    path = folder / "config.json"
    config = read_json(path)
    if not isinstance(config, dict) or not isinstance(config.get("identity", {}), dict):
        raise ValueError(
            f"{path} holds {_brief(config)}, not the settings of a run; it was damaged after it was written: put back "
            "a copy of it, or start a new run with another --out"
        )
    return config


def has_begun(out: Path) -> bool:
    """Whether the run in a folder has checkpoints: then it goes on, and its --init is no longer needed."""
    folder = out / "checkpoints"
    return (folder / "last.pt").exists() or any(folder.glob("step-*.pt"))


def _known_init(request: RunRequest) -> str | None:
    """The digest of --init as the run began with it, where it has begun and the path is the same; else None."""
    if request.init is None:
        return None
    config = read_config(request.out) if has_begun(request.out) and (request.out / "config.json").exists() else {}
    if config.get("init") == str(request.init.resolve()):
        return config.get("identity", {}).get("init_sha256")
    if config and not request.init.is_file():
        began = f"--init {config['init']}" if config.get("init") else "no --init"
        raise ValueError(f"no file at --init {request.init}; the run in {request.out} began with {began}, give that")
    return None


def _check_config(request: RunRequest, identity: dict[str, Any]) -> None:
    stored = with_defaults(read_config(request.out).get("identity", {}), request.stage, identity)
    _check_settings(request.out, stored, json.loads(json.dumps(identity)))


def _record_validation(request: RunRequest) -> None:
    """Put down where a run that goes on is validated now, which makes it no other run."""
    config, places = read_config(request.out), _validated_on(request)
    if config.get("validate", []) != places:
        atomic_write_json(request.out / "config.json", {**config, "validate": places})


def _validated_on(request: RunRequest) -> list[str]:
    return [f"{_absolute(place)}={split}" for place, split in request.validate_on]


def _config(request: RunRequest, identity: dict[str, Any]) -> dict[str, Any]:
    """All that a reader of the run may ask: the identity, and where, how and with what code it was run."""
    sources = [{"path": _absolute(place), "weight": weight, **_facts(place)} for place, weight in request.data]
    return {
        "schema": CONFIG_SCHEMA,
        "stage": request.stage.name,
        "summary": request.stage.summary,
        "sources": dict(request.stage.sources),
        "identity": identity,
        "data": sources,
        "init": None if request.init is None else str(request.init.resolve()),
        "companion": None if request.companion is None else str(request.companion.resolve()),
        "validate": _validated_on(request),
        "run": {
            "device": request.device,
            "precision": request.precision,
            "num_workers": request.num_workers,
            "compile": request.compile,
        },
        "command": list(request.command),
        "code_version": code_version(),
        "torch_version": torch.__version__,
    }


def _facts(place: Path | str) -> dict[str, Any]:
    """What a corpus says of itself in its index; all None for a folder of stills."""
    store = open_store(place)
    index = {} if store.size("index.json") is None else store.read_json("index.json")
    frames = [shard.get("frames") for shard in index.get("shards", [])]
    num_frames = sum(frames) if frames and None not in frames else None
    return {**{name: index.get(name) for name in ("name", "recipe", "num_clips")}, "num_frames": num_frames}


def _absolute(place: Path | str) -> str:
    return place if isinstance(place, str) else str(place.resolve())


def _is_foreign(entry: Path) -> bool:
    # A run killed before its config.json was whole leaves its lock and a temporary file, and one on Ray its records.
    return entry.name not in (folder_lock.NAME, RAY_FOLDER) and not is_temporary(entry)


def _check_settings(out: Path, stored: dict[str, Any], asked: dict[str, Any]) -> None:
    # Settings that a stage has not, or that came after the run, stand as nothing.
    nothing = ({}, [], None)
    pairs = {name: (stored.get(name), asked.get(name)) for name in {**stored, **asked}}
    differing = [
        name for name, (there, here) in pairs.items() if there != here and not (there in nothing and here in nothing)
    ]
    if not differing:
        return
    if "name" in differing:
        raise RunMismatch(f"{out} holds a run of {stored.get('name')}, not of {asked['name']}; use another --out")
    # Of settings with parts only those that differ, for the whole would not fit the line.
    there, here = (dict(dotted({name: _numbered(side.get(name)) for name in differing})) for side in (stored, asked))
    detail = ", ".join(
        f"{name} {_brief(there.get(name))} there, {_brief(here.get(name))} asked"
        for name in {**there, **here}
        if there.get(name) != here.get(name)
    )
    if "num_steps" in differing:
        detail += " (the schedule is laid out over num_steps, so a run cannot be lengthened)"
    if FINGERPRINT in detail:
        detail += " (of names and sizes of the pictures and masks in a folder of stills)"
    raise RunMismatch(f"{out} holds a run with other settings: {detail}; use another --out or the same settings")


def code_version() -> str:
    """Version of the package, with a digest of the sources of networks and training, which need no git checkout."""
    root = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256()
    for path in sorted([*root.glob("models/*.py"), *root.glob("train/**/*.py"), *root.glob("datagen/**/*.py")]):
        digest.update(path.read_bytes())
    try:
        number = version("vosforge")
    except PackageNotFoundError:
        number = "unknown"
    return f"{number}+{digest.hexdigest()[:12]}"


def _numbered(value: Any) -> Any:
    """A list of mappings, such as data, as a mapping by number."""
    if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        return {str(number): one for number, one in enumerate(value)}
    return value


def _brief(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
