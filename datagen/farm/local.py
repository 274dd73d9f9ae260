"""The local executor of the task farm: in this process, or in spawned processes that may crash."""

import collections
import contextlib
import multiprocessing
import os
import pickle
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from multiprocessing.connection import Connection, wait
from typing import Any

from .task import Failure, FarmSettings, Function, Outcome, Task, call_task, end_with_parent, lost_outcome

END_SECONDS = 10.0
"""What a worker without a task has to end by itself."""


def run_local(
    function: Function, tasks: Sequence[Task], settings: FarmSettings, shared: Any = None
) -> Iterator[Outcome]:
    """Yield one Outcome per task; see `farm.run_tasks`. With one worker a crash of a task is a crash of the caller."""
    if settings.num_workers == 1:
        position = 0
        while position < len(tasks):  # the tasks may grow
            task_id, payload = tasks[position]
            position += 1
            yield call_task(function, task_id, payload, shared)
        return
    workers: dict[Connection, _Worker] = {}
    again: collections.deque[tuple[str, Any, int]] = collections.deque()
    position = 0
    try:
        while position < len(tasks) or again or any(worker.task for worker in workers.values()):
            idle = [worker for worker in workers.values() if worker.task is None]
            while again or position < len(tasks):
                if not idle and len(workers) < settings.num_workers:
                    worker = _Worker(function, shared, _free_gpu(settings, workers.values()))
                    workers[worker.connection] = worker
                    idle.append(worker)
                if not idle:
                    break
                if again:
                    task_id, payload, attempt = again.popleft()
                else:
                    task_id, payload, attempt = *tasks[position], 1
                    position += 1
                idle.pop().begin(task_id, payload, attempt)
            for connection in wait([worker.connection for worker in workers.values() if worker.task]):
                worker = workers[connection]
                task_id, payload, attempt = worker.task
                try:
                    outcome = connection.recv()
                except (EOFError, OSError):  # it ended before, while or after reading the task: see `_Worker.begin`
                    del workers[connection]
                    message = f"the worker process ended with exit code {worker.end()}"
                    if attempt <= settings.retries:
                        again.append((task_id, payload, attempt + 1))
                    else:
                        yield lost_outcome(task_id, message, attempt)
                    continue
                worker.task = None
                worker.num_ended += 1
                if worker.num_ended >= settings.recycle_after:
                    del workers[connection]
                    worker.end()
                yield replace(outcome, attempts=attempt)
    finally:
        for worker in workers.values():
            worker.end(kill=True)


def _free_gpu(settings: FarmSettings, workers: Iterable["_Worker"]) -> str | None:
    """The GPUs of the next worker, as CUDA names them; None leaves the choice to CUDA. Raises ValueError."""
    if not settings.gpus_per_task:
        return None
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    count = len([name for name in os.listdir("/dev") if re.fullmatch(r"nvidia\d+", name)])
    gpus = visible.split(",") if visible else [str(number) for number in range(count)]
    whole = max(1, int(settings.gpus_per_task))
    groups = [",".join(gpus[i : i + whole]) for i in range(0, len(gpus) - whole + 1, whole)]
    if settings.num_workers * min(settings.gpus_per_task, 1) > len(groups):
        raise ValueError(
            f"gpus_per_task is {settings.gpus_per_task} for {settings.num_workers} workers, but {len(gpus)} GPUs are "
            "here; take fewer workers or a smaller share"
        )
    used = collections.Counter(worker.gpu for worker in workers)
    return min(groups, key=lambda group: used[group])


class _Worker:
    """A spawned process that answers one task at a time; `task` is (id, payload, attempt) or None when idle."""

    def __init__(self, function: Function, shared: Any, gpu: str | None) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.gpu, self.num_ended = gpu, 0
        self.process = context.Process(target=_serve, args=(theirs, function, shared, gpu), daemon=True)
        self.process.start()
        theirs.close()
        self.task: tuple[str, Any, int] | None = None

    def begin(self, task_id: str, payload: Any, attempt: int) -> None:
        self.task = (task_id, payload, attempt)
        # It died while idle: `recv` will raise EOFError. It raises ConnectionResetError for a worker that dies with the
        # task unread, and a plain OSError for one that dies within its answer.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.connection.send((task_id, payload))

    def end(self, kill: bool = False) -> int | None:
        if kill:
            self.process.kill()
        self.connection.close()
        self.process.join(END_SECONDS)
        if self.process.exitcode is None:  # a Python with foreign libraries may hang while it exits
            self.process.kill()
            self.process.join()
        return self.process.exitcode


def _serve(connection: Connection, function: Function, shared: Any, gpu: str | None) -> None:
    end_with_parent()
    if gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError, KeyboardInterrupt):
        while True:
            task_id, payload = connection.recv()
            outcome = call_task(function, task_id, payload, shared)
            try:
                connection.send(outcome)
            except (TypeError, AttributeError, pickle.PicklingError) as error:
                failure = Failure(kind="error", message=f"the value of the task cannot be pickled: {error}")
                connection.send(replace(outcome, value=None, failure=failure))
