"""Batches of a stage, read from a corpus as its training reads them."""

from pathlib import Path

from vosforge.datagen.samples.loader import Batches, make_loader
from vosforge.train.batches import Source, make_part
from vosforge.train.stage import Stage

RUN_STEPS = 1_000


def stage_batches(stage: Stage, place: Path, batch_size: int, num_batches: int, num_workers: int = 0) -> Batches:
    """Return the first batches of a run of RUN_STEPS steps over one corpus."""
    part = make_part(stage.data, Source(place, 1.0), crop_size=stage.crop_size, settings=stage.sample_settings)
    return make_loader(
        [part],
        seed=0,
        batch_size=batch_size,
        max_jump=lambda step: stage.at(step % RUN_STEPS, RUN_STEPS).max_jump,
        num_steps=num_batches,
        num_workers=num_workers,
    )
