"""The Blender child process: what it answers when a clip is made, rejected, or cannot be made."""

import errno
import json

import pytest

pytest.importorskip("bpy", reason="bpy is not installed (the render extra)")

from moving_world import cube, world, write_cube
from truth_world import ALL_PASSES, GATE, two_cubes
from vosforge.datagen.corpus.shards import read_members
from vosforge.datagen.imaging.passes import expected_pass_members
from vosforge.render import worker
from vosforge.render.process.child import run_child
from vosforge.render.scene import AssetReference

pytestmark = pytest.mark.blender


def write_order(folder, spec, **changes):
    for name in ("parts", "journal"):
        (folder / name).mkdir(exist_ok=True)
    order = {"root": str(folder), "key": "k-000000", "seed": 0, "spec": spec.to_json(), "checks": GATE, **changes}
    (folder / "request.json").write_text(json.dumps(order))
    return folder / "request.json", folder / "answer.json"


def run_here(folder, spec, **changes):
    """(exit code, answer) of the worker's own function, in this process."""
    request, answer = write_order(folder, spec, **changes)
    return worker.render(request, answer), json.loads(answer.read_text())


def test_a_clip_of_one_frame_has_every_pass_and_is_committed_with_them(tmp_path):
    spec = two_cubes(write_cube(tmp_path / "cube.obj"))
    spec = type(spec)(**{**vars(spec), "num_frames": 1})
    request, answer = write_order(tmp_path, spec, rejections=["black frame"])
    result = run_child(["render", str(request), str(answer)], tmp_path / "output.log", 120.0)
    assert result.returncode == 0, result.output_tail
    answered = json.loads(answer.read_text())
    assert answered["frames"] == 1 and answered["device"] == "cpu"
    assert answered["peak_memory_bytes"] > 50e6 and answered["cpu_seconds"] > 0
    assert set(answered["seconds_by_kind"]) == {"set-up", "truth", "amodal", "pictures"}
    manifest = json.loads((tmp_path / "parts/k-000000.json").read_text())
    assert manifest["statistics"]["rejections"] == ["black frame"]
    for name in ALL_PASSES[1:]:
        members = read_members((tmp_path / f"parts/k-000000.{name}.tar").read_bytes())
        assert [member for member, _ in members] == expected_pass_members(name, "k-000000", 1)


def test_a_clip_that_fails_its_gate_is_rejected_before_a_picture_is_rendered(tmp_path, monkeypatch):
    from vosforge.render.blender import frames

    monkeypatch.setattr(frames, "render_built", lambda *_, **__: pytest.fail("a picture was rendered"))
    spec = two_cubes(write_cube(tmp_path / "cube.obj"), passes=("ids", "depth"))
    code, answer = run_here(tmp_path, spec, checks={"smallest_area": 10**6, "smallest_share": 0.5})
    assert code == worker.EXIT_REJECTED
    assert answer["rejected"] == "object unseen" and "object 1" in answer["detail"]


def test_a_broken_model_is_a_failure_of_the_asset(tmp_path):
    (tmp_path / "empty.obj").write_text("")
    broken = cube(tmp_path, model=AssetReference(name="models/empty.obj", path=str(tmp_path / "empty.obj")))
    code, answer = run_here(tmp_path, world([broken], 1))
    assert (code, answer["failure"]) == (worker.EXIT_FAILED, "asset")
    assert answer["detail"] and not list((tmp_path / "parts").iterdir())


def test_a_missing_texture_is_a_failure_of_the_asset(tmp_path):
    lost = AssetReference(name="textures/lost.png", path=str(tmp_path / "lost.png"))
    code, answer = run_here(tmp_path, world([cube(write_cube(tmp_path / "cube.obj"), texture=lost)], 1))
    assert (code, answer["failure"]) == (worker.EXIT_FAILED, "asset")
    assert "lost.png" in answer["detail"]


def test_failures_are_told_apart():
    from vosforge.render.blender.models import BrokenModel

    for error, kind in (
        (MemoryError("no more"), "memory"),
        (BrokenModel("has no faces"), "asset"),
        (RuntimeError("Error: CUDA error: Out of memory in cuMemAlloc"), "gpu"),
        (ValueError("device 'optix': Cycles finds no such device here"), "gpu"),
        (OSError(errno.ENOSPC, "No space left on device"), None),
        (FileNotFoundError(errno.ENOENT, "No such file"), "asset"),
        (KeyError("smallest_area"), None),
    ):
        assert worker.failure_kind(error) == kind, repr(error)


def test_probe_says_what_renders_here(tmp_path):
    (tmp_path / "request.json").write_text(json.dumps({"device": "cpu", "engine": "cycles", "frame": False}))
    assert worker.probe(tmp_path / "request.json", tmp_path / "answer.json") == 0
    answer = json.loads((tmp_path / "answer.json").read_text())
    assert answer["refused"] is None and answer["device"] == "cpu"
