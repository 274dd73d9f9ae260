"""The task farm: run one function over many tasks on Ray or on local processes, and report what became of each.

Rendering, packing and evaluation use it. This is the only file that imports Ray. A task is a name and plain data; it
should take seconds to minutes and return a small record (paths, counts), with its output committed to files.
"""

import contextlib
import logging
import os
import signal
import socket
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal


@dataclass(frozen=True, kw_only=True)
class FarmSettings:
    """How tasks are run.

    executor: "ray", or "local" for in-process (one worker) or spawned processes (more) without Ray.
    num_workers: tasks that run at once. cpus_per_task: what one task occupies in Ray's accounts.
    address: of a Ray cluster to join ("auto" or host:port); None starts a private one and ends it afterwards.
    in_flight_per_worker: tasks handed to Ray at once, per worker; the rest waits here. With an address the cluster
    decides how many of them run, so num_workers then only bounds what is in flight.
    retries: how often a task is repeated after the process or the node that ran it was lost.
    """

    executor: Literal["ray", "local"] = "ray"
    num_workers: int = 1
    cpus_per_task: float = 1
    address: str | None = None
    in_flight_per_worker: int = 2
    retries: int = 2

    def __post_init__(self) -> None:
        if self.executor not in ("ray", "local"):
            raise ValueError(f"executor is {self.executor!r}, it must be 'ray' or 'local'")
        for name, least in (("num_workers", 1), ("in_flight_per_worker", 1), ("retries", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}, it must be at least {least}")
        if self.cpus_per_task <= 0:
            raise ValueError(f"cpus_per_task is {self.cpus_per_task}, it must be above 0")


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why a task has no value: "error" (the function raised; not repeated) or "crash" (its process was lost)."""

    kind: Literal["error", "crash"]
    message: str
    traceback: str = ""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one task: a value, or a failure. `seconds` is the time in the worker of the last attempt."""

    task_id: str
    value: Any = None
    failure: Failure | None = None
    host: str = ""
    seconds: float = 0.0
    attempts: int = 1


Function = Callable[[Any], Any]
Task = tuple[str, Any]


def run_tasks(function: Function, tasks: Sequence[Task], settings: FarmSettings) -> Iterator[Outcome]:
    """Yield one Outcome per task, in the order in which they end; a failing task does not stop the others.

    function: importable by name in another process; called with the payload of a task.
    tasks: (task id, payload) of plain data; any Sequence, read one by one as places become free.
    Closing the generator, or Ctrl-C, stops the running tasks by force.
    """
    if settings.executor == "local":
        from .farm_local import run_local

        yield from run_local(function, tasks, settings)
    else:
        yield from _run_ray(function, tasks, settings)


def call_task(function: Function, task_id: str, payload: Any) -> Outcome:
    """Run one task in this process; an exception of the function becomes a failure with its traceback."""
    started = time.perf_counter()
    value, failure = None, None
    try:
        value = function(payload)
    except Exception as error:
        message = f"{type(error).__name__}: {error}"
        failure = Failure(kind="error", message=message, traceback=traceback.format_exc())
    seconds = time.perf_counter() - started
    return Outcome(task_id=task_id, value=value, failure=failure, host=socket.gethostname(), seconds=seconds)


def lost_outcome(task_id: str, message: str, attempts: int) -> Outcome:
    """Return the outcome of a task whose process was lost in each of `attempts` attempts."""
    message = f"{message} ({attempts} of {attempts} attempts)"
    return Outcome(task_id=task_id, failure=Failure(kind="crash", message=message), attempts=attempts)


def _run_ray(function: Function, tasks: Sequence[Task], settings: FarmSettings) -> Iterator[Outcome]:
    with _ray_session(settings) as ray:
        remote = ray.remote(num_cpus=settings.cpus_per_task, max_retries=0)(call_task)
        running: dict[Any, tuple[str, Any, int]] = {}
        limit = settings.num_workers * settings.in_flight_per_worker
        position = 0
        try:
            while position < len(tasks) or running:
                while position < len(tasks) and len(running) < limit:
                    task_id, payload = tasks[position]
                    running[remote.remote(function, task_id, payload)] = (task_id, payload, 1)
                    position += 1
                ended, _ = ray.wait(list(running), num_returns=1, timeout=1.0)
                for reference in ended:
                    task_id, payload, attempt = running.pop(reference)
                    try:
                        outcome = replace(ray.get(reference), attempts=attempt)
                    except ray.exceptions.RayTaskError as error:
                        # The function could not be imported or its value not pickled: the caller's fault.
                        failure = Failure(kind="error", message=_last_line(error), traceback=str(error))
                        outcome = Outcome(task_id=task_id, failure=failure, attempts=attempt)
                    except ray.exceptions.RayError as error:
                        if attempt <= settings.retries:
                            running[remote.remote(function, task_id, payload)] = (task_id, payload, attempt + 1)
                            continue
                        outcome = lost_outcome(task_id, f"{type(error).__name__}: {_first_line(error)}", attempt)
                    yield outcome
        finally:
            for reference in running:
                with contextlib.suppress(ray.exceptions.RayError):
                    ray.cancel(reference, force=True)  # without force native code runs on


@contextlib.contextmanager
def _ray_session(settings: FarmSettings) -> Iterator[Any]:
    """Import Ray and connect; shut down what was started here. A session that is already connected is used as it is."""
    # Ray reads these at import. Its notices are not for the user of a data set generator.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import ray

    if ray.is_initialized():
        yield ray
        return
    quiet = {"include_dashboard": False, "log_to_driver": False, "logging_level": logging.ERROR}
    handler = signal.getsignal(signal.SIGTERM)
    if settings.address is None:
        num_cpus = max(1, round(settings.num_workers * settings.cpus_per_task))
        # Never the bare ray.init(): a stale cluster file makes that hang or join a stranger.
        ray.init(address="local", num_cpus=num_cpus, **quiet)
    else:
        quiet.pop("include_dashboard")
        ray.init(address=settings.address, **quiet)
    try:
        yield ray
    finally:
        ray.shutdown()
        with contextlib.suppress(ValueError, TypeError):  # only the main thread may; None: not set from Python
            signal.signal(signal.SIGTERM, handler)


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), "")


def _last_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [""])[-1]
