"""The task farm: run one function over many tasks on Ray or on local processes, and report what became of each.

Rendering, packing and evaluation use it. Only this file and Ray Train's import Ray. A task is a name and plain data; it
should take seconds to minutes and return a small record (paths, counts), with its output committed to files.
"""

import contextlib
import logging
import os
import signal
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .task import Failure, FarmSettings, Function, NoNodeLeft, Outcome, Task, call_in_worker, call_task, lost_outcome

__all__ = ["Failure", "FarmSettings", "NoNodeLeft", "Outcome", "ray_session", "run_on_every_node", "run_tasks"]

NODE_LOSSES_ALLOWED = 20
"""A task that takes its node down each time must not take down the whole cluster."""
NODE_CHECK_SECONDS = 2.0
CONNECT_SECONDS = 10.0
START_TRIALS = 2
"""Ray waits half a minute for its own processes, each time."""


def run_tasks(
    function: Function, tasks: Sequence[Task], settings: FarmSettings, shared: Any = None
) -> Iterator[Outcome]:
    """Yield one Outcome per task, in the order in which they end; a failing task does not stop the others.

    function: importable by name in another process; called with the payload of a task, or with (shared, payload) when
    `shared` is given, which travels to the workers once and not with every task.
    tasks: (task id, payload) of plain data; any Sequence, read one by one as places become free. It may grow while the
    outcomes are read.
    Closing the generator, or Ctrl-C, stops the running tasks by force. Raises NoNodeLeft when no node is left that has
    the resources of a task, ValueError when the cluster cannot be joined.
    """
    if settings.executor == "local":
        from .local import run_local

        yield from run_local(function, tasks, settings, shared)
        return
    with ray_session(settings) as ray:
        yield from _RayRun(ray, function, settings, shared).outcomes(tasks)


def run_on_every_node(
    function: Function, payload: Any, settings: FarmSettings, limit_seconds: float = 600.0
) -> list[Outcome]:
    """Run the function once on each living node and return the outcomes in the order of the nodes' addresses.

    The task id is "<host name>/<address>". The call takes nothing from Ray's accounts, so that it also runs on busy
    nodes; one that has not ended after `limit_seconds` is a failure. The local executor calls the function here.
    """
    if settings.executor == "local":
        return [call_task(function, f"{os.uname().nodename}/local", payload)]
    with ray_session(settings) as ray:
        affinity = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
        nodes = sorted(_living(ray), key=lambda node: (node["NodeManagerAddress"], node["NodeID"]))
        names = [f"{node['NodeManagerHostname']}/{node['NodeManagerAddress']}" for node in nodes]
        call = ray.remote(num_cpus=0, max_retries=0)(call_in_worker)
        references = [
            call.options(scheduling_strategy=affinity(node["NodeID"], soft=False)).remote(function, name, payload)
            for node, name in zip(nodes, names, strict=True)
        ]
        ray.wait(references, num_returns=len(references), timeout=limit_seconds)
        outcomes = []
        for name, reference in zip(names, references, strict=True):
            try:
                outcomes.append(ray.get(reference, timeout=0.1))
            except ray.exceptions.RayError as error:
                late = isinstance(error, ray.exceptions.GetTimeoutError)
                message = f"no answer after {limit_seconds:.0f} s" if late else _describe(error)
                outcomes.append(Outcome(task_id=name, failure=Failure(kind="crash", message=message)))
                with contextlib.suppress(ray.exceptions.RayError):
                    ray.cancel(reference, force=True)
        return outcomes


@dataclass(frozen=True, kw_only=True)
class _Running:
    """A task in Ray's hands: its number of counted attempts, the node that has begun it, and the dead nodes of then."""

    task_id: str
    payload: Any
    attempt: int = 1
    node_losses: int = 0
    node: str | None = None
    dead_nodes: frozenset[str] = frozenset()


def _call_and_tell_node(function: Function, task_id: str, payload: Any, shared: Any) -> Iterator[Any]:
    """Yield the id of the node that runs the task, and then its outcome."""
    import ray

    yield ray.get_runtime_context().get_node_id()
    yield call_in_worker(function, task_id, payload, shared)


class _RayRun:
    """One pass over the tasks on a connected Ray."""

    def __init__(self, ray: Any, function: Function, settings: FarmSettings, shared: Any) -> None:
        self.ray, self.function, self.settings = ray, function, settings
        self.shared = None if shared is None else ray.put(shared)
        options = {"num_cpus": settings.cpus_per_task, "num_gpus": settings.gpus_per_task}
        if settings.memory_bytes_per_task:
            options["memory"] = settings.memory_bytes_per_task
        options |= {"max_retries": 0, "max_calls": settings.recycle_after, "num_returns": "streaming"}
        self.remote = ray.remote(**options)(_call_and_tell_node)
        self.running: dict[Any, _Running] = {}
        self.dead_nodes = self._dead_nodes()
        self.last_fit = self.last_check = time.monotonic()

    def outcomes(self, tasks: Sequence[Task]) -> Iterator[Outcome]:
        limit = self.settings.num_workers * self.settings.in_flight_per_worker
        position = 0
        self._check_nodes(patience=0.0 if self.settings.address is None else self.settings.node_wait_seconds)
        try:
            while position < len(tasks) or self.running:
                while position < len(tasks) and len(self.running) < limit:
                    task_id, payload = tasks[position]
                    self._hand_over(_Running(task_id=task_id, payload=payload))
                    position += 1
                for answer in self.ray.wait(list(self.running), num_returns=1, timeout=1.0)[0]:
                    outcome = self._settle(answer, self.running.pop(answer))
                    if outcome is not None:
                        yield outcome
                yield from self._leave_dead_nodes()
                self._check_nodes(self.settings.node_wait_seconds)
        finally:
            for answer in self.running:
                self._cancel(answer)

    def _hand_over(self, task: _Running) -> None:
        answer = self.remote.remote(self.function, task.task_id, task.payload, self.shared)
        self.running[answer] = replace(task, node=None, dead_nodes=self.dead_nodes)

    def _settle(self, answer: Any, task: _Running) -> Outcome | None:
        """Return the outcome of a task that has ended, None when it has only begun or was handed over again."""
        errors = self.ray.exceptions
        counts = {"attempts": task.attempt, "node_losses": task.node_losses}
        try:
            told = self.ray.get(next(answer))
        except errors.RayTaskError as error:
            # The function could not be imported or its value not pickled: the caller's fault.
            message = (str(error).strip().splitlines() or [""])[-1]
            failure = Failure(kind="error", message=message, traceback=str(error))
            return Outcome(task_id=task.task_id, failure=failure, **counts)
        except errors.RayError as error:
            self.dead_nodes = self._dead_nodes()
            # A node that goes down may take its workers first, so a crash beside a fresh dead node counts as its loss.
            if isinstance(error, errors.NodeDiedError | errors.ObjectLostError) or self.dead_nodes > task.dead_nodes:
                return self._lost_with_node(task, _describe(error))
            if task.attempt <= self.settings.retries:
                self._hand_over(replace(task, attempt=task.attempt + 1))
                return None
            return lost_outcome(task.task_id, _describe(error), **counts)
        if isinstance(told, Outcome):
            return replace(told, **counts)
        self.running[answer] = replace(task, node=told)
        return None

    def _lost_with_node(self, task: _Running, message: str) -> Outcome | None:
        """Hand the task over again, uncounted, unless it has taken down too many nodes."""
        if task.node_losses == NODE_LOSSES_ALLOWED:
            return lost_outcome(task.task_id, message, task.attempt, task.node_losses)
        self._hand_over(replace(task, node_losses=task.node_losses + 1))
        return None

    def _leave_dead_nodes(self) -> Iterator[Outcome]:
        """Give up waiting for tasks whose node is dead: Ray itself waits on for as long as their workers live."""
        if time.monotonic() - self.last_check < NODE_CHECK_SECONDS:
            return
        self.dead_nodes = self._dead_nodes()
        for answer, task in list(self.running.items()):
            if task.node in self.dead_nodes:
                self._cancel(answer)
                del self.running[answer]
                outcome = self._lost_with_node(task, f"its node {task.node} went down")
                if outcome is not None:
                    yield outcome

    def _cancel(self, answer: Any) -> None:
        with contextlib.suppress(self.ray.exceptions.RayError):
            self.ray.cancel(answer, force=True)  # without force native code runs on

    def _check_nodes(self, patience: float) -> None:
        """Raise NoNodeLeft when for `patience` seconds no living node has had what one task occupies."""
        now = time.monotonic()
        if patience and now - self.last_check < NODE_CHECK_SECONDS:
            return
        self.last_check = now
        demand = {
            "CPU": self.settings.cpus_per_task,
            "GPU": self.settings.gpus_per_task,
            "memory": self.settings.memory_bytes_per_task,
        }
        living = _living(self.ray)
        if any(_fits(demand, node["Resources"]) for node in living):
            self.last_fit = now
        elif now - self.last_fit >= patience:
            wanted = ", ".join(f"{amount:g} {name}" for name, amount in demand.items() if amount)
            raise NoNodeLeft(
                f"none of the {len(living)} living nodes has {wanted} for a task, after {patience:.0f} s of waiting; "
                "ask for less per task or add nodes, and run the same command again"
            )

    def _dead_nodes(self) -> frozenset[str]:
        return frozenset(node["NodeID"] for node in self.ray.nodes() if not node["Alive"])


def _living(ray: Any) -> list[dict]:
    return [node for node in ray.nodes() if node["Alive"]]


def _fits(demand: Mapping[str, float], resources: Mapping[str, float]) -> bool:
    return all(resources.get(name, 0.0) >= amount for name, amount in demand.items())


@contextlib.contextmanager
def ray_session(settings: FarmSettings) -> Iterator[Any]:
    """Import Ray and connect; shut down what was started here. A session that is already connected is used as it is.

    ValueError when the cluster cannot be joined, NoNodeLeft when a private Ray does not start.
    """
    # Ray reads these at import. Its notices are not for the user of a data set generator.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import ray
    import ray.util.scheduling_strategies

    if ray.is_initialized():
        yield ray
        return
    quiet = {"include_dashboard": False, "log_to_driver": False, "logging_level": logging.ERROR}
    handler = signal.getsignal(signal.SIGTERM)
    if settings.address is None:
        num_cpus = max(1, round(settings.num_workers * settings.cpus_per_task))
        _start_private(ray, num_cpus=num_cpus, **quiet)
    else:
        quiet.pop("include_dashboard")
        try:
            _check_reachable(settings.address)
            ray.init(address=settings.address, **quiet)
        except (OSError, RuntimeError) as error:  # a ConnectionError is an OSError
            what = f"no Ray cluster can be joined at {settings.address}: {_describe(error)}"
            raise ValueError(f"{what}; correct the address, or start the cluster") from error
    try:
        yield ray
    finally:
        ray.shutdown()
        with contextlib.suppress(ValueError, TypeError):  # only the main thread may; None: not set from Python
            signal.signal(signal.SIGTERM, handler)


def _check_reachable(address: str) -> None:
    """Raise OSError when nothing listens at host:port; Ray itself would go on trying for minutes."""
    host, separator, port = address.rpartition(":")
    if separator and port.isdecimal() and "://" not in address:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()


def _start_private(ray: Any, **options: Any) -> None:
    """Start a Ray of our own; NoNodeLeft when its processes do not come up, as on a machine that is too busy."""
    for trial in range(START_TRIALS):
        try:
            # Never the bare ray.init(): a stale cluster file makes that hang or join a stranger.
            ray.init(address="local", **options)
            return
        except Exception as error:  # a plain Exception is what Ray raises here
            if "timed out" not in str(error):
                raise
            ray.shutdown()
            if trial + 1 == START_TRIALS:
                what = f"Ray did not start in {START_TRIALS} trials ({_describe(error)})"
                raise NoNodeLeft(
                    f"{what}; run the same command when the machine is less busy, or add --executor local"
                ) from error


def _describe(error: BaseException) -> str:
    """The error's class and the first line of its message."""
    return f"{type(error).__name__}: {next(iter(str(error).strip().splitlines()), '')}"
