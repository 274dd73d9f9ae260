"""Run a function over sequences on the task farm, with a progress bar; the results come in the sequences' order.

What is handed to a function travels to other processes: it is importable by name, sequences and results can be pickled.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ...datagen.farm.farm import run_tasks
from ...datagen.farm.task import Failure, FarmSettings
from .errors import EvaluationError
from .frame_progress import counting_into, frame_bar, frames_done

if TYPE_CHECKING:
    from rich.console import Console

    from .sequences import AnnotatedSequence

IN_PROCESS = FarmSettings(executor="local", num_workers=1)

__all__ = ["IN_PROCESS", "Task", "TasksFailed", "frames_done", "map_sequences", "map_tasks"]


class Task(NamedTuple):
    """One call of a function: the name that is shown, what the function is given, and how many frames it is worth."""

    name: str
    payload: Any
    num_frames: int = 1


class TasksFailed(RuntimeError):
    """Some tasks have no result because of a crash or a fault of the program, not for what was given.

    failures: name of the task -> `Failure` with its message and, where there is one, traceback.
    """

    def __init__(self, failures: dict[str, Failure], num_tasks: int) -> None:
        name, failure = next(iter(failures.items()))
        super().__init__(f"{len(failures)} of {num_tasks} failed, first {name}: {failure.message}")
        self.failures = failures


def map_sequences(
    function: Callable[..., Any],
    sequences: Sequence[AnnotatedSequence],
    farm: FarmSettings = IN_PROCESS,
    *,
    shared: Any = None,
    doing: str = "scoring",
    console: Console | None = None,
) -> list[Any]:
    """Call the function with every sequence; see `map_tasks`, whose bar counts their frames."""
    tasks = [Task(sequence.name, sequence, sequence.num_frames) for sequence in sequences]
    return map_tasks(function, tasks, farm, shared=shared, doing=doing, console=console)


def map_tasks(
    function: Callable[..., Any],
    tasks: Sequence[Task],
    farm: FarmSettings = IN_PROCESS,
    *,
    shared: Any = None,
    doing: str = "scoring",
    console: Console | None = None,
) -> list[Any]:
    """Return the function's results in the order of the tasks; shows a progress bar of frames when given a console.

    function: called with the payload of a task, or with (shared, payload) when `shared` is given. It may call
    `frames_done` for a bar that moves within a task.
    Raises the first EvaluationError or OSError of the function at once, as EvaluationError. Another fault or a lost
    process does not stop the other tasks; then TasksFailed is raised at the end. Raises NoNodeLeft as the farm does.
    """
    order = list(range(len(tasks)))
    if farm.num_workers > 1:
        # The longest first, or the last worker runs alone for long.
        order.sort(key=lambda k: -tasks[k].num_frames)
    given = [(str(k), (k, tasks[k].payload)) for k in order]
    results: list[Any] = [None] * len(tasks)
    failures: dict[str, Failure] = {}
    with contextlib.ExitStack() as stack:
        bar = stack.enter_context(frame_bar(doing, tasks, console, farm.num_workers > 1 or farm.executor == "ray"))
        everywhere = _Shared(function, shared, _threads_per_task(farm), bar.folder)
        outcomes = stack.enter_context(contextlib.closing(run_tasks(_call, given, farm, shared=everywhere)))
        for outcome in outcomes:
            number = int(outcome.task_id)
            task = tasks[number]
            if outcome.failure is not None:
                failures[task.name] = outcome.failure
                if console is not None:
                    console.print(f"{task.name} failed: {outcome.failure.message}", style="red", markup=False)
            else:
                refusal, results[number] = outcome.value
                if refusal is not None:
                    raise EvaluationError(refusal)
            bar.task_ended(number, task)
    if failures:
        raise TasksFailed(failures, len(tasks))
    return results


class _Shared(NamedTuple):
    """What every call is given besides its task."""

    function: Callable[..., Any]
    own: Any
    num_threads: int | None
    counts: Path | None


def _call(shared: _Shared, numbered: tuple[int, Any]) -> tuple[str | None, Any]:
    """(None, result), or (what is wrong with the data, None)."""
    number, payload = numbered
    if shared.num_threads is not None:
        _limit_threads(shared.num_threads)
    arguments = (payload,) if shared.own is None else (shared.own, payload)
    try:
        with counting_into(None if shared.counts is None else shared.counts / str(number)):
            return None, shared.function(*arguments)
    except (EvaluationError, OSError) as error:
        return str(error), None


def _threads_per_task(farm: FarmSettings) -> int | None:
    """Threads of one task beside others; None leaves them as they are."""
    if farm.executor == "ray":
        return max(1, int(farm.cpus_per_task))
    return None if farm.num_workers == 1 else max(1, (os.cpu_count() or 1) // farm.num_workers)


def _limit_threads(num_threads: int) -> None:
    """Keep OpenCV and torch of this process from starting a thread a core each; several such are slower than one."""
    import cv2

    cv2.setNumThreads(num_threads)
    os.environ["OMP_NUM_THREADS"] = str(num_threads)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(num_threads)
