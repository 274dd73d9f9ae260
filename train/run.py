"""Prepares a run: corpora, device, run folder, start point; then the loop. The same request again resumes it."""

import contextlib
import math
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ..datagen.samples.parts import SamplePart
from ..models.propagation import count_parameters
from .batches import Source, Split, has_held_out, make_part
from .checkpoint import RESUME_REQUIRED, initialise_from, load_state, read_checkpoint
from .device import choose_device
from .log import MetricsLog, MetricWindow
from .loop import Batch, LoopReport, LoopSettings, make_optimiser, train
from .request import RunRequest
from .run_folder import claim_folder

VALIDATION_BATCHES = 8
VALIDATION_JUMP = 5


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """How a run ended: finished steps, whether they are all, the last checkpoint, and what was started from."""

    steps: int
    finished: bool
    checkpoint: Path
    started_from: str


BatchSource = Callable[[int], Iterator[Batch]]


def run(
    request: RunRequest,
    *,
    report: Callable[[LoopReport], None],
    announce: Callable[[str], None],
    batches: BatchSource | None = None,
    validation: Callable[[], Iterable[Batch]] | None = None,
) -> RunResult:
    """Run a stage, or go on with the run that stands in `request.out`.

    `report` hears of every step, `announce` of what a person should know. `batches` and `validation` replace the
    corpora's loader (tests). SIGINT and SIGTERM end the run after a checkpoint of the current step. Raises ValueError
    on a user's mistake, before anything is written, and TrainingFailed when the loss is not finite.
    """
    num_steps = request.resolved("num_steps")
    device = choose_device(request.device)
    if batches is None:
        batches, validation = _corpus_batches(request)
    elif request.validate_every == 0:
        validation = None
    torch.manual_seed(request.seed)
    network = request.stage.network.named(request.resolved("size")).to(device, memory_format=torch.channels_last)
    started_from = "scratch" if request.init is None else initialise_from(network, request.init)
    with claim_folder(request):
        optimiser = make_optimiser(network, request.stage)
        start_step, window = 0, MetricWindow()
        last = request.out / "checkpoints" / "last.pt"
        if last.exists():
            start_step, window = _resume(last, network, optimiser)
            started_from = f"step {start_step} of {last}"
        announce(
            f"{request.stage.name}, size {request.resolved('size')}, {count_parameters(network):,} parameters, "
            f"from {started_from}"
        )
        log = MetricsLog(request.out, start_step)
        if log.note:
            announce(log.note)
        try:
            with _stop_on_signals() as stop:
                steps = train(
                    network,
                    optimiser,
                    request.stage,
                    _loop_settings(request, device),
                    request.out,
                    start_step=start_step,
                    window=window,
                    batches=batches,
                    validation=validation,
                    log=log,
                    report=report,
                    stop=stop,
                )
        finally:
            log.close()
    return RunResult(steps=steps, finished=steps == num_steps, checkpoint=last, started_from=started_from)


def _corpus_batches(request: RunRequest) -> tuple[BatchSource, Callable[[], Iterable[Batch]] | None]:
    from ..datagen.samples.loader import make_loader

    stage, num_steps = request.stage, request.resolved("num_steps")
    if not request.data:
        raise ValueError("no data: give at least one --data DIR, a folder written by vosforge-render run")

    def parts_of(split: Split, sources: Sequence[Source]) -> list[SamplePart]:
        settings = {"crop_size": request.resolved("crop_size"), "settings": stage.sample_settings}
        return [make_part(stage.data, source, split=split, **settings) for source in sources]

    # Made here, where a corpus without usable clips is refused: the loader comes after the run folder is written.
    sources = [Source(*source) for source in request.data]
    parts = parts_of("train", sources)
    batch_size = request.resolved("batch_size")

    def batches(start_step: int) -> Iterator[Batch]:
        return iter(
            make_loader(
                parts,
                seed=request.seed,
                batch_size=batch_size,
                max_jump=lambda step: stage.at(step, num_steps).max_jump,
                start_step=start_step,
                num_steps=num_steps,
                num_workers=request.num_workers,
            )
        )

    def validation() -> Iterable[Batch]:
        # The same triplets at every validation of every run.
        return make_loader(
            held_out,
            seed=0,
            batch_size=batch_size,
            max_jump=lambda step: VALIDATION_JUMP,
            start_step=0,
            num_steps=VALIDATION_BATCHES,
        )

    if not request.validate_every:
        return batches, None
    with_val = [source for source in sources if has_held_out(source)]
    if not with_val:
        raise ValueError("--validate-every needs held-out clips, but no corpus has a val split; leave it at 0")
    held_out = parts_of("val", with_val)
    return batches, validation


def _loop_settings(request: RunRequest, device: torch.device) -> LoopSettings:
    num_steps = request.resolved("num_steps")
    bf16 = request.precision == "bf16" or (request.precision == "auto" and device.type == "cuda")
    often = max(1, num_steps // 20)
    return LoopSettings(
        num_steps=num_steps,
        seed=request.seed,
        device=device,
        autocast=torch.bfloat16 if bf16 else None,
        log_every=request.log_every,
        checkpoint_every=request.checkpoint_every or min(1000, often),
        keep_every=math.ceil(num_steps / 5),
        picture_every=min(5000, often) if request.picture_every is None else request.picture_every,
        validate_every=request.validate_every,
    )


def _resume(path: Path, network: torch.nn.Module, optimiser: torch.optim.Optimizer) -> tuple[int, MetricWindow]:
    content = read_checkpoint(path)
    missing = [key for key in RESUME_REQUIRED if key not in content]
    if missing:
        raise ValueError(
            f"{path} lacks {' and '.join(missing)}, so the run cannot go on from it; "
            "start a new run with --init and another --out"
        )
    load_state(network, content["network"], path)
    optimiser.load_state_dict(content["optimiser"])
    return content["step"], MetricWindow(content["window"])


@contextlib.contextmanager
def _stop_on_signals() -> Iterator[Callable[[], bool]]:
    """Turn the first SIGINT or SIGTERM into a request to stop after the current step; a second one acts as usual."""
    received: list[int] = []
    previous: dict[int, Any] = {}

    def note(number: int, _frame: Any) -> None:
        received.append(number)
        signal.signal(number, previous[number])

    with contextlib.suppress(ValueError):  # not in the main thread: the caller's business
        for number in (signal.SIGINT, signal.SIGTERM):
            previous[number] = signal.signal(number, note)
    try:
        yield lambda: bool(received)
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
