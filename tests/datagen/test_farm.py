import os
import signal
import socket
import threading
import time
from pathlib import Path

import pytest
from vosforge.datagen.farm import farm
from vosforge.datagen.farm.farm import FarmSettings, NoNodeLeft, run_tasks


def act(payload: dict):
    """What a task does is in its payload, so that one function serves all tests in other processes."""
    if "sleep" in payload:
        time.sleep(payload["sleep"])
    if "raise" in payload:
        raise RuntimeError(payload["raise"])
    if payload.get("crash") == "always":
        os.kill(os.getpid(), signal.SIGKILL)
    if payload.get("crash") == "once" and not os.path.exists(payload["marker"]):
        open(payload["marker"], "w").close()
        os._exit(3)
    if "unpicklable" in payload:
        return threading.Lock()
    return payload.get("value")


def mixed_tasks(tmp_path) -> list:
    return [
        ("good-0", {"value": 0}),
        ("raises", {"raise": "model without faces"}),
        ("crashes-once", {"crash": "once", "marker": str(tmp_path / "marker"), "value": "second attempt"}),
        ("crashes", {"crash": "always"}),
        ("unpicklable", {"unpicklable": True}),
        *[(f"good-{i}", {"value": i}) for i in range(1, 5)],
    ]


@pytest.fixture(scope="module")
def importable_here():
    """Ray's workers inherit the environment; `vosforge` they find installed, this file only so."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)
        yield


@pytest.fixture(scope="module")
def ray_session(importable_here):
    ray = pytest.importorskip("ray", reason="needs the extra farm")
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield ray
    ray.shutdown()


def check_mixed_outcomes(outcomes: list) -> None:
    by_id = {outcome.task_id: outcome for outcome in outcomes}
    assert len(outcomes) == len(by_id) == 9
    assert [by_id[f"good-{i}"].value for i in range(5)] == list(range(5))
    raised = by_id["raises"].failure
    assert raised.kind == "error" and raised.message == "RuntimeError: model without faces"
    assert "in act" in raised.traceback and by_id["raises"].attempts == 1
    assert by_id["crashes-once"].value == "second attempt" and by_id["crashes-once"].attempts == 2
    lost = by_id["crashes"]
    assert lost.failure.kind == "crash" and lost.attempts == 3 and "3 of 3 attempts" in lost.failure.message
    assert by_id["unpicklable"].failure.kind == "error"
    assert by_id["good-0"].host and by_id["good-0"].seconds >= 0


def test_local_processes_report_every_task_whatever_becomes_of_it(tmp_path):
    settings = FarmSettings(executor="local", num_workers=2)
    check_mixed_outcomes(list(run_tasks(act, mixed_tasks(tmp_path), settings)))


class DiesOnArrival:
    """A function whose unpickling ends the process, so that a worker dies before it reads its task."""

    def __call__(self, payload):
        return payload

    def __reduce__(self):
        return os._exit, (5,)


def test_workers_that_die_before_they_read_their_task_lose_it_and_not_the_farm():
    settings = FarmSettings(executor="local", num_workers=2, retries=1)
    outcomes = list(run_tasks(DiesOnArrival(), [("a", 1), ("b", bytes(1 << 20))], settings))
    assert sorted(outcome.task_id for outcome in outcomes) == ["a", "b"]
    for outcome in outcomes:
        assert outcome.failure.kind == "crash" and outcome.attempts == 2 and "exit code 5" in outcome.failure.message


def test_ray_reports_every_task_whatever_becomes_of_it(tmp_path, ray_session):
    check_mixed_outcomes(list(run_tasks(act, mixed_tasks(tmp_path), FarmSettings(num_workers=2))))
    assert ray_session.is_initialized()


def test_one_local_worker_runs_in_this_process():
    settings = FarmSettings(executor="local")
    outcomes = list(run_tasks(act, [("a", {"raise": "no"}), ("b", {"value": os.getpid()})], settings))
    assert outcomes[0].failure.kind == "error" and outcomes[1].value == os.getpid()


class Counting:
    """A sequence of tasks that knows how many have been asked for."""

    def __init__(self, length: int) -> None:
        self.length, self.taken = length, 0

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, position: int):
        self.taken = max(self.taken, position + 1)
        return f"task-{position}", {"value": position}


@pytest.mark.parametrize("executor", ["local", "ray"])
def test_tasks_are_taken_as_places_become_free(executor, request):
    if executor == "ray":
        request.getfixturevalue("ray_session")
    tasks = Counting(1000)
    outcomes = run_tasks(act, tasks, FarmSettings(executor=executor, num_workers=2, in_flight_per_worker=2))
    for received in range(1, 6):
        next(outcomes)
        assert tasks.taken <= received + 4
    outcomes.close()
    assert tasks.taken <= 10


def test_closing_stops_running_tasks(ray_session):
    started = time.perf_counter()
    tasks = [("quick", {"value": 1}), ("endless", {"sleep": 600})]
    for executor in ("local", "ray"):
        outcomes = run_tasks(act, tasks, FarmSettings(executor=executor, num_workers=2))
        assert next(outcomes).task_id == "quick"
        outcomes.close()
    assert time.perf_counter() - started < 30
    assert next(run_tasks(act, [("after", {"value": 2})], FarmSettings(num_workers=2))).value == 2


def test_ray_is_started_and_ended_by_the_farm_and_leaves_the_signals_alone(importable_here):
    ray = pytest.importorskip("ray", reason="needs the extra farm")
    if ray.is_initialized():
        ray.shutdown()
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    outcomes = list(run_tasks(act, [("a", {"value": 1})], FarmSettings(num_workers=1)))
    assert outcomes[0].value == 1
    assert not ray.is_initialized()
    assert handlers == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]


@pytest.mark.parametrize("wrong", [{"executor": "slurm"}, {"num_workers": 0}, {"retries": -1}, {"cpus_per_task": 0}])
def test_wrong_settings_are_named(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        FarmSettings(**wrong)


def test_a_cluster_where_nothing_listens_is_one_line(monkeypatch):
    ray = pytest.importorskip("ray", reason="needs the extra farm")
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(ValueError, match=f"no Ray cluster can be joined at {address}: ConnectionRefused") as caught:
            list(run_tasks(act, [("a", {})], FarmSettings(address=address)))
    assert "\n" not in str(caught.value)


class FakeRay:
    """A Ray whose start fails with a message."""

    def __init__(self, message: str) -> None:
        self.message, self.calls = message, []

    def init(self, **options) -> None:
        self.calls.append(options)
        raise Exception(self.message)

    def shutdown(self) -> None:
        self.calls.append("shutdown")


def test_a_ray_that_does_not_come_up_is_tried_again_and_then_named():
    busy = FakeRay("The current node timed out during startup. This could happen because")
    with pytest.raises(NoNodeLeft, match="add --executor local"):
        farm._start_private(busy, num_cpus=1)
    assert busy.calls == [{"address": "local", "num_cpus": 1}, "shutdown"] * farm.START_TRIALS
    broken = FakeRay("no such option")
    with pytest.raises(Exception, match="no such option"):
        farm._start_private(broken)
    assert len(broken.calls) == 1
