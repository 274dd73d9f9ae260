"""What renders here: probes, devices that are missing, and EEVEE without a GPU."""

import json

import pytest

pytest.importorskip("bpy", reason="bpy is not installed (the render extra)")

from vosforge.render.blender import devices
from vosforge.render.blender.session import configure_render, reset_blender
from vosforge.render.scene import RenderSettings

pytestmark = pytest.mark.blender


def ask(folder, **changes):
    order = {"device": "cpu", "engine": "cycles", "frame": False} | changes
    (folder / "request.json").write_text(json.dumps(order))
    devices.probe(folder / "request.json", folder / "answer.json")
    return json.loads((folder / "answer.json").read_text())


def test_the_probe_frame_is_the_same_twice_and_says_what_rendered_it():
    first, second = devices.probe_frame("cpu"), devices.probe_frame("cpu")
    assert first["sha256"] == second["sha256"] and len(first["sha256"]) == 64
    assert first["device"] == "cpu" and first["seconds"] > 0


def test_a_probe_lists_the_cpu_and_renders_frames_only_when_asked(tmp_path):
    answer = ask(tmp_path)
    assert answer["refused"] is None and answer["device"] == "cpu" and answer["frames"] == []
    assert "cpu" in {device["api"] for device in answer["devices"]}
    frames = ask(tmp_path, frame=True)["frames"]
    assert "cpu" in {frame["device"] for frame in frames}


def test_a_missing_device_is_refused_and_those_that_are_here_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr(devices, "_devices_of", lambda api: [])
    refused = ask(tmp_path, device="cuda")["refused"]
    assert "cuda" in refused and "only cpu" in refused and "\n" not in refused
    assert ask(tmp_path, device="auto")["refused"] is None, "auto falls back to the CPU"


@pytest.mark.parametrize("renderer", ["llvmpipe (LLVM 15.0.6, 256 bits)", "softpipe", None])
def test_eevee_is_refused_on_software_opengl_before_anything_renders(tmp_path, monkeypatch, renderer):
    (tmp_path / "card0").touch()
    monkeypatch.setattr(devices, "GPU_NODES", (str(tmp_path / "card*"),))
    monkeypatch.setattr(devices, "gl_renderer", lambda: renderer)
    reset_blender()
    with pytest.raises(ValueError, match="--engine cycles") as refusal:
        configure_render(RenderSettings(engine="eevee"), seed=0)
    assert "\n" not in str(refusal.value) and (renderer or "EGL") in str(refusal.value)


def test_eevee_is_refused_without_a_gpu_and_accepted_with_one(tmp_path, monkeypatch):
    monkeypatch.setattr(devices, "GPU_NODES", (str(tmp_path / "card*"),))
    assert "no GPU is here" in devices.eevee_refusal()
    (tmp_path / "card0").touch()
    monkeypatch.setattr(devices, "gl_renderer", lambda: "NVIDIA H100 PCIe/PCIe/SSE2")
    assert devices.eevee_refusal() is None
    assert ask(tmp_path, engine="eevee")["refused"] is None


def test_an_unknown_engine_is_refused(tmp_path):
    assert "cycles or eevee" in ask(tmp_path, engine="workbench")["refused"]


def test_the_name_of_the_opengl_renderer_is_a_name_or_nothing():
    from vosforge.render.blender.gl_renderer import gl_renderer

    renderer = gl_renderer()
    assert renderer is None or renderer.strip()
