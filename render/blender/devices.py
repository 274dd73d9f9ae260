"""What can render here: Cycles devices, whether EEVEE has a real GPU, and a probe frame that tells machines apart."""

from __future__ import annotations

import hashlib
import json
import tempfile
import time
from pathlib import Path

import bpy
import cv2

from ..scene import RenderSettings
from .gl_renderer import gl_renderer

APIS = ("OPTIX", "CUDA")
"""Compute APIs of Cycles, the faster first."""
GPU_NODES = ("/dev/dri/render*", "/dev/dri/card*", "/dev/nvidia[0-9]*", "/dev/dxg")
SOFTWARE_RENDERERS = ("llvmpipe", "softpipe", "swrast", "software rasterizer", "swiftshader")
PROBE_WIDTH, PROBE_HEIGHT, PROBE_SAMPLES = 64, 48, 4


def available_devices() -> list[dict[str, str]]:
    """What Cycles can render on here: a list of {"api": optix | cuda | cpu, "name": str}, the best first."""
    found = [{"api": api.lower(), "name": device.name} for api in APIS for device in _devices_of(api)]
    names = {device.name for device in _preferences().devices if device.type == "CPU"}
    return [*found, *({"api": "cpu", "name": name} for name in sorted(names) or ["cpu"])]


def choose_device(wanted: str) -> None:
    """Have Cycles render on OptiX, then CUDA, then the CPU for `auto`, or on the named device.

    Raises ValueError for a named device that is missing, naming those that are here.
    """
    scene, preferences = bpy.context.scene, _preferences()
    scene.cycles.device = "CPU"
    if wanted == "cpu":
        return
    for api in APIS if wanted == "auto" else (wanted.upper(),):
        matching = _devices_of(api)
        if matching:
            for device in preferences.devices:
                device.use = device in matching
            scene.cycles.device = "GPU"
            return
    preferences.compute_device_type = "NONE"
    if wanted != "auto":
        here = ", ".join(sorted({device["api"] for device in available_devices()}))
        raise ValueError(f"device {wanted!r}: Cycles finds no such device here, only {here}; use --device cpu or auto")


def choose_engine(wanted: str) -> None:
    """Set the engine of the scene. Raises ValueError when EEVEE is asked for and has no real GPU."""
    if wanted not in ("cycles", "eevee"):
        raise ValueError(f"engine {wanted!r} is unknown; choose cycles or eevee")
    refusal = eevee_refusal() if wanted == "eevee" else None
    if refusal:
        raise ValueError(refusal)
    bpy.context.scene.render.engine = "CYCLES" if wanted == "cycles" else "BLENDER_EEVEE_NEXT"


def eevee_refusal() -> str | None:
    """Why EEVEE must not run here, in one line; None where it has a real GPU. Nothing is rendered to find out.

    Without a GPU EEVEE does not fail: it falls back to software OpenGL, at more than a second for each sample.
    """
    root = Path("/")
    if not any(True for pattern in GPU_NODES for _ in root.glob(pattern[1:])):
        return f"engine eevee: no GPU is here (none of {', '.join(GPU_NODES)}); use --engine cycles"
    renderer = gl_renderer()
    if renderer is None:
        return "engine eevee: OpenGL does not start without a display here (EGL); use --engine cycles"
    if any(name in renderer.lower() for name in SOFTWARE_RENDERERS):
        return f"engine eevee: OpenGL is software here ({renderer}); install the GPU's driver or use --engine cycles"
    return None


def probe_frame(device: str) -> dict:
    """Render a tiny fixed scene on a device: auto, cpu, cuda or optix.

    Returns {"sha256": of its pixels, "seconds": wall-clock of the render, "device": what rendered it}. Raises
    ValueError for a device that is missing.
    """
    from .session import configure_render, device_in_use, reset_blender

    reset_blender()
    settings = RenderSettings(
        width=PROBE_WIDTH, height=PROBE_HEIGHT, samples=PROBE_SAMPLES, denoise=False, device=device, threads=1
    )
    configure_render(settings, seed=1)
    scene = bpy.context.scene
    bpy.ops.mesh.primitive_monkey_add(size=2.0, location=(0.0, 0.0, 0.0), rotation=(0.0, 0.0, 0.4))
    bpy.ops.mesh.primitive_plane_add(size=20.0, location=(0.0, 0.0, -1.0))
    bpy.ops.object.light_add(type="POINT", location=(3.0, -4.0, 5.0))
    bpy.context.object.data.energy = 1500.0
    scene.camera.location, scene.camera.rotation_euler = (0.0, -5.0, 0.6), (1.45, 0.0, 0.0)
    with tempfile.TemporaryDirectory(prefix="vosforge-probe-") as folder:
        scene.render.filepath = str(Path(folder) / "probe.png")
        start = time.monotonic()
        bpy.ops.render.render(write_still=True)
        seconds = time.monotonic() - start
        pixels = cv2.imread(scene.render.filepath, cv2.IMREAD_COLOR)
    return {"sha256": hashlib.sha256(pixels.tobytes()).hexdigest(), "seconds": seconds, "device": device_in_use()}


def probe(request: Path, answer: Path) -> None:
    """Say whether settings can be rendered here, before anything is claimed for them.

    request: JSON {"device": str, "engine": str, "frame": bool}. answer: JSON {"refused": str | None, "devices": [...],
    "eevee_refusal": str | None, "blender": str, "device": what would render, "frames": [probe_frame for each API]};
    frames are rendered only when asked for.
    """
    from .session import blender_version, device_in_use, reset_blender

    order = json.loads(request.read_text())
    reset_blender()
    devices, refused = available_devices(), None
    try:
        choose_engine(order["engine"])
        choose_device(order["device"])
    except ValueError as error:
        refused = str(error)
    in_use = device_in_use()
    apis = list(dict.fromkeys(device["api"] for device in devices)) if order.get("frame") else []
    answered = {
        "refused": refused,
        "devices": devices,
        "eevee_refusal": eevee_refusal(),
        "blender": blender_version(),
        "device": in_use,
        "frames": [probe_frame(api) for api in apis],
    }
    answer.write_text(json.dumps(answered, sort_keys=True))


def _preferences() -> bpy.types.AddonPreferences:
    return bpy.context.preferences.addons["cycles"].preferences


def _devices_of(api: str) -> list:
    """The devices of a compute API; an API that this Blender was built without has none."""
    preferences = _preferences()
    if api not in {entry[0] for entry in preferences.get_device_types(bpy.context)}:
        return []
    preferences.compute_device_type = api
    preferences.get_devices_for_type(api)
    return [device for device in preferences.devices if device.type == api]
