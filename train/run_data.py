"""What a run reads: its batches by step, what it validates on, and a frozen network beside its own."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from .batches import Source, make_part
from .checkpoint import load_network
from .distributed import RankGroup
from .micro_batches import Batch
from .networks import KINDS
from .request import RunRequest
from .sample_settings import sample_settings_of
from .validation.choice import ValidationSettings, make_validators
from .validation.sequences import SequenceSettings
from .validation.validator import Validator

BatchSource = Callable[[int], Iterator[Batch]]


@dataclass(frozen=True, kw_only=True)
class RunData:
    """batches: step -> the batches from that step on, this process's share of each. notes: for a person to read."""

    batches: BatchSource
    validators: Sequence[Validator]
    companion: nn.Module | None
    notes: tuple[str, ...] = ()


def open_data(request: RunRequest, device: torch.device, autocast: torch.dtype | None, group: RankGroup) -> RunData:
    """Open all that the run reads, without writing anything; ValueError for what does not fit."""
    stage, num_steps = request.stage, request.resolved("num_steps")
    if not request.data:
        raise ValueError("no data: give at least one --data DIR, a folder written by vosforge-render run")
    sources = [Source(*source) for source in request.data]
    crop_size = request.resolved("crop_size")
    # Made here, where a corpus without usable clips is refused: the loader comes after the run folder is written.
    sample_settings_of(stage, crop_size)
    parts = [make_part(stage.data, one, crop_size=crop_size, settings=stage.sample_settings) for one in sources]
    companion = open_companion(request, device)

    def batches(start_step: int) -> Iterator[Batch]:
        from ..datagen.samples.loader import make_loader

        return make_loader(
            parts,
            seed=request.seed,
            batch_size=request.resolved("batch_size"),
            max_jump=lambda step: stage.at(step, num_steps).max_jump,
            start_step=start_step,
            num_steps=num_steps,
            num_workers=request.num_workers,
            rank=group.rank,
            num_ranks=group.num_ranks,
        )

    validators = _validators(request, sources, device, autocast, companion) if group.is_first else ()
    return RunData(
        batches=batches, validators=validators, companion=companion, notes=_notes(request, sum(map(len, parts)))
    )


def open_companion(request: RunRequest, device: torch.device) -> nn.Module | None:
    """Load the frozen network that the stage needs besides, None where it needs none; ValueError."""
    if request.stage.companion is None:
        return None
    try:
        network, _ = load_network(request.companion, device, kind=KINDS[request.stage.companion])
    except ValueError as error:
        raise ValueError(f"--companion of stage {request.stage.name}: {error}") from error
    return network.requires_grad_(False)


def _validators(
    request: RunRequest,
    sources: Sequence[Source],
    device: torch.device,
    autocast: torch.dtype | None,
    companion: nn.Module | None,
) -> Sequence[Validator]:
    if not request.steps_between_validations:
        return ()
    sequences = SequenceSettings(
        max_sequences=request.validate_sequences or None,
        max_frames=request.validate_frames or None,
        short_side=request.validate_short_side,
    )
    return make_validators(
        request.stage,
        sources,
        ValidationSettings(places=request.validate_on, sequences=sequences),
        crop_size=request.resolved("crop_size"),
        device=device,
        autocast=autocast,
        companion=companion,
    )


def _notes(request: RunRequest, num_items: int) -> tuple[str, ...]:
    if request.num_workers <= num_items:
        return ()
    return (
        f"{request.num_workers} loader processes for {num_items} clips or stills: they read the same ones again and "
        f"again; --num-workers {num_items} does as well, and more data does better",
    )
