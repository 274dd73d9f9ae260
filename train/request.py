"""What a run of a stage is asked to be."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from .device import TrainingPrecision
from .micro_batches import BatchDivision
from .stage import Stage


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """A run of a stage; None stands for the stage's own number.

    data: folders or URLs of corpora and their weights. companion: a checkpoint of the stage's companion. The `*_every`
    are in steps, 0 is never. precision: see `autocast_dtype`.
    micro_batches_per_forward: see `BatchDivision.per_forward`. validate_on: places with their splits; with them,
    validate_every None is a twentieth of the run, else never. validate_sequences, validate_frames: 0 takes all.
    command: the arguments of the command line, for the record.
    """

    stage: Stage
    data: tuple[tuple[Path | str, float], ...]
    out: Path
    size: str | None = None
    init: Path | None = None
    companion: Path | None = None
    num_steps: int | None = None
    batch_size: int | None = None
    crop_size: int | None = None
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: TrainingPrecision = "auto"
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
        name, kind = self.stage.name, self.stage.companion
        if kind is not None and self.companion is None:
            raise ValueError(
                f"stage {name} needs a trained {kind} network beside its own; give --companion CKPT, a checkpoint of a "
                f"stage that trains the {kind} network, such as RUN/checkpoints/last.pt"
            )
        if self.stage.needs_init and self.init is None:
            raise ValueError(
                f"stage {name} keeps a trained {' and '.join(self.stage.frozen)} network as it is; it starts from "
                f"{self.stage.start_from}"
            )
        if kind is None and self.companion is not None:
            raise ValueError(f"stage {name} needs no network beside its own; leave --companion {self.companion} out")

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
