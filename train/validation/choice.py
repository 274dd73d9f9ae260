"""Which validators a run has: held-out batches of its own data, and videos on which J and F are measured."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ...datagen.samples.parts import SamplePart
from ..batches import Source, has_held_out, is_corpus, make_part
from ..networks import PROPAGATION
from ..pictures import MAX_ROWS
from ..run_identity import index_sha256
from ..stage import Stage
from .held_out_batches import MAX_JUMP, NUM_SAMPLES, HeldOutBatches
from .sequences import SequenceSettings, SequenceValidator, open_validation_sequences
from .validator import Validator

SPLITS = ("train", "val", "all")


@dataclass(frozen=True, kw_only=True)
class ValidationSettings:
    """What is validated on.

    places: DAVIS trees and corpora with the split to take ("val" for most), in order; the J&F on the first one chooses
    the best checkpoint. sequences: how much of each place is looked at.
    """

    places: tuple[tuple[Path | str, str], ...] = ()
    sequences: SequenceSettings = field(default_factory=SequenceSettings)


def parse_place(text: str) -> tuple[Path | str, str]:
    """Read DIR or DIR=SPLIT, DIR a folder or a URL; an existing folder whose own name holds an = stays whole.

    Without a split it is "val"; a DAVIS tree may have lists of any name. ValueError for half a word.
    """
    from ...datagen.storage.store import corpus_location

    if Path(text).exists() or "=" not in text:
        return corpus_location(text), "val"
    place, _, split = text.rpartition("=")
    if not split or not place:
        raise ValueError(f"--validate-on {text}: write DIR, or DIR=SPLIT, such as DIR=all")
    return corpus_location(place), split


def make_validators(
    stage: Stage,
    sources: Sequence[Source],
    settings: ValidationSettings,
    *,
    crop_size: int,
    device: torch.device,
    autocast: torch.dtype | None = None,
    companion: nn.Module | None = None,
) -> list[Validator]:
    """Return the validators of a run; `validate` asks them, and the first one's score chooses the best checkpoint.

    Videos: the places of the settings; without any, a stage of the propagation network takes the held-out clips of its
    own corpora, where they are videos with ids in all frames. Batches: held-out samples of those sources that have a
    val split.

    ValueError when there is nothing to validate on, when a place is not fit for it, or is trained on.
    """
    validators: list[Validator] = []
    if settings.places and stage.network is not PROPAGATION:
        raise ValueError(
            f"--validate-on measures J and F of propagated masks, but stage {stage.name} trains the "
            f"{stage.network.name} network; leave it out: --validate-every alone validates on held-out batches"
        )
    if stage.network is PROPAGATION:
        validators += _of_places(settings, sources, device)
        if not settings.places:
            validators += _of_own_clips(sources, settings.sequences, device)
    with_val = [source for source in sources if has_held_out(source)]
    if with_val:
        settings_of_samples = {"crop_size": crop_size, "settings": stage.sample_settings}
        parts = [make_part(stage.data, source, split="val", **settings_of_samples) for source in with_val]
        # In evaluation mode no sample depends on the others; enough of them for a picture go through at once.
        batches = _loader_of(parts, max(stage.micro_batch, MAX_ROWS))
        validators.append(HeldOutBatches(stage, batches, device=device, autocast=autocast, companion=companion))
    if not validators:
        raise ValueError(
            "--validate-every needs held-out clips, but no corpus has a val split; leave it at 0, or give "
            "--validate-on DIR, a DAVIS tree or a corpus"
        )
    return validators


def _of_places(settings: ValidationSettings, sources: Sequence[Source], device: torch.device) -> list[Validator]:
    trained_on = {_address(source.place) for source in sources}
    # A copy of a corpus elsewhere holds the same clips.
    indices_trained_on = {index_sha256(source.place) for source in sources} - {None}
    validators, names = [], {HeldOutBatches.name}
    for place, split in settings.places:
        _check_split(place, split)
        if split != "val" and (_address(place) in trained_on or index_sha256(place) in indices_trained_on):
            raise ValueError(
                f"--validate-on {place}={split} holds clips that are trained on; validate on its split val, or on "
                "another place"
            )
        name = _new_name(place, names)
        sequences = open_validation_sequences(place, split)
        origin = _origin(place, split)
        validators.append(SequenceValidator(name, sequences, settings.sequences, str(device), origin))
    return validators


def _of_own_clips(sources: Sequence[Source], settings: SequenceSettings, device: torch.device) -> list[Validator]:
    validators, names = [], {HeldOutBatches.name}
    for source in sources:
        if not has_held_out(source):
            continue
        try:
            sequences = open_validation_sequences(source.place, "val")
        except ValueError:
            # Stills, or videos with sparse annotation: nobody asked for J and F on them, their batches serve.
            continue
        name, origin = _new_name(source.place, names), _origin(source.place, "val")
        validators.append(SequenceValidator(name, sequences, settings, str(device), origin))
    return validators


def _origin(place: Path | str, split: str) -> dict[str, str]:
    digest = index_sha256(place)
    return {"place": _address(place), "split": split, **({} if digest is None else {"digest": digest})}


def _check_split(place: Path | str, split: str) -> None:
    from ...datagen.corpus.reader import Corpus

    # What is not there is told by the reader of the videos.
    if not is_corpus(place) or (isinstance(place, Path) and not place.exists()):
        return
    if split not in SPLITS:
        raise ValueError(f"--validate-on {place}={split}: a corpus has the splits {', '.join(SPLITS)}")
    corpus = Corpus.open(place)
    if not corpus.split(split):
        raise ValueError(
            f"--validate-on {place}: this corpus has no clip in its split {split}; where nothing of it is trained on, "
            f"take all of it: --validate-on {place}=all"
        )


def _address(place: Path | str) -> str:
    return place if isinstance(place, str) and "://" in place else str(Path(place).resolve())


def _new_name(place: Path | str, taken: set[str]) -> str:
    """A name for metrics and pictures: the last part of the place, with a number where it is taken."""
    last = str(place).rstrip("/").rpartition("/")[2]
    stem = re.sub(r"[^A-Za-z0-9_.-]", "-", last).strip("-.") or "videos"
    name, number = stem, 1
    while name in taken:
        number += 1
        name = f"{stem}-{number}"
    taken.add(name)
    return name


def _loader_of(parts: Sequence[SamplePart], batch_size: int) -> Callable[[], Iterable[Mapping[str, Any]]]:
    def batches() -> Iterable[Mapping[str, Any]]:
        from ...datagen.samples.loader import make_loader

        num_steps = -(-NUM_SAMPLES // batch_size)
        return make_loader(
            parts, seed=0, batch_size=batch_size, max_jump=lambda step: MAX_JUMP, start_step=0, num_steps=num_steps
        )

    return batches
