"""The local executor of the task farm: in this process, or in spawned processes that may crash."""

import collections
import contextlib
import multiprocessing
import pickle
from collections.abc import Iterator, Sequence
from dataclasses import replace
from multiprocessing.connection import Connection, wait
from typing import Any

from .farm import Failure, FarmSettings, Function, Outcome, Task, call_task, lost_outcome


def run_local(function: Function, tasks: Sequence[Task], settings: FarmSettings) -> Iterator[Outcome]:
    """Yield one Outcome per task; see `farm.run_tasks`. With one worker a crash of a task is a crash of the caller."""
    if settings.num_workers == 1:
        for position in range(len(tasks)):
            task_id, payload = tasks[position]
            yield call_task(function, task_id, payload)
        return
    workers: dict[Connection, _Worker] = {}
    again: collections.deque[tuple[str, Any, int]] = collections.deque()
    position = 0
    try:
        while position < len(tasks) or again or any(worker.task for worker in workers.values()):
            idle = [worker for worker in workers.values() if worker.task is None]
            while again or position < len(tasks):
                if not idle and len(workers) < settings.num_workers:
                    worker = _Worker(function)
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
                yield replace(outcome, attempts=attempt)
    finally:
        for worker in workers.values():
            worker.end(kill=True)


class _Worker:
    """A spawned process that answers one task at a time; `task` is (id, payload, attempt) or None when idle."""

    def __init__(self, function: Function) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, function), daemon=True)
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
        self.process.join()
        return self.process.exitcode


def _serve(connection: Connection, function: Function) -> None:
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError, KeyboardInterrupt):
        while True:
            task_id, payload = connection.recv()
            outcome = call_task(function, task_id, payload)
            try:
                connection.send(outcome)
            except (TypeError, AttributeError, pickle.PicklingError) as error:
                failure = Failure(kind="error", message=f"the value of the task cannot be pickled: {error}")
                connection.send(replace(outcome, value=None, failure=failure))
