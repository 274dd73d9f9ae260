"""Child processes: every way to fail has its name, and nothing of a child outlives it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fake_farm import living_workers
from vosforge.render.process import child
from vosforge.render.process.child import ChildFailure, ChildResult, explain_failure, run_child


@pytest.fixture(autouse=True)
def importable_here(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)


def act(tmp_path, limit_seconds: float = 30.0, limit_bytes: int = 0, **rule) -> tuple[ChildResult, ChildFailure]:
    """Have a child do something; returns its result and the explanation of its failure."""
    request, answer = tmp_path / "request.json", tmp_path / "answer.json"
    request.write_text(json.dumps(rule))
    arguments = ["act", str(request), str(answer)]
    log = tmp_path / "output.log"
    result = run_child(arguments, log, limit_seconds, limit_bytes=limit_bytes, worker="fake_worker")
    said = json.loads(answer.read_text()) if answer.exists() else None
    return result, explain_failure(result, limit_seconds, limit_bytes, said)


def test_a_child_over_its_time_limit_is_killed(tmp_path):
    result, failure = act(tmp_path, limit_seconds=0.5, do="hang")
    assert failure.kind == "timeout" and result.returncode == -signal.SIGKILL
    assert living_workers(str(tmp_path)) == []


def test_a_child_over_its_memory_limit_is_killed(tmp_path):
    result, failure = act(tmp_path, limit_bytes=400 << 20, do="eat memory")
    assert failure.kind == "memory" and "the limit is 0.39 GiB" in str(failure)
    assert result.peak_bytes > 400 << 20


def test_a_signal_is_a_crash_and_its_name_is_told(tmp_path):
    _, failure = act(tmp_path, do="segfault")
    assert failure.kind == "crash" and "SIGSEGV" in str(failure)


def test_the_answer_of_the_child_is_believed(tmp_path):
    _, failure = act(tmp_path, do="fail", kind="asset", detail="models/a.obj has no faces")
    assert (failure.kind, str(failure)) == ("asset", "models/a.obj has no faces")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Out of memory in CUDA queue enqueue (integrator_shade_surface)", "gpu"),
        ("Failed to create CUDA context (Unknown error)", "gpu"),
        ("OPTIX_ERROR_CUDA_ERROR in optixLaunch", "gpu"),
        ("Illegal address in CUDA queue synchronize", "gpu"),
        ("numpy._core._exceptions._ArrayMemoryError: MemoryError: cannot", "memory"),
        ("terminate called after throwing an instance of 'std::bad_alloc'", "memory"),
        ("vosforge.render.blender.models.BrokenModel: models/a.obj: no faces", "asset"),
        ("ImportError: libSM.so.6: cannot open shared object file: No such file or directory", "python"),
        ("KeyError: 'POSITION'", "python"),
    ],
)
def test_the_output_of_a_child_tells_the_class_of_its_failure(text, kind):
    result = ChildResult(returncode=1, seconds=1.0, output_tail=f"Traceback\n{text}\n")
    failure = explain_failure(result, 60.0)
    assert failure.kind == kind and str(failure) == text


def test_the_kernels_out_of_memory_kill_is_told_from_another(tmp_path, monkeypatch):
    kills = iter([3, 3, 3, 4])
    monkeypatch.setattr(child, "count_oom_kills", lambda: next(kills))
    assert act(tmp_path, do="kill")[1].kind == "crash"
    assert act(tmp_path, do="kill")[1].kind == "memory"


def test_a_failure_survives_the_way_between_processes():
    import pickle

    failure = pickle.loads(pickle.dumps(ChildFailure("gpu", "no context")))
    assert (failure.kind, str(failure)) == ("gpu", "no context")


def test_what_a_killed_parent_leaves_is_removed_by_the_next_one(tmp_path, monkeypatch):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(child, "_scratch_folder", lambda: str(scratch))
    (tmp_path / "request.json").write_text(json.dumps({"do": "kill parent"}))
    code = (
        "from pathlib import Path; from vosforge.render.process import child; import sys\n"
        "child._scratch_folder = lambda: sys.argv[1]\n"
        "child.run_child(['act', sys.argv[2], 'answer'], Path(sys.argv[3]), 60.0, worker='fake_worker')"
    )
    arguments = [str(scratch), str(tmp_path / "request.json"), str(tmp_path / "output.log")]
    killed = subprocess.run([sys.executable, "-c", code, *arguments], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(list(scratch.iterdir())) == 1
    wait_until(lambda: living_workers(str(tmp_path)) == [])
    act(tmp_path, do="none")
    assert list(scratch.iterdir()) == []


def wait_until(condition, seconds: float = 20.0) -> None:
    """Return once the condition holds; fail after `seconds`."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.1)
