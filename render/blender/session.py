"""Blender in this process: BlenderProc beside bpy from PyPI, an empty scene, the render settings."""

from __future__ import annotations

import atexit
import os
import shutil
import site
import sys
import tempfile
import types

import bpy

from ..scene import RenderSettings
from .devices import choose_device, choose_engine


def _import_blenderproc() -> types.ModuleType:
    """Import BlenderProc beside bpy from PyPI.

    BlenderProc 2.8 refuses to load outside its own launcher, drops site-packages from sys.path and looks for a
    Blender installation to put packages into; a stand-in for its set-up module and a restored path prevent all three.
    """
    os.environ["OPENCV_IO_ENABLE_OPENEXR"] = "1"  # the Object Index pass is read from EXR
    os.environ["INSIDE_OF_THE_INTERNAL_BLENDER_PYTHON_ENVIRONMENT"] = "1"
    stand_in = types.ModuleType("blenderproc.python.utility.SetupUtility")

    class SetupUtility:
        @staticmethod
        def setup(*_arguments: object, **_options: object) -> list[str]:
            return sys.argv

        @staticmethod
        def setup_utility_paths(*_arguments: object, **_options: object) -> None:
            return None

    stand_in.SetupUtility = SetupUtility
    sys.modules["blenderproc.python.utility.SetupUtility"] = stand_in
    kept_path = list(sys.path)
    sys.path[:0] = [entry for entry in sys.path if entry.endswith("site-packages")] or site.getsitepackages()
    try:
        import blenderproc
        from blenderproc.python.utility.Utility import Utility
    finally:
        sys.path[:] = kept_path
    # Its loaders write intermediate files there; left unset, that is the current directory.
    Utility.temp_dir = tempfile.mkdtemp(prefix="vosforge-blenderproc-")
    atexit.register(shutil.rmtree, Utility.temp_dir, ignore_errors=True)
    return blenderproc


bproc = _import_blenderproc()


def reset_blender() -> None:
    """Back to an empty factory scene with a camera; nothing of an earlier clip survives."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bproc.clean_up(clean_up_camera=True)


def configure_render(settings: RenderSettings, seed: int) -> None:
    """Set the engine and its device, the denoiser, bounces, threads and colour management from plain settings.

    Raises ValueError for a device that is missing, or for EEVEE without a real GPU.
    """
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = settings.width, settings.height
    scene.render.resolution_percentage = 100
    scene.render.threads_mode, scene.render.threads = "FIXED", settings.threads
    scene.render.use_persistent_data = settings.persistent_data
    scene.render.dither_intensity = 0.0
    scene.render.film_transparent = False
    scene.view_settings.view_transform = settings.view_transform
    scene.render.image_settings.file_format = "PNG"
    scene.render.image_settings.color_mode = "RGB"
    scene.render.image_settings.compression = 0
    scene.eevee.taa_render_samples = settings.samples
    cycles = scene.cycles
    cycles.seed = seed
    cycles.use_animated_seed = True
    cycles.samples = settings.samples
    cycles.use_adaptive_sampling = settings.adaptive_threshold > 0
    cycles.adaptive_threshold = settings.adaptive_threshold
    cycles.use_light_tree = settings.light_tree
    cycles.max_bounces = settings.max_bounces
    cycles.diffuse_bounces = settings.max_bounces
    cycles.min_light_bounces = 1
    cycles.glossy_bounces = settings.glossy_bounces
    cycles.transmission_bounces = settings.transmission_bounces
    cycles.volume_bounces = 0
    cycles.caustics_reflective = cycles.caustics_refractive = False
    cycles.use_denoising = settings.denoise
    if settings.denoise:
        cycles.denoiser = "OPENIMAGEDENOISE"
        cycles.denoising_input_passes = "RGB_ALBEDO_NORMAL"
        cycles.denoising_quality = settings.denoise_quality
        cycles.denoising_prefilter = settings.denoise_prefilter
        cycles.denoising_use_gpu = False
    choose_engine(settings.engine)
    choose_device(settings.device)


def blender_version() -> str:
    """The version of the Blender in this process, e.g. `4.5.3 LTS`."""
    return bpy.app.version_string


def device_in_use() -> str:
    """What renders: `cpu`, or the compute API and the names of its devices."""
    if bpy.context.scene.cycles.device == "CPU":
        return "cpu"
    preferences = bpy.context.preferences.addons["cycles"].preferences
    names = sorted(device.name for device in preferences.devices if device.use)
    return f"{preferences.compute_device_type.lower()}: {', '.join(names)}"
