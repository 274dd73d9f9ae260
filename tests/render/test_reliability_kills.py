"""kill -9 of everything that takes part: the corpus comes out the same, and no worker process lives on."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from fake_farm import events, fake_job, living_workers, models, shard_bytes
from vosforge.datagen.farm.farm import FarmSettings
from vosforge.datagen.verify.corpus import verify
from vosforge.render.jobs.corpus import render_corpus

pytest.importorskip("ray", reason="needs the extra farm")
TWO_ON_RAY = FarmSettings(num_workers=2)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A folder with models, rules for the fake workers, and the shards of an undisturbed run."""
    folder = tmp_path_factory.mktemp("world")
    (folder / "rules").mkdir()
    (folder / "rules/rules.json").write_text("[]")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)
        patch.setenv("FAKE_WORKER_RULES", str(folder / "rules/rules.json"))
        made = World(folder)
        report = render_corpus(fake_job(folder / "undisturbed", made.pool), FarmSettings(executor="local"))
        assert report.missing == {}
        made.undisturbed = shard_bytes(folder / "undisturbed")
        yield made


class World:
    def __init__(self, folder: Path) -> None:
        self.folder, self.pool, self.undisturbed = folder, models(folder / "models"), {}

    def rule(self, *rules: dict) -> None:
        """Replace the rules of the fake workers."""
        for mark in (self.folder / "rules").glob("rule-*"):
            mark.unlink()
        (self.folder / "rules/rules.json").write_text(json.dumps(rules))

    def command(self, root: Path, executor: str) -> list[str]:
        """The command that makes the corpus at `root` in a process of its own."""
        return [sys.executable, "-m", "fake_farm", str(root), str(self.folder / "models"), executor]


def wait_until(condition, seconds: float = 60.0) -> None:
    """Return once the condition holds; fail after `seconds`."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.05)


def test_killed_ray_workers_and_children_cost_nothing(world, tmp_path):
    root = tmp_path / "corpus"
    world.rule(
        {"key": "fake-000001", "do": "kill parent", "times": 1},
        {"key": "fake-000003", "do": "kill", "times": 1},
    )
    report = render_corpus(fake_job(root, world.pool), TWO_ON_RAY)
    assert (report.made, report.missing, report.poisoned) == (6, {}, {})
    assert {event["key"]: event["attempts"] for event in events(root, "clip")}["fake-000001"] == 2
    assert shard_bytes(root) == world.undisturbed
    assert living_workers(str(root)) == []


@pytest.mark.parametrize("executor", ["local", pytest.param("ray", marks=pytest.mark.slow)])
def test_a_killed_driver_takes_its_workers_with_it_and_the_same_command_goes_on(world, tmp_path, executor):
    root = tmp_path / "corpus"
    world.rule({"key": "fake-000002", "do": "hang", "times": 1})
    driver = subprocess.Popen(world.command(root, executor), stderr=subprocess.DEVNULL)
    # Killed while that clip hangs, not before: it would hang again in the second run, up to its limit.
    hangs = world.folder / "rules/rule-0-0"
    wait_until(lambda: hangs.exists() and list((root / "shards").glob("*.json")) and living_workers(str(root)))
    driver.kill()
    driver.wait()
    wait_until(lambda: living_workers(str(root)) == [])
    assert not (root / "index.json").exists()
    assert subprocess.run(world.command(root, "local"), check=False).returncode == 0
    assert shard_bytes(root) == world.undisturbed and verify(root) == []


@pytest.mark.slow
def test_a_killed_raylet_costs_no_clip(world, tmp_path):
    import ray
    from ray.cluster_utils import Cluster

    world.rule({"key": "fake-000000", "do": "sleep", "seconds": 5}, {"key": "fake-000001", "do": "sleep", "seconds": 5})
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    try:
        doomed, _survivor = cluster.add_node(num_cpus=1), cluster.add_node(num_cpus=1)
        root = tmp_path / "corpus"

        def strike() -> None:
            wait_until(lambda: len(living_workers(str(root))) == 2)
            os.kill(doomed.all_processes["raylet"][0].process.pid, signal.SIGKILL)

        threading.Thread(target=strike, daemon=True).start()
        farm = FarmSettings(address=cluster.address, num_workers=2, in_flight_per_worker=1, retries=0)
        report = render_corpus(fake_job(root, world.pool), farm)
    finally:
        ray.shutdown()
        cluster.shutdown()
    assert (report.made, report.missing) == (6, {})
    made = events(root, "clip")
    assert sorted(event["key"] for event in made) == [f"fake-{index:06d}" for index in range(6)]
    assert sum(event["node_losses"] for event in made) == 1 and {event["attempts"] for event in made} == {1}
    assert shard_bytes(root) == world.undisturbed
    assert living_workers(str(root)) == []


def test_a_full_disk_ends_the_run_and_nothing_half_written_is_taken_for_whole(world, tmp_path):
    """A limit on the size of files stands in for the full disk: writing beyond it is an OSError, half-way through."""
    root = tmp_path / "corpus"
    world.rule()
    limited = ["prlimit", "--fsize=8000", *world.command(root, "local")]
    ended = subprocess.run(limited, stderr=subprocess.PIPE, check=False)
    assert ended.returncode == 1, ended.stderr
    reasons = [event["reason"] for event in events(root, "clip failed")]
    assert len(reasons) == 6 and all("File too large" in reason for reason in reasons)
    assert shard_bytes(root) == {} and events(root, "poison") == []
    assert subprocess.run(world.command(root, "local"), check=False).returncode == 0
    assert shard_bytes(root) == world.undisturbed and verify(root) == []
