"""What can be scored: baselines, trained checkpoints, and their architecture with its initial weights."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from .baselines import BASELINES
from .errors import EvaluationError, as_evaluation_errors
from .sequences import AnnotatedSequence, read_frame_of_size

if TYPE_CHECKING:
    from ...models.propagation import PropagationNetwork, PropagationSize

LABEL_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
UNTRAINED = "untrained"
UNTRAINED_SEED = 0


@dataclass(frozen=True, kw_only=True)
class Method:
    """Something that carries given masks through a sequence; it can be pickled.

    propagate(sequence, given): given is frame number -> uint8 ids (H, W) of the objects that come in there; it yields
    uint8 ids (H, W), one array for every frame, zeros before the first mask.
    settings: all that decides its masks, as plain JSON; results of other settings are never reused.
    folder: where its masks and scores go.
    """

    label: str
    propagate: Callable[[AnnotatedSequence, Mapping[int, np.ndarray]], Iterator[np.ndarray]]
    settings: dict[str, Any]
    folder: Path


@dataclass(frozen=True, kw_only=True)
class InferenceSettings:
    """How a network runs over a sequence; `top_k` None reads the whole memory, `short_side` None keeps the size."""

    memory_every: int = 5
    top_k: int | None = 50
    short_side: int | None = None
    device: str = "cpu"


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

    settings.device is "cpu" or "cuda" (see `chosen_device`). Raises EvaluationError when a checkpoint cannot be loaded.
    """
    from ..inference.propagation import PropagationSettings
    from ..trained_networks import trained_network

    with as_evaluation_errors():
        PropagationSettings(memory_every=settings.memory_every, top_k=settings.top_k, short_side=settings.short_side)
        # On the CPU: the networks may be going to run on other machines.
        infos = {label: trained_network(path, "propagation")[1] for label, path in checkpoints.items()}
    decisive = {
        "memory_every": settings.memory_every,
        "top_k": settings.top_k,
        "short_side": settings.short_side,
    }
    main = next(iter(checkpoints), None)
    methods = []
    for label, path in checkpoints.items():
        sha256 = infos[label]["sha256"]
        network = NetworkPropagation(checkpoint=str(path.absolute()), checkpoint_sha256=sha256, inference=settings)
        identity = {"method": "network", "checkpoint_sha256": sha256}
        folder = method_folder(out, label, main)
        methods.append(Method(label=label, propagate=network, settings={**identity, **decisive}, folder=folder))
    if untrained and methods:
        network = replace(methods[0].propagate, untrained=True)
        identity = {"method": "network", "initial_weights": next(iter(infos.values()))["size"], "seed": UNTRAINED_SEED}
        folder = method_folder(out, UNTRAINED, main)
        methods.append(Method(label=UNTRAINED, propagate=network, settings={**identity, **decisive}, folder=folder))
    return methods


def chosen_device(name: Literal["auto", "cpu", "cuda"], elsewhere: bool = False) -> Literal["cpu", "cuda"]:
    """Where networks run; elsewhere: on other machines too, so that CUDA need not be here. Raises EvaluationError."""
    from ..device import choose_device

    if name == "cuda" and elsewhere:
        return "cuda"
    with as_evaluation_errors():
        return "cuda" if choose_device(name).type == "cuda" else "cpu"


@dataclass(frozen=True, kw_only=True)
class NetworkPropagation:
    """A propagation network that is loaded where it is first called, once in a process.

    untrained: take the checkpoint's architecture with the initial weights of seed 0.
    """

    checkpoint: str
    checkpoint_sha256: str
    inference: InferenceSettings
    untrained: bool = False

    def __call__(self, sequence: AnnotatedSequence, given: Mapping[int, np.ndarray]) -> Iterator[np.ndarray]:
        from ..inference.propagation import PropagationSettings, propagate
        from ..trained_networks import trained_network

        settings = PropagationSettings(**asdict(self.inference))
        shape = next(iter(given.values())).shape
        frames = (read_frame_of_size(sequence, t, shape) for t in range(sequence.num_frames))
        device = self.inference.device
        network, _ = trained_network(self.checkpoint, "propagation", device, self.checkpoint_sha256)
        if self.untrained:
            network = _with_initial_weights(network.size, device)
        return propagate(network, frames, given, settings)


@functools.lru_cache(maxsize=1)
def _with_initial_weights(size: PropagationSize, device: str) -> PropagationNetwork:
    """A network of a size with the initial weights of seed 0, in evaluation mode."""
    import torch

    from ...models.propagation import PropagationNetwork

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(UNTRAINED_SEED)
        return PropagationNetwork(size).to(device).eval()
