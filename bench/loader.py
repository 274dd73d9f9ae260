"""The loader alone: samples a second of one core for each stage, beside what the network consumes here.

The time is that of the process, so other work on the machine does not count; batches are put together as in training.
On the CPU the network's is so too, with one thread: the samples that one core of the network consumes.

Run: python bench/loader.py [--stages NAME ...] [--data CORPUS] [--fusion-data CORPUS] [--samples 24]
"""

import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import torch
import tyro
from made_corpus import make_corpus
from stage_batches import stage_batches
from training import Settings as TrainingSettings
from training import step_function
from vosforge.train.loop import to_device
from vosforge.train.stage import Stage
from vosforge.train.stages.table import STAGES, stage_named


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What to measure; of the turns the fastest counts."""

    stages: tuple[str, ...] = ()
    """Stages; all of them when none is given."""
    data: Path | None = None
    """A corpus of clips; one of moving shapes, 854x480, is made without it."""
    fusion_data: Path | None = None
    """A corpus with soft masks; the made one without it."""
    samples: int = 24
    """Samples a turn."""
    turns: int = 3
    network: bool = True
    """Measure the network too, for stages of this device's size."""


def main(settings: Settings) -> None:
    """Measure and print a table."""
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    name = torch.cuda.get_device_name() if device.type == "cuda" else "one core"
    columns = ("stage", "crop", "samples/s of a core", f"the network consumes ({name})", "loader cores for it")
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="vosforge-bench-"))
    try:
        made = None if settings.data and settings.fusion_data else make_corpus(folder / "made")
        for stage in map(stage_named, settings.stages or STAGES):
            place = (settings.fusion_data if stage.data == "fusion" else settings.data) or made
            ours = loaded_per_second(stage, place, settings)
            fits_device = stage.name.endswith("-mini") != (device.type == "cuda")
            theirs = consumed_per_second(stage, place, settings, device) if settings.network and fits_device else None
            beside = ["", ""] if theirs is None else [f"{theirs:.3g}", f"{theirs / ours:.2g}"]
            print(f"| {stage.name} | {stage.crop_size} | {ours:.3g} | {' | '.join(beside)} |", flush=True)
    finally:
        shutil.rmtree(folder)


def loaded_per_second(stage: Stage, place: Path, settings: Settings) -> float:
    """Samples a second of process time, read, augmented and collated, with one thread."""
    batch_size = min(stage.batch_size, settings.samples)
    num_batches = -(-settings.samples // batch_size)
    batches = stage_batches(stage, place, batch_size, 1 + settings.turns * num_batches)
    next(batches)
    best = float("inf")
    for _ in range(settings.turns):
        started = time.process_time()
        for _ in range(num_batches):
            next(batches)
        best = min(best, time.process_time() - started)
    return num_batches * batch_size / best


def consumed_per_second(stage: Stage, place: Path, settings: Settings, device: torch.device) -> float:
    """Samples a second of whole updates on one batch; the fastest of the turns."""
    clock = time.perf_counter if device.type == "cuda" else time.process_time
    autocast = torch.bfloat16 if device.type == "cuda" else None
    take_step = step_function(stage, TrainingSettings(), device, autocast, stage.batch_size)
    batch = to_device(next(stage_batches(stage, place, stage.batch_size, 1)), device)
    best = float("inf")
    for turn in range(1 + settings.turns):
        started = clock()
        take_step(batch, turn)
        best = min(best, clock() - started) if turn else best
    return stage.batch_size / best


if __name__ == "__main__":
    main(tyro.cli(Settings, description=__doc__))
