"""What can be scored: baselines, trained checkpoints, and their architecture with its initial weights."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...datagen.storage.files import sha256_of_file
from .baselines import BASELINES
from .errors import EvaluationError
from .sequences import AnnotatedSequence

LABEL_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
UNTRAINED = "untrained"
UNTRAINED_SEED = 0


@dataclass(frozen=True, kw_only=True)
class Method:
    """Something that carries a first mask through a sequence.

    propagate(sequence, first_ids uint8 (H, W)) yields uint8 ids (H, W), one array a frame, the first included.
    settings: all that decides its masks, as plain JSON; results of other settings are never reused.
    folder: where its masks and scores go.
    """

    label: str
    propagate: Callable[[AnnotatedSequence, np.ndarray], Iterator[np.ndarray]]
    settings: dict[str, Any]
    folder: Path


@dataclass(frozen=True, kw_only=True)
class InferenceSettings:
    """How a network runs over a sequence; `top_k` None reads the whole memory, `short_side` None keeps the size."""

    memory_every: int = 5
    top_k: int | None = 50
    short_side: int | None = None
    device: str = "auto"


def parse_checkpoints(arguments: Sequence[str]) -> dict[str, Path]:
    """Label -> file of arguments "label=file" or "file" (its stem is the label); EvaluationError for a bad one."""
    checkpoints: dict[str, Path] = {}
    for argument in arguments:
        label, separator, file = argument.partition("=")
        if not separator or Path(argument).exists():
            label, file = Path(argument).stem, argument
        if not LABEL_PATTERN.fullmatch(label) or label in BASELINES or label == UNTRAINED:
            raise EvaluationError(
                f"checkpoint label {label!r} cannot be used: take letters, digits, '_', '.' and '-', "
                f"and none of {', '.join([*BASELINES, UNTRAINED])}"
            )
        if label in checkpoints:
            raise EvaluationError(
                f"two checkpoints are labelled {label!r}; name them: --checkpoint first=A --checkpoint second=B"
            )
        if not Path(file).is_file():
            raise EvaluationError(f"checkpoint {file} is {'not a file' if Path(file).exists() else 'missing'}")
        checkpoints[label] = Path(file)
    return checkpoints


def parse_baselines(argument: str) -> list[str]:
    """Names of a comma-separated list; "none" or "" is none. EvaluationError lists the baselines there are."""
    names = [name.strip() for name in argument.split(",") if name.strip() and name.strip() != "none"]
    unknown = [name for name in names if name not in BASELINES]
    if unknown:
        raise EvaluationError(f"no baseline {unknown[0]!r}; choose from {', '.join(BASELINES)}, or none")
    return list(dict.fromkeys(names))


def method_folder(out: Path, label: str, main: str | None) -> Path:
    """The main method's results lie in `out` itself, those of the others in `out`/methods/<label>."""
    return out if label == main else out / "methods" / label


def baseline_method(name: str, out: Path) -> Method:
    """A method without a network; its results never are the main ones."""
    return Method(
        label=name, propagate=BASELINES[name], settings={"method": name}, folder=method_folder(out, name, None)
    )


def network_methods(
    checkpoints: dict[str, Path], out: Path, settings: InferenceSettings, untrained: bool = False
) -> list[Method]:
    """One method a checkpoint, the first being the main one; `untrained` adds the first's size with weights of seed 0.

    Raises EvaluationError when a checkpoint cannot be loaded or the device is not there.
    """
    import torch

    from ...models.propagation import PropagationNetwork
    from ..checkpoint import load_network
    from ..device import choose_device

    try:
        device = str(choose_device(settings.device))
    except ValueError as error:
        raise EvaluationError(str(error)) from error
    main = next(iter(checkpoints), None)
    methods, first_network = [], None
    for label, path in checkpoints.items():
        try:
            network, _ = load_network(path, device)
        except ValueError as error:
            raise EvaluationError(str(error)) from error
        identity = {"method": "network", "checkpoint_sha256": sha256_of_file(path)}
        methods.append(_network_method(label, network, identity, settings, device, method_folder(out, label, main)))
        if first_network is None:
            first_network = network
    if untrained and first_network is not None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(UNTRAINED_SEED)
            network = PropagationNetwork(first_network.size).to(device).eval()
        identity = {"method": "network", "initial_weights": first_network.size.name, "seed": UNTRAINED_SEED}
        methods.append(
            _network_method(UNTRAINED, network, identity, settings, device, method_folder(out, UNTRAINED, main))
        )
    return methods


def _network_method(label, network, identity, settings: InferenceSettings, device: str, folder: Path) -> Method:
    from ..inference.propagation import PropagationSettings, propagate

    try:
        propagation = PropagationSettings(
            memory_every=settings.memory_every, top_k=settings.top_k, short_side=settings.short_side, device=device
        )
    except ValueError as error:
        raise EvaluationError(str(error)) from error

    def run(sequence: AnnotatedSequence, first_ids: np.ndarray) -> Iterator[np.ndarray]:
        frames = (_frame(sequence, t, first_ids.shape) for t in range(sequence.num_frames))
        return propagate(network, frames, first_ids, propagation)

    decisive = {
        "memory_every": settings.memory_every,
        "top_k": settings.top_k,
        "short_side": settings.short_side,
    }
    return Method(label=label, propagate=run, settings={**identity, **decisive}, folder=folder)


def _frame(sequence: AnnotatedSequence, t: int, shape: tuple[int, int]) -> np.ndarray:
    frame = sequence.read_frame(t)
    if frame.shape[:2] != shape:
        raise EvaluationError(
            f"sequence {sequence.name}, frame {sequence.frame_names[t]} is {frame.shape[1]}x{frame.shape[0]}, "
            f"the first annotation {shape[1]}x{shape[0]}; they must have one size"
        )
    return frame
