"""What a run of a stage is asked to be, and what of it makes the run the same run."""

import hashlib
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from ..datagen.storage.files import sha256_of_file
from ..datagen.storage.store import open_store
from .micro_batches import BatchDivision
from .sample_settings import names_of_settings, settings_class, whole_sample_settings
from .stage import Stage

# Fields of a stage that are code or text, not settings of a run.
_NOT_SETTINGS = {"summary", "start_from", "network", "step", "sources", "size", "num_steps", "batch_size", "crop_size"}


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """A run of a stage; None stands for the stage's own number.

    data: folders or URLs of corpora and their weights. propagation: a checkpoint for a stage with that companion. The
    `*_every` are in steps, 0 is never. precision: of the forward pass; auto is bf16 on CUDA and fp32 on the CPU.
    micro_batches_per_forward: see `BatchDivision.per_forward`. validate_on: places with their splits; with them,
    validate_every None is a twentieth of the run, else never. validate_sequences, validate_frames: 0 takes all.
    command: the arguments of the command line, for the record.
    """

    stage: Stage
    data: tuple[tuple[Path | str, float], ...]
    out: Path
    size: str | None = None
    init: Path | None = None
    propagation: Path | None = None
    num_steps: int | None = None
    batch_size: int | None = None
    crop_size: int | None = None
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    seed: int = 0
    num_workers: int = 0
    compile: bool = False
    micro_batches_per_forward: int | None = None
    log_every: int = 10
    checkpoint_every: int | None = None
    picture_every: int | None = None
    validate_every: int | None = None
    validate_on: tuple[tuple[Path | str, str], ...] = ()
    validate_sequences: int = 8
    validate_frames: int = 40
    validate_short_side: int | None = None
    command: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        positive = ("num_steps", "batch_size", "crop_size", "log_every", "checkpoint_every")
        for name in (*positive, "micro_batches_per_forward", "validate_short_side"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} is {value}; give a positive number")
        counts = ("seed", "num_workers", "validate_every", "picture_every", "validate_sequences", "validate_frames")
        for name in counts:
            value = getattr(self, name)
            if value is not None and value < 0:
                raise ValueError(f"{name} is {value}; give 0 or more")
        if self.crop_size is not None and self.crop_size % 16:
            raise ValueError(f"crop_size is {self.crop_size}; give a multiple of 16, the network's stride")
        if self.validate_on and self.validate_every == 0:
            raise ValueError("--validate-on asks for validations, --validate-every 0 for none; leave one of them out")
        name, companion = self.stage.name, self.stage.companion
        if companion is not None and self.propagation is None:
            raise ValueError(
                f"stage {name} needs a trained {companion} network beside its own; give --propagation CKPT, such as "
                "RUN/checkpoints/last.pt of a propagation stage"
            )
        if companion is None and self.propagation is not None:
            raise ValueError(f"stage {name} needs no network beside its own; leave --propagation out")

    def resolved(self, name: str) -> Any:
        """The request's value of `size`, `num_steps`, `batch_size` or `crop_size`, else the stage's."""
        value = getattr(self, name)
        return getattr(self.stage, name) if value is None else value

    def division(self, num_ranks: int = 1) -> BatchDivision:
        """How `num_ranks` processes share the batch; a batch smaller than the stage's micro-batch is one micro-batch.

        ValueError when they cannot.
        """
        batch_size = self.resolved("batch_size")
        return BatchDivision(
            batch_size=batch_size,
            micro_batch=min(self.stage.micro_batch, batch_size),
            num_ranks=num_ranks,
            per_forward=self.micro_batches_per_forward,
        )

    @property
    def steps_between_validations(self) -> int:
        """0 for never."""
        if self.validate_every is None:
            return max(1, self.resolved("num_steps") // 20) if self.validate_on else 0
        return self.validate_every


def run_identity(request: RunRequest) -> dict[str, Any]:
    """Everything that makes a run what it is; two requests with the same identity continue one another.

    Its sample_settings are whole, so that a default that has changed since is seen. Device, precision, numbers of
    processes and of workers, places of the data and how often something is written are not part of it.
    """
    stage = {
        field.name: _plain(getattr(request.stage, field.name))
        for field in fields(request.stage)
        if field.name not in _NOT_SETTINGS
    }
    own = {name: request.resolved(name) for name in ("size", "num_steps", "batch_size", "crop_size")}
    own["sample_settings"] = _plain(whole_sample_settings(request.stage, own["crop_size"]))
    data = [{"index_sha256": _index_sha256(place), "weight": weight} for place, weight in request.data]
    init = None if request.init is None else sha256_of_file(request.init)
    identity = {**stage, **own, "seed": request.seed, "init_sha256": init, "data": data}
    if request.propagation is not None:
        identity["propagation_sha256"] = sha256_of_file(request.propagation)
    return identity


def with_defaults(identity: Mapping[str, Any], stage: Stage) -> dict[str, Any]:
    """Return an identity read from a config.json with today's defaults for what it lacks of the stage and its samples.

    Runs from before the identity held them whole have those that their stage set; later ones lack what is new since.
    """
    new = {
        field.name: _plain(field.default)
        for field in fields(Stage)
        if field.name not in _NOT_SETTINGS and field.default is not MISSING
    }
    defaults = _plain(asdict(settings_class(stage.data)[0]()))
    stored = identity.get("sample_settings") or {}
    known = {name: defaults[name] for name in names_of_settings(stage.data)}
    return {**new, **identity, "sample_settings": {**stored, **_over(known, stored)}}


def _over(defaults: Mapping[str, Any], stored: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _over(value, stored.get(name, {})) if isinstance(value, Mapping) else stored.get(name, value)
        for name, value in defaults.items()
    }


def _index_sha256(place: Path | str) -> str | None:
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
