"""The folder of a run: claimed by one process, for one set of settings, which stand in its config.json."""

import contextlib
import fcntl
import hashlib
import json
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from ..datagen.storage.files import atomic_write_json, is_temporary, read_json, remove_files
from .request import RunRequest, run_identity

CONFIG_SCHEMA = 1


class RunMismatch(ValueError):
    """The run folder belongs to a run with other settings; the message names the differing fields."""


@contextlib.contextmanager
def claim_folder(request: RunRequest) -> Iterator[None]:
    """Hold the request's run folder: make it or continue it, with config.json written once.

    Temporary files of killed runs are removed. Raises RunMismatch when it holds a run with other settings, ValueError
    when it holds foreign files or another process trains in it.
    """
    out, identity = request.out, run_identity(request)
    config_path = out / "config.json"
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out} is a file; give a folder for the run")
    if config_path.exists():
        _check_settings(out, read_json(config_path).get("identity", {}), json.loads(json.dumps(identity)))
    elif out.exists() and any(_is_foreign(entry) for entry in out.iterdir()):
        raise ValueError(f"{out} is not empty and holds no run; give a new or empty folder")
    out.mkdir(parents=True, exist_ok=True)
    with (out / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ValueError(f"{out} is being trained by another process; wait for it or use another --out") from error
        for folder in (out, out / "checkpoints", out / "pictures"):
            remove_files(*[entry for entry in folder.glob(".*") if is_temporary(entry)])
        if not config_path.exists():
            run_settings = {
                "device": request.device,
                "precision": request.precision,
                "num_workers": request.num_workers,
            }
            atomic_write_json(
                config_path,
                {
                    "schema": CONFIG_SCHEMA,
                    "stage": request.stage.name,
                    "identity": identity,
                    "data": [{"path": _absolute(place), "weight": weight} for place, weight in request.data],
                    "init": None if request.init is None else str(request.init.resolve()),
                    "run": run_settings,
                    "code_version": code_version(),
                    "torch_version": torch.__version__,
                },
            )
        yield


def _absolute(place: Path | str) -> str:
    return place if isinstance(place, str) else str(place.resolve())


def _is_foreign(entry: Path) -> bool:
    # A run killed before its config.json was whole leaves its lock and a temporary file.
    return entry.name != ".lock" and not is_temporary(entry)


def _check_settings(out: Path, stored: dict[str, Any], asked: dict[str, Any]) -> None:
    differing = [name for name in {**stored, **asked} if stored.get(name) != asked.get(name)]
    if not differing:
        return
    detail = ", ".join(
        f"{name} {_brief(stored.get(name))} there, {_brief(asked.get(name))} asked" for name in differing
    )
    if "num_steps" in differing:
        detail += " (the schedule is laid out over num_steps, so a run cannot be lengthened)"
    raise RunMismatch(f"{out} holds a run with other settings: {detail}; use another --out or the same settings")


def code_version() -> str:
    """Version of the package, with a digest of the sources of networks and training, which need no git checkout."""
    root = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256()
    for path in sorted([*root.glob("models/*.py"), *root.glob("train/**/*.py"), *root.glob("datagen/*.py")]):
        digest.update(path.read_bytes())
    try:
        number = version("vosforge")
    except PackageNotFoundError:
        number = "unknown"
    return f"{number}+{digest.hexdigest()[:12]}"


def _brief(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
