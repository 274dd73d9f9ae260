"""Training through Ray Train on a cluster of several nodes, each a raylet of this machine, one of which goes down."""

import importlib
import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from vosforge.train.checkpoint import read_checkpoint
from vosforge.train.launch import ray_train
from vosforge.train.launch.ray_train import RaySettings, run_on_ray, with_absolute_paths
from vosforge.train.log import read_metrics
from vosforge.train.request import RunRequest
from vosforge.train.run import run

# A dead node is noticed in about five seconds; Ray's own numbers take half a minute.
QUICK = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 1000, "health_check_failure_threshold": 4}
HEAD = {"num_cpus": 0, "include_dashboard": False, "_system_config": QUICK}
PATIENCE = 400


@pytest.fixture
def request_for(tiny_stage, tiny_corpus, tmp_path):
    def make(name="run", **changes):
        settings = {"log_every": 1, "checkpoint_every": 1, "picture_every": 0, "device": "cpu", "num_steps": 40}
        stage = replace(tiny_stage, batch_size=2, micro_batch=1)
        return RunRequest(
            **{"stage": stage, "data": ((tiny_corpus, 1.0),), "out": tmp_path / name} | settings | changes
        )

    return make


@pytest.fixture
def cluster():
    """A cluster whose head runs no processes; nodes of one CPU are added to it."""
    ray = pytest.importorskip("ray", reason="needs the extra ray-train")
    pytest.importorskip("ray.train.torch", reason="needs the extra ray-train")
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args=HEAD)
    yield made
    ray.shutdown()
    made.shutdown()


def finished_steps(folder):
    last = folder / "checkpoints" / "last.pt"
    return read_checkpoint(last)["step"] if last.exists() else 0


def processes_of_training(raylet):
    children = Path(f"/proc/{raylet}/task/{raylet}/children").read_text().split()
    return [int(child) for child in children if b"RayTrainWorker" in Path(f"/proc/{child}/cmdline").read_bytes()]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_run_goes_on_from_its_checkpoint_after_a_node_was_lost(cluster, request_for):
    nodes = [cluster.add_node(num_cpus=1) for _ in range(3)]
    request, seen, said = request_for(), [], []

    def strike():
        end = time.monotonic() + PATIENCE
        while finished_steps(request.out) < 5 and time.monotonic() < end:
            time.sleep(0.05)
        # kill -9 of a raylet and its process, as a machine that loses its power. The third node is free.
        raylets = [node.all_processes["raylet"][0].process.pid for node in nodes]
        lost = next((pid, *found) for pid in raylets if (found := processes_of_training(pid)))
        for pid in lost:
            os.kill(pid, signal.SIGKILL)
        seen.append(finished_steps(request.out))

    threading.Thread(target=strike, daemon=True).start()
    result = run_on_ray(request, RaySettings(num_ranks=2, address=cluster.address, restarts=3), said.append)
    assert (result.steps, result.finished) == (40, True)
    assert 5 <= seen[0] < 40, "the node went down in the middle of the run"
    starts = [line for line in said if "parameters, from" in line]
    assert "from scratch" in starts[0] and any("from step" in line for line in starts[1:]), said
    records = read_metrics(request.out / "metrics.jsonl")
    assert [record["step"] for record in records] == list(range(1, 41)), "no step is lost, none stands there twice"
    assert not (request.out / ".ray-train").exists()

    alone = run(request_for("alone"), report=lambda _: None, announce=lambda _: None)
    losses = [record["loss"] for record in read_metrics(alone.checkpoint.parents[1] / "metrics.jsonl")]
    assert [record["loss"] for record in records] == pytest.approx(losses, rel=0.01)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_places_and_mistakes_of_a_cluster_are_named(cluster, request_for, tmp_path):
    cluster.add_node(num_cpus=2)

    def settings(num_ranks):
        return RaySettings(num_ranks=num_ranks, address=cluster.address)

    request = request_for(batch_size=4)
    with pytest.raises(ValueError, match=r"4 processes of 1 CPUs are asked for, but Ray sees 2 CPUs; give a smaller"):
        run_on_ray(request, settings(4), str)
    with pytest.raises(ValueError, match=r"device 'cuda' is asked for 2 processes.*Ray sees 0 GPUs"):
        run_on_ray(replace(request, device="cuda"), settings(2), str)
    with pytest.raises(ValueError, match="nowhere"):
        run_on_ray(replace(request, data=((tmp_path / "nowhere", 1.0),)), settings(2), str)
    assert not request.out.exists(), "a mistake leaves no folder"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_signal_stops_the_run_after_a_checkpoint_and_the_same_request_goes_on(cluster, request_for):
    cluster.add_node(num_cpus=2)
    settings = RaySettings(num_ranks=2, address=cluster.address)

    def interrupt():
        end = time.monotonic() + PATIENCE
        while finished_steps(request_for().out) < 3 and time.monotonic() < end:
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    stopped = run_on_ray(request_for(), settings, str)
    assert 3 <= stopped.steps < 40 and not stopped.finished
    assert finished_steps(request_for().out) == stopped.steps
    again = run_on_ray(request_for(), settings, str)
    assert again.finished and again.started_from.startswith(f"step {stopped.steps} of")


def test_paths_are_made_whole_for_processes_elsewhere(request_for, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    places = ((Path("davis"), "val"), ("s3://bucket/x", "val"))
    fusing = replace(request_for().stage, companion="propagation")
    given = request_for(stage=fusing, init=Path("a.pt"), companion=Path("b.pt"), validate_on=places)
    whole = with_absolute_paths(replace(given, out=Path("run"), data=((Path("c"), 2.0), ("s3://bucket/c", 1.0))))
    assert (whole.out, whole.init, whole.companion) == (tmp_path / "run", tmp_path / "a.pt", tmp_path / "b.pt")
    assert with_absolute_paths(request_for()).companion is None
    assert whole.data == ((tmp_path / "c", 2.0), ("s3://bucket/c", 1.0))
    assert whole.validate_on == ((tmp_path / "davis", "val"), ("s3://bucket/x", "val"))


def test_processes_that_cannot_share_the_batch_are_refused_before_ray_starts(request_for):
    with pytest.raises(ValueError, match=r"2 micro-batches of 1 samples, which 3 processes cannot share equally"):
        run_on_ray(request_for(), RaySettings(num_ranks=3), str)


def test_missing_extra_is_named(request_for, monkeypatch):
    def missing(name):
        raise ImportError(f"No module named '{name}'")

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(ValueError, match=r"--ray needs Ray Train.*pip install 'vosforge\[ray-train\]'"):
        run_on_ray(request_for(), RaySettings(num_ranks=2), str)
    assert ray_train.importlib is importlib


def test_cluster_that_is_not_there_is_named(request_for):
    pytest.importorskip("ray.train.torch", reason="needs the extra ray-train")
    with pytest.raises(ValueError, match=r"no Ray cluster can be joined at 127\.0\.0\.1:9"):
        run_on_ray(request_for(), RaySettings(num_ranks=2, address="127.0.0.1:9"), str)


def test_numbers_out_of_range_are_refused_by_name():
    with pytest.raises(ValueError, match="restarts is -1; give 0 or more"):
        RaySettings(num_ranks=2, restarts=-1)
