"""Training: steps a second of each stage, memory, share of the device's peak in arithmetic, and time waiting for data.

On CUDA the full-size stages, on the CPU the mini ones, each as the training loop runs them: micro-batches, gradients,
optimiser. FLOPs are those of the multiplications of forward and backward pass, as torch counts them. The peak is the
published one of the device (dense bf16), where it is in the table, and a large matrix product measured here.

Run: python bench/training.py [--stages NAME ...] [--data CORPUS] [--fusion-data CORPUS] [--steps 20]
     python bench/training.py --ratios     what channels-last and bfloat16 are worth here, for a small network
"""

import resource
import shutil
import tempfile
import time
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import tyro
from made_corpus import make_corpus
from stage_batches import RUN_STEPS, stage_batches
from torch.utils.flop_counter import FlopCounterMode
from vosforge.models.propagation import train_batch_norm
from vosforge.train.device import TrainingPrecision, autocast_dtype
from vosforge.train.loop import to_device
from vosforge.train.micro_batches import BatchDivision
from vosforge.train.networks import KINDS
from vosforge.train.optimiser import make_optimiser
from vosforge.train.run import compile_parts
from vosforge.train.stage import Stage
from vosforge.train.stages.table import STAGES, stage_named
from vosforge.train.update import GlobalUpdate

# Dense bfloat16 FLOP a second of the matrix units, from the makers' data sheets.
PUBLISHED_PEAK = {
    "H200": 989e12,
    "H100 PCIe": 756e12,
    "H100 NVL": 835e12,
    "H100": 989e12,
    "A100": 312e12,
    "L40S": 362e12,
    "L4": 121e12,
    "A10": 125e12,
    "RTX 4090": 165e12,
}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What to measure."""

    stages: tuple[str, ...] = ()
    """Stages; those of the device's size when none is given."""
    data: Path | None = None
    """A corpus of clips to read batches from; one of moving shapes is made without it."""
    fusion_data: Path | None = None
    """A corpus with soft masks, for the fusion stages; the made one without it."""
    num_workers: int = 8
    """Loader processes while waiting for data is measured; 0 leaves that out."""
    steps: int | None = None
    """Steps that are timed, after three others; 20 on CUDA, 3 on the CPU."""
    batch_size: int | None = None
    """Samples a step, a multiple of the stage's micro-batch; the stage's own when not given."""
    micro_batches_per_forward: int | None = None
    """See `vosforge-train run`."""
    compile: bool = False
    """With torch.compile."""
    threads: int = 2
    """Of torch, on the CPU."""
    precision: TrainingPrecision = "auto"
    """Of the forward pass, as in `vosforge-train run`."""
    ratios: bool = False
    """Compare formats of a small network instead."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One stage: seconds and multiplication FLOPs of a step, bytes at most, share of the time spent waiting."""

    seconds: float
    flops: int
    memory: int
    waiting: float | None


def main(settings: Settings) -> None:
    """Measure and print a table."""
    torch.set_num_threads(settings.threads)
    if settings.ratios:
        print_ratios(settings)
        return
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    is_cuda = device.type == "cuda"
    torch.backends.cudnn.benchmark = True
    names = settings.stages or [name for name in STAGES if name.endswith("-mini") != is_cuda]
    autocast = autocast_dtype(settings.precision, device)
    name = torch.cuda.get_device_name() if is_cuda else f"CPU, {settings.threads} threads"
    measured_peak = matrix_peak(device, autocast or torch.float32)
    published = next((peak for part, peak in PUBLISHED_PEAK.items() if is_cuda and part in name), None)
    print(f"{name}, torch {torch.__version__}, {'bf16 autocast' if autocast else 'float32'}, channels last")
    print(f"matrix product measured here: {measured_peak / 1e12:.2f} TFLOP/s", end="")
    print(f"; published peak: {published / 1e12:.0f} TFLOP/s\n" if published else "\n")
    columns = ("stage", "size", "crop", "batch", "steps/s", "samples/s", "TFLOP a step", "of measured")
    columns += ("of published", "memory", "waiting", "whole stage")
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="vosforge-bench-"))
    try:
        made = None if settings.data and settings.fusion_data else make_corpus(folder / "made")
        for stage in map(stage_named, names):
            place = (settings.fusion_data if stage.data == "fusion" else settings.data) or made
            found = measure(stage, settings, device, autocast, place)
            rate = found.flops / found.seconds
            batch_size = settings.batch_size or stage.batch_size
            cells = [stage.name, stage.size, stage.crop_size, batch_size, f"{1 / found.seconds:.3g}"]
            cells += [f"{batch_size / found.seconds:.3g}", f"{found.flops / 1e12:.3g}", f"{rate / measured_peak:.0%}"]
            cells += [f"{rate / published:.0%}" if published else "", f"{found.memory / 2**30:.2f} GiB"]
            cells += ["" if found.waiting is None else f"{found.waiting:.1%}"]
            cells += [f"{found.seconds * stage.num_steps / 3600:.3g} h"]
            print(f"| {' | '.join(map(str, cells))} |", flush=True)
    finally:
        shutil.rmtree(folder)


def measure(
    stage: Stage, settings: Settings, device: torch.device, autocast: torch.dtype | None, place: Path
) -> Measured:
    """Time the stage's updates on one batch, and then on batches of a corpus."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    timed = settings.steps or (20 if device.type == "cuda" else 3)
    batch_size = settings.batch_size or stage.batch_size
    take_step = step_function(stage, settings, device, autocast, batch_size)
    batch = to_device(next(stage_batches(stage, place, batch_size, 1)), device)
    with FlopCounterMode(display=False) if not settings.compile else nullcontext() as counter:
        take_step(batch, 0)
    for step in range(1, 3):
        take_step(batch, step)
    started = time.perf_counter()
    for step in range(3, 3 + timed):
        take_step(batch, step)
    seconds = (time.perf_counter() - started) / timed
    waiting = None
    if settings.num_workers:
        waiting = share_of_waiting(stage, settings, device, place, batch_size, take_step, timed)
    if device.type == "cuda":
        memory = torch.cuda.max_memory_allocated()
    else:
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # of the process, and of earlier stages
    return Measured(seconds=seconds, flops=counter.get_total_flops() if counter else 0, memory=memory, waiting=waiting)


def step_function(
    stage: Stage, settings: Settings, device: torch.device, autocast: torch.dtype | None, batch_size: int
):
    """Return (batch, step) -> None: one whole update, which ends when the device is done."""
    network = stage.network.named(stage.size).to(device, memory_format=torch.channels_last)
    companion = None
    if stage.companion is not None:
        kind = KINDS[stage.companion]
        companion = kind.named(stage.size).to(device, memory_format=torch.channels_last).eval().requires_grad_(False)
    if settings.compile:
        compile_parts(network)
    # The heavier part of the run: batch statistics where the stage learns them, and the hardest pixels alone.
    learns_statistics = stage.trains_batch_norm(0, RUN_STEPS)
    train_batch_norm(network, learns_statistics)
    division = BatchDivision(
        batch_size=batch_size,
        micro_batch=min(stage.micro_batch, batch_size),
        per_forward=settings.micro_batches_per_forward,
    )
    update = GlobalUpdate(network, stage, division, seed=0, device=device, autocast=autocast, companion=companion)
    optimiser = make_optimiser(network, stage)
    scheduled = stage.at(RUN_STEPS - 1, RUN_STEPS)

    def take_step(batch, step: int) -> None:
        list(update(batch, step, scheduled, learns_statistics))
        optimiser.step()
        if device.type == "cuda":
            torch.cuda.synchronize()

    return take_step


def share_of_waiting(
    stage: Stage, settings: Settings, device: torch.device, place: Path, batch_size: int, take_step, timed: int
) -> float:
    """Share of the time in which the network waits for batches, once the loader runs."""
    warm = 3
    batches = stage_batches(stage, place, batch_size, warm + timed, settings.num_workers)
    waited = 0.0
    for step in range(warm + timed):
        if step == warm:
            started, waited = time.perf_counter(), 0.0
        asked = time.perf_counter()
        batch = next(batches)
        waited += time.perf_counter() - asked
        take_step(to_device(batch, device), step)
    return waited / (time.perf_counter() - started)


def matrix_peak(device: torch.device, dtype: torch.dtype) -> float:
    """FLOP a second of a large matrix product, the best of several."""
    side = 8192 if device.type == "cuda" else 1024
    left, right = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    best = 0.0
    for _ in range(8):
        started = time.perf_counter()
        left @ right
        if device.type == "cuda":
            torch.cuda.synchronize()
        best = max(best, 2 * side**3 / (time.perf_counter() - started))
    return best


def print_ratios(settings: Settings) -> None:
    """Compare memory formats and precisions on the CPU: minima of alternating turns."""
    stage = replace(stage_named("propagation-rendered-mini"), crop_size=192)
    cpu, batch_size = torch.device("cpu"), 4
    with tempfile.TemporaryDirectory(prefix="vosforge-bench-") as folder:
        batch = next(stage_batches(stage, settings.data or make_corpus(Path(folder) / "made"), batch_size, 1))
    turns = {}
    for name, dtype, memory_format in (
        ("contiguous", None, torch.contiguous_format),
        ("channels-last", None, torch.channels_last),
        ("bfloat16", torch.bfloat16, torch.channels_last),
    ):
        network = stage.network.named(stage.size).to(memory_format=memory_format)
        train_batch_norm(network, True)
        division = BatchDivision(batch_size=batch_size, micro_batch=batch_size)
        turns[name] = GlobalUpdate(network, stage, division, seed=0, device=cpu, autocast=dtype)
    best = dict.fromkeys(turns, float("inf"))
    for turn in range(1 + (settings.steps or 3)):
        for name, update in turns.items():
            started = time.perf_counter()
            list(update(batch, turn, stage.at(0, RUN_STEPS), True))
            if turn:
                best[name] = min(best[name], time.perf_counter() - started)
    print(f"{stage.size}, 192x192, 3 frames, 2 objects, {settings.threads} threads: ", end="")
    print(f"{best['channels-last'] / batch_size:.3f} s a sample")
    print(f"channels-last against contiguous: {best['contiguous'] / best['channels-last']:.2f}x")
    print(f"bfloat16 against float32: {best['channels-last'] / best['bfloat16']:.2f}x (--precision bf16)")


if __name__ == "__main__":
    main(tyro.cli(Settings, description=__doc__))
