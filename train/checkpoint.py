"""Checkpoints: written atomically, read back with one clear error when they are not what they should be."""

import hashlib
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from torch import nn

from ..datagen.storage.files import write_whole
from ..models.propagation import PropagationNetwork
from ..models.published import load_starting_weights
from .networks import PROPAGATION, NetworkKind, kind_of

SCHEMA = 1
REQUIRED = ("schema", "stage", "size", "step", "network")
# The published DeepLabV3+ holds its score as a number of numpy, which torch does not read unasked.
_SCALAR = np.float64(0).__reduce__()[0]
_NUMPY_FLOAT = [
    (_SCALAR, "numpy.core.multiarray.scalar"),
    (_SCALAR, "numpy._core.multiarray.scalar"),
    np.dtype,
    type(np.dtype(np.float64)),
]


def save_atomically(path: Path, content: Mapping[str, Any]) -> Path:
    """Write a torch file so that a kill at any moment leaves either the old file or the new one whole; OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with write_whole(path) as file:
            torch.save(dict(content), file)
    except RuntimeError as error:  # torch's own for what the disk did not take
        raise OSError(f"{path} could not be written ({_first_line(error)}); is there room on the disk?") from error
    return path


def checkpoint_content(
    network: nn.Module,
    *,
    stage: str,
    step: int,
    optimiser: torch.optim.Optimizer,
    window: Mapping[str, Any],
    step_settings: Mapping[str, Any],
) -> dict[str, Any]:
    """Everything a run needs to go on as if it had never stopped; `step` steps are done.

    step_settings: of the stage's step, plain values by dotted name, so that the network is used as it was trained.
    Schedule, data position and both random generators are functions of the step and need no state.
    """
    return {
        "schema": SCHEMA,
        "stage": stage,
        "kind": kind_of(network).name,
        "size": asdict(network.size),
        "step": step,
        "network": network.state_dict(),
        "optimiser": optimiser.state_dict(),
        "window": dict(window),
        "step_settings": dict(step_settings),
    }


def read_checkpoint(path: Path, sha256: str | None = None) -> dict[str, Any]:
    """Read a checkpoint of this package; ValueError naming the file when it is missing, truncated or something else.

    sha256: of the file that is meant; another one in its place is refused.
    """
    content = _load(path, sha256)
    if not isinstance(content, dict) or any(key not in content for key in REQUIRED):
        found = (
            f"keys {', '.join(map(str, list(content)[:4]))}" if isinstance(content, dict) else type(content).__name__
        )
        raise ValueError(
            f"{path} is not a vosforge checkpoint: found {found or 'nothing'}, expected {', '.join(REQUIRED)}"
        )
    if content["schema"] != SCHEMA:
        raise ValueError(
            f"{path}: checkpoint schema {content['schema']}, this version reads {SCHEMA}; use the version that wrote it"
        )
    return content


def load_network(
    path: Path | str,
    device: str | torch.device = "cpu",
    kind: NetworkKind | Sequence[NetworkKind] = PROPAGATION,
    expected_size: Any = None,
    sha256: str | None = None,
) -> tuple[nn.Module, dict[str, Any]]:
    """Load a network of a kind for inference, in evaluation mode on `device`, and what the checkpoint says of itself.

    kind: the kind it must be of, or one of these. The size comes from the file; with `expected_size` another one is
    refused. sha256: see `read_checkpoint`. The info holds kind, stage, step, size (a name) and path. What the network
    was trained with is its attribute `trained_with`, see `as_trained`.
    Raises ValueError naming file, what was found and what was expected.
    """
    path = Path(path)
    content = read_checkpoint(path, sha256)
    kind = _kind_among((kind,) if isinstance(kind, NetworkKind) else kind, content, path)
    size_class = type(next(iter(kind.sizes.values())))
    try:
        size = size_class(**{key: _untupled(value) for key, value in content["size"].items()})
    except (TypeError, AttributeError) as error:
        raise ValueError(
            f"{path}: its network size is not readable ({error}); use the version that wrote it"
        ) from error
    if expected_size is not None and size != expected_size:
        raise ValueError(
            f"{path} holds a network of size '{size.name}', expected '{expected_size.name}': "
            f"{_differences(size, expected_size)}"
        )
    network = kind.build(size)
    load_state(network, content["network"], path)
    # Checkpoints of the first versions do not say.
    network.trained_with = content.get("step_settings", {})
    info = {"kind": kind.name, "stage": content["stage"], "step": content["step"], "size": size.name, "path": str(path)}
    return network.to(device, memory_format=torch.channels_last).eval(), info


def load_state(network: nn.Module, state: Mapping[str, Any], path: Path) -> None:
    """Load weights whose names and shapes must all agree; ValueError naming the file and the first disagreement."""
    own = network.state_dict()
    problems = [f"missing {key}" for key in own if key not in state]
    problems += [f"unknown {key}" for key in state if key not in own]
    problems += [
        f"{key} is {tuple(state[key].shape)}, expected {tuple(own[key].shape)}"
        for key in own
        if key in state and state[key].shape != own[key].shape
    ]
    if problems:
        more = f" and {len(problems) - 1} more" if len(problems) > 1 else ""
        raise ValueError(f"{path} does not fit this network: {problems[0]}{more}; use a checkpoint of the same size")
    network.load_state_dict(state)


def initialise_from(network: nn.Module, path: Path, *, whole: bool = False) -> str:
    """Start a run from a file: a checkpoint of ours of the same kind and size, or weights in a published format.

    whole: published weights, which leave other parts as they were drawn, are refused. Returns a sentence on what was
    loaded. Raises ValueError naming the file when it does not fit.
    """
    content = _load(path)
    if isinstance(content, dict):
        try:
            loaded = load_starting_weights(network, content)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
        if loaded is not None and whole:
            raise ValueError(
                f"{path} holds {loaded}, the rest would stay untrained; give a checkpoint of the stage before this one"
            )
        if loaded is not None:
            return f"{loaded}, from {path}"
    given, info = load_network(path, kind=kind_of(network), expected_size=network.size)
    network.load_state_dict(given.state_dict())
    loaded = f"weights of {info['stage']}, step {info['step']}, from {path}"
    if isinstance(network, PropagationNetwork) and _had_one_object(info["stage"]):
        network.begin_other_masks()
        loaded += ", the channel of the other objects' masks drawn anew"
    return loaded


def _had_one_object(stage: str) -> bool:
    from .stages.table import STAGES

    return stage in STAGES and STAGES[stage].step_settings.get("max_objects") == 1


def _kind_among(kinds: Sequence[NetworkKind], content: Mapping[str, Any], path: Path) -> NetworkKind:
    # Checkpoints of the first version, which had one kind, do not name it.
    found = content.get("kind", PROPAGATION.name)
    for kind in kinds:
        if kind.name == found:
            return kind
    names = " or ".join(f"'{kind.name}'" for kind in kinds)
    raise ValueError(f"{path} holds a network of kind '{found}', expected {names}; give a checkpoint of that kind")


def _load(path: Path, sha256: str | None = None) -> Any:
    if not path.is_file():
        raise ValueError(f"no checkpoint at {path}; give the path of a .pt file, such as RUN/checkpoints/last.pt")
    # One open file: a run that goes on puts another last.pt in its place at any moment.
    with path.open("rb") as file:
        if sha256 is not None and hashlib.file_digest(file, "sha256").hexdigest() != sha256:
            raise ValueError(
                f"{path} is another file than when it was chosen, such as the last.pt of a run that goes on; copy the "
                "checkpoint and give the copy"
            )
        if damaged := _damaged_member(file):
            raise ValueError(f"{path} is damaged at {damaged}; give another checkpoint, such as an earlier step-*.pt")
        file.seek(0)
        try:
            with torch.serialization.safe_globals(_NUMPY_FLOAT):
                return torch.load(file, map_location="cpu", weights_only=True)
        except Exception as error:  # torch's reader of pickles raises whatever the bytes lead it to
            found = f"{path.stat().st_size} bytes that are truncated or no torch file"
            raise ValueError(
                f"{path} cannot be read: found {found}, expected a checkpoint; copy it again, or give another"
            ) from error


def _damaged_member(file: BinaryIO) -> str | None:
    """The first member of a torch file whose check sum is wrong; torch loads it without a word."""
    try:
        with zipfile.ZipFile(file) as archive:
            return archive.testzip()
    except zipfile.BadZipFile:
        return None  # torn, or no file of torch at all: torch says so


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:120] if str(error).strip() else type(error).__name__


def _untupled(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _differences(found: Any, expected: Any) -> str:
    pairs = [(key, value, getattr(expected, key)) for key, value in asdict(found).items() if key != "name"]
    return ", ".join(f"{key} {value} instead of {wanted}" for key, value, wanted in pairs if value != wanted)
