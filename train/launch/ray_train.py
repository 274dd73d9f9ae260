"""Training through Ray Train: processes on one machine or on a cluster, started again when one of them is lost.

The only file of `train` that imports Ray, when it is called.
"""

import contextlib
import functools
import importlib
import secrets
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..distributed import PreparationFailed, RankGroup
from ..loop import TrainingFailed
from ..request import RunRequest
from ..run import RunResult, run
from ..run_folder import RAY_FOLDER
from ..stopping import stop_on_signals
from .torchrun import PATIENCE, rank_device

SAID = "said.txt"
"""In the records of Ray Train: what the first process has to say, wherever it runs."""
STOP = "stop"
"""Beside it: a file that asks the first process to end the run after its step."""
LISTEN_SECONDS = 0.5
_EXTRA = "install them: pip install 'vosforge[ray-train]'"


@dataclass(frozen=True, kw_only=True)
class RaySettings:
    """Where and how the processes run.

    num_ranks: processes, each with cpus_per_rank CPUs and, on CUDA, one GPU. address: host:port of a cluster, None for
    this machine alone. restarts: how often all of them may be started again, from the last checkpoint, after one was
    lost.
    """

    num_ranks: int
    address: str | None = None
    cpus_per_rank: int = 1
    restarts: int = 3

    def __post_init__(self) -> None:
        for name, least in (("num_ranks", 1), ("cpus_per_rank", 1), ("restarts", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}; give {least} or more")


def run_on_ray(request: RunRequest, settings: RaySettings, announce: Callable[[str], None]) -> RunResult:
    """Run a stage, or go on with it, in processes of Ray Train; `request.out` must be a folder that all nodes see.

    ValueError for a mistake of the user or a cluster without the places; TrainingFailed when the loss is not finite, or
    when processes were lost more often than `restarts`.
    """
    request.division(settings.num_ranks)
    request = with_absolute_paths(request)
    with _session(settings) as ray:
        from ray.train import FailureConfig, RunConfig, ScalingConfig
        from ray.train.torch import TorchConfig, TorchTrainer

        use_gpu = _uses_gpu(ray, request, settings)
        announce(f"Ray Train: {settings.num_ranks} processes, {'one GPU each' if use_gpu else 'on CPUs'}")
        made_here = not request.out.exists()
        # A folder of its own for each launch: a second one, which will be refused, leaves the first one's alone.
        records = request.out / RAY_FOLDER / secrets.token_hex(4)
        records.mkdir(parents=True)
        trainer = TorchTrainer(
            _train_rank,
            train_loop_config={"request": request, "device": "cuda" if use_gpu else "cpu", "records": records},
            torch_config=TorchConfig(timeout_s=round(PATIENCE.total_seconds())),
            scaling_config=ScalingConfig(
                num_workers=settings.num_ranks,
                use_gpu=use_gpu,
                resources_per_worker={"CPU": settings.cpus_per_rank, **({"GPU": 1} if use_gpu else {})},
            ),
            run_config=RunConfig(
                name="run",
                storage_path=str(records),
                failure_config=FailureConfig(max_failures=settings.restarts),
            ),
        )
        try:
            with _repeated(records / SAID, announce):
                outcome = _outcome_of(trainer, settings, lambda: (records / STOP).touch())
        finally:
            shutil.rmtree(records, ignore_errors=True)
            with contextlib.suppress(OSError):  # another launch has its records there
                records.parent.rmdir()
            if made_here and request.out.is_dir() and not any(request.out.iterdir()):
                request.out.rmdir()
    if "mistake" in outcome:
        raise ValueError(outcome["mistake"])
    if "failed" in outcome:
        raise TrainingFailed(outcome["failed"])
    return RunResult(**outcome["result"])


def with_absolute_paths(request: RunRequest) -> RunRequest:
    """The request with whole paths: the processes do not share this one's working folder. URLs stay."""

    def whole(place: Any) -> Any:
        return place.resolve() if isinstance(place, Path) else place

    return replace(
        request,
        out=whole(request.out),
        init=whole(request.init),
        companion=whole(request.companion),
        data=tuple((whole(place), weight) for place, weight in request.data),
        validate_on=tuple((whole(place), split) for place, split in request.validate_on),
    )


def _train_rank(config: dict[str, Any]) -> dict[str, Any]:
    """Run in a process of Ray Train, which has connected torch's default group; return what became of the run.

    What all processes raise together is returned, for Ray would start them again; other errors are raised.
    """
    import ray.train
    from rich.console import Console

    from ..progress import show_progress

    request: RunRequest = config["request"]
    records: Path = config["records"]
    context = ray.train.get_context()
    device = rank_device(config["device"], 0 if config["device"] == "cpu" else _visible_gpu(context))
    group = RankGroup(rank=context.get_world_rank(), num_ranks=context.get_world_size(), device=device)

    def check_shared() -> None:
        if not request.out.is_dir():
            raise ValueError(
                f"{request.out} is not on the node {socket.gethostname()}; give a folder that all nodes see"
            )

    try:
        group.together(check_shared)
        with contextlib.ExitStack() as stack:
            report, announce = None, None
            if group.is_first:
                said = stack.enter_context((records / SAID).open("a", buffering=1))
                report = stack.enter_context(
                    show_progress(Console(file=said, markup=False), request.resolved("num_steps"))
                )
                announce = functools.partial(print, file=said)
            stop = (records / STOP).exists if group.is_first else bool
            result = run(request, report=report, announce=announce, stop=stop, group=group)
    except TrainingFailed as error:
        return {"failed": str(error)}
    except (ValueError, OSError) as error:
        if group.num_ranks == 1 or isinstance(error, PreparationFailed):
            return {"mistake": str(error)}
        raise
    return {"result": vars(result)}


def _visible_gpu(context: Any) -> int:
    """The place of this process's GPU among those that it sees: Ray shows each process its own, or all of a node."""
    import torch

    return 0 if torch.cuda.device_count() == 1 else context.get_local_rank()


def _outcome_of(trainer: Any, settings: RaySettings, ask_to_stop: Callable[[], None]) -> dict[str, Any]:
    """Wait for Ray Train, and hand a first SIGINT or SIGTERM on; TrainingFailed when it gave up."""
    ended: list[Any] = []

    def fit() -> None:
        try:
            ended.append(trainer.fit().return_value)
        except Exception as error:  # raised again by the waiting thread
            ended.append(error)

    # Not in the main thread: there Ray Train would catch signals itself, and end this process as if all were done.
    waiting = threading.Thread(target=fit, daemon=True)
    with stop_on_signals() as stop:
        waiting.start()
        while waiting.is_alive():
            waiting.join(LISTEN_SECONDS)
            if stop():
                ask_to_stop()
    (outcome,) = ended
    if not isinstance(outcome, Exception):
        return outcome
    # Ray Train's own error classes moved and changed their base between its versions.
    if not type(outcome).__module__.startswith("ray."):
        raise outcome
    last = (str(outcome).strip().splitlines() or [type(outcome).__name__])[-1]
    raise TrainingFailed(
        f"a process of the training was lost more than {settings.restarts} times, the last time: {last}; the same "
        "command goes on from the last checkpoint"
    ) from outcome


def _uses_gpu(ray: Any, request: RunRequest, settings: RaySettings) -> bool:
    """Whether the processes get a GPU each; ValueError when the cluster has not the places for them."""
    there = ray.cluster_resources()
    gpus, cpus = int(there.get("GPU", 0)), int(there.get("CPU", 0))
    if request.device == "cuda" and gpus < settings.num_ranks:
        raise ValueError(
            f"device 'cuda' is asked for {settings.num_ranks} processes, one GPU each, but Ray sees {gpus} GPUs; give "
            "a smaller --ray, or --device cpu"
        )
    if cpus < settings.num_ranks * settings.cpus_per_rank:
        raise ValueError(
            f"{settings.num_ranks} processes of {settings.cpus_per_rank} CPUs are asked for, but Ray sees {cpus} CPUs; "
            "give a smaller --ray or --ray-cpus, or add nodes"
        )
    return request.device != "cpu" and gpus >= settings.num_ranks


@contextlib.contextmanager
def _session(settings: RaySettings) -> Iterator[Any]:
    """Connect to Ray, with Ray Train imported; ValueError when one of them is not to be had."""
    try:
        importlib.import_module("ray.train.torch")
    except ImportError as error:
        raise ValueError(f"--ray needs Ray Train and what it imports ({error}); {_EXTRA}") from error
    from ...datagen.farm.farm import FarmSettings, NoNodeLeft, ray_session

    places = FarmSettings(
        address=settings.address, num_workers=settings.num_ranks, cpus_per_task=settings.cpus_per_rank
    )
    with contextlib.ExitStack() as stack:
        try:
            ray = stack.enter_context(ray_session(places))
        except NoNodeLeft as error:
            raise ValueError(str(error)) from error
        yield ray


@contextlib.contextmanager
def _repeated(said: Path, announce: Callable[[str], None]) -> Iterator[None]:
    """Say here what the first process writes to a file, line by line, until the block ends."""
    over = threading.Event()

    def repeat() -> None:
        position, is_over = 0, False
        while not is_over:
            # Asked before the last look, so that nothing is left out.
            is_over = over.wait(LISTEN_SECONDS)
            if not said.exists():
                continue
            with said.open("rb") as file:
                file.seek(position)
                new = file.read()
            # A line is said when it is whole, so that no character is cut.
            whole = new[: new.rfind(b"\n") + 1]
            for line in whole.decode().splitlines():
                announce(line)
            position += len(whole)

    listener = threading.Thread(target=repeat, daemon=True)
    listener.start()
    try:
        yield
    finally:
        over.set()
        listener.join()
