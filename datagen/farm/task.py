"""What a farm is told and what it answers, as plain data, and the call of one task in the process that runs it."""

import contextlib
import os
import socket
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

ORPHAN_CHECK_SECONDS = 0.5


@dataclass(frozen=True, kw_only=True)
class FarmSettings:
    """How tasks are run.

    executor: "ray", or "local" for in-process (one worker) or spawned processes (more) without Ray.
    num_workers: tasks that run at once. cpus_per_task, gpus_per_task, memory_bytes_per_task: what one task occupies in
    Ray's accounts; a share of a GPU such as 0.25 lets four tasks render on each.
    address: of a Ray cluster to join ("auto" or host:port); None starts a private one and ends it afterwards.
    in_flight_per_worker: tasks handed to Ray at once, per worker; the rest waits here. With an address the cluster
    decides how many of them run, so num_workers then only bounds what is in flight.
    retries: how often a task is repeated after the process that ran it was lost; the loss of a node is not counted.
    recycle_after: tasks after which a worker process is replaced by a fresh one.
    node_wait_seconds: how long to wait for a node that can run a task before NoNodeLeft is raised.
    """

    executor: Literal["ray", "local"] = "ray"
    num_workers: int = 1
    cpus_per_task: float = 1
    gpus_per_task: float = 0
    memory_bytes_per_task: int = 0
    address: str | None = None
    in_flight_per_worker: int = 2
    retries: int = 2
    recycle_after: int = 50
    node_wait_seconds: float = 120.0

    def __post_init__(self) -> None:
        if self.executor not in ("ray", "local"):
            raise ValueError(f"executor is {self.executor!r}, it must be 'ray' or 'local'")
        for name, least in (
            ("num_workers", 1),
            ("in_flight_per_worker", 1),
            ("retries", 0),
            ("recycle_after", 1),
            ("gpus_per_task", 0),
            ("memory_bytes_per_task", 0),
            ("node_wait_seconds", 0),
        ):
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}, it must be at least {least}")
        if self.cpus_per_task <= 0:
            raise ValueError(f"cpus_per_task is {self.cpus_per_task}, it must be above 0")
        if self.gpus_per_task > 1 and self.gpus_per_task != int(self.gpus_per_task):
            raise ValueError(f"gpus_per_task is {self.gpus_per_task}, above 1 it must be a whole number")


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why a task has no value: "error" (the function raised; not repeated) or "crash" (its process was lost)."""

    kind: Literal["error", "crash"]
    message: str
    traceback: str = ""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one task: a value, or a failure. `seconds` is the time in the worker of the last attempt.

    attempts: how often it was run, without the runs that ended with their node, which `node_losses` counts.
    """

    task_id: str
    value: Any = None
    failure: Failure | None = None
    host: str = ""
    seconds: float = 0.0
    attempts: int = 1
    node_losses: int = 0


class NoNodeLeft(RuntimeError):
    """No node of the cluster can run a task any more; what is finished is kept."""


Function = Callable[..., Any]
Task = tuple[str, Any]


def call_task(function: Function, task_id: str, payload: Any, shared: Any = None) -> Outcome:
    """Run one task in this process; an exception of the function becomes a failure with its traceback."""
    started = time.perf_counter()
    value, failure = None, None
    try:
        value = function(payload) if shared is None else function(shared, payload)
    except Exception as error:
        message = f"{type(error).__name__}: {error}"
        failure = Failure(kind="error", message=message, traceback=traceback.format_exc())
    seconds = time.perf_counter() - started
    return Outcome(task_id=task_id, value=value, failure=failure, host=socket.gethostname(), seconds=seconds)


def call_in_worker(function: Function, task_id: str, payload: Any, shared: Any = None) -> Outcome:
    """Run one task in a worker process, which ends at once when the process that started it ends."""
    end_with_parent()
    return call_task(function, task_id, payload, shared)


def lost_outcome(task_id: str, message: str, attempts: int, node_losses: int = 0) -> Outcome:
    """Return the outcome of a task whose process was lost in each of `attempts` attempts."""
    message = f"{message} ({attempts} of {attempts} attempts)"
    failure = Failure(kind="crash", message=message)
    return Outcome(task_id=task_id, failure=failure, attempts=attempts, node_losses=node_losses)


def end_with_parent() -> None:
    """Watch the parent of this worker process and end with it.

    Workers outlive a raylet or a driver that is killed, and would render on for hours for nobody.
    """
    if any(thread.name == _watch_parent.__name__ for thread in threading.enumerate()):
        return
    threading.Thread(target=_watch_parent, args=(os.getppid(),), name=_watch_parent.__name__, daemon=True).start()


def _watch_parent(parent: int) -> None:
    with contextlib.suppress(KeyboardInterrupt):
        while os.getppid() == parent:
            time.sleep(ORPHAN_CHECK_SECONDS)
    os._exit(1)
