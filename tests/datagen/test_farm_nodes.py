"""The farm on a cluster of several nodes, each a raylet of this machine: nodes go down, and no task is lost."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest
from vosforge.datagen.farm.farm import FarmSettings, NoNodeLeft, run_on_every_node, run_tasks

ray = pytest.importorskip("ray", reason="needs the extra farm")

# A dead node is noticed in about five seconds; Ray's own numbers take half a minute.
QUICK = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 1000, "health_check_failure_threshold": 4}
HEAD = {"num_cpus": 0, "include_dashboard": False, "_system_config": QUICK}


def work(payload: dict) -> str:
    """Note the start and the process in a file of its own, wait until the task may end, return the node."""
    folder = Path(payload["folder"])
    begun = folder / f"{payload['name']}-{os.getpid()}"
    begun.touch()
    while payload.get("wait") and not (folder / "go on").exists():
        time.sleep(0.05)
    if payload.get("exit"):
        os._exit(payload["exit"])
    return ray.get_runtime_context().get_node_id()


def share_length(shared: list, payload: int) -> int:
    return len(shared) + payload


def whoami(payload: str) -> str:
    return f"{payload} {ray.get_runtime_context().get_node_id()}"


class Nodes:
    """A cluster with a head that runs no tasks, to which nodes of one CPU are added."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        self.cluster = Cluster(initialize_head=True, head_node_args=HEAD)
        self.settings = FarmSettings(
            address=self.cluster.address, num_workers=2, in_flight_per_worker=1, retries=0, node_wait_seconds=5.0
        )

    def add(self):
        return self.cluster.add_node(num_cpus=1)

    def kill_raylet(self, node) -> None:
        """kill -9 of a node's raylet, as a machine that loses its power."""
        os.kill(node.all_processes["raylet"][0].process.pid, signal.SIGKILL)

    def wait_until_gone(self, node) -> None:
        """Wait until the cluster knows that a node is dead, which takes a while on a busy machine."""
        ray.init(address=self.cluster.address, log_to_driver=False)
        try:
            wait_until(lambda: node.node_id in {one["NodeID"] for one in ray.nodes() if not one["Alive"]})
        finally:
            ray.shutdown()


@pytest.fixture(scope="module")
def nodes():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)
        made = Nodes()
        yield made
        ray.shutdown()
        made.cluster.shutdown()


def wait_until(condition) -> None:
    """Return once the condition holds; fail after a minute."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.05)


def wait_for(folder: Path, pattern: str, count: int) -> list[Path]:
    """Wait until `count` files fit the pattern."""
    wait_until(lambda: len(list(folder.glob(pattern))) >= count)
    return sorted(folder.glob(pattern))


def test_a_raylet_that_is_killed_costs_no_task_an_attempt(nodes, tmp_path):
    first, _second = nodes.add(), nodes.add()
    tasks = [(f"task-{i}", {"name": f"task-{i}", "folder": str(tmp_path), "wait": i < 2}) for i in range(4)]
    outcomes = run_tasks(work, Doomed(tasks, lambda: nodes.kill_raylet(first), tmp_path), nodes.settings)
    by_id = {outcome.task_id: outcome for outcome in outcomes}
    assert sorted(by_id) == [f"task-{i}" for i in range(4)], "all done, none twice"
    for outcome in by_id.values():
        assert outcome.failure is None and outcome.attempts == 1
    assert sum(outcome.node_losses for outcome in by_id.values()) == 1
    assert first.node_id not in {outcome.value for outcome in by_id.values()}
    assert len(wait_for(tmp_path, "task-*", 5)) == 5, "the lost task began twice, on two nodes"
    nodes.wait_until_gone(first)


class Doomed(list):
    """Tasks; once two of them run, another thread does the deed, waits for one of the two to die of it, and then lets
    all tasks end."""

    def __init__(self, tasks, deed, folder: Path) -> None:
        super().__init__(tasks)

        def strike() -> None:
            workers = [int(path.name.rpartition("-")[2]) for path in wait_for(folder, "task-*", 2)]
            deed()
            wait_until(lambda: not all(Path(f"/proc/{worker}/fd").exists() for worker in workers))
            (folder / "go on").touch()

        threading.Thread(target=strike, daemon=True).start()


def test_a_worker_that_crashes_on_a_living_node_is_counted(nodes, tmp_path):
    tasks = [("crashes", {"name": "crashes", "folder": str(tmp_path), "exit": 3})]
    (outcome,) = run_tasks(work, tasks, nodes.settings)
    assert outcome.failure.kind == "crash" and (outcome.attempts, outcome.node_losses) == (1, 0)


def test_what_is_shared_reaches_every_task(nodes):
    outcomes = run_tasks(share_length, [("a", 1), ("b", 2)], nodes.settings, shared=["x"] * 1000)
    assert {outcome.task_id: outcome.value for outcome in outcomes} == {"a": 1001, "b": 1002}


def test_a_function_runs_once_on_every_living_node(nodes):
    nodes.add()
    outcomes = run_on_every_node(whoami, "here", nodes.settings)
    assert len(outcomes) == 3 and len({outcome.value for outcome in outcomes}) == 3
    assert all(outcome.failure is None and "/" in outcome.task_id for outcome in outcomes)


def test_without_a_node_for_its_demand_the_farm_says_so(nodes):
    greedy = FarmSettings(address=nodes.cluster.address, gpus_per_task=1, node_wait_seconds=1.0)
    with pytest.raises(NoNodeLeft, match=r"none of the 3 living nodes has 1 CPU, 1 GPU for a task"):
        list(run_tasks(share_length, [("a", 1)], greedy, shared=[]))
