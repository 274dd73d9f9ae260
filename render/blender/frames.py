"""A SceneSpec becomes frames with instance ids. One Blender state lives in a process: call this from a child process.

Cycles renders RGB and the Object Index pass together, so that ids cost almost nothing and are exact.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import bpy
import cv2
import numpy as np

from ..scene import SceneSpec
from ..trajectory import evaluate_path
from .models import add_object
from .session import configure_render, reset_blender
from .surroundings import add_background, add_camera, add_lights

FrameReader = Callable[[Path, int], tuple[np.ndarray, np.ndarray]]


def render_frames(spec: SceneSpec) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Render a clip frame by frame.

    Yields (rgb uint8 (H, W, 3), ids uint8 (H, W)): the id of an object is its instance_id, the background is 0. Ids are
    taken at the pixel centre and are the same for any number of samples. Raises BrokenModel for an unusable model file.
    """
    reset_blender()
    configure_render(spec.render, spec.render_seed)
    models = [add_object(entry) for entry in spec.objects]
    paths = [
        [evaluate_path(np.array(points), spec.num_frames) for points in (entry.location, entry.rotation, entry.scale)]
        for entry in spec.objects
    ]
    add_background(spec)
    add_lights(spec)
    add_camera(spec)
    with tempfile.TemporaryDirectory(prefix="vosforge-frames-", dir=_scratch_folder()) as folder:
        read_frame = _read_second_pass if spec.render.two_pass_masks else _connect_index_output(Path(folder))
        for frame in range(spec.num_frames):
            for model, (location, rotation, scale) in zip(models, paths, strict=True):
                model.location, model.rotation_euler, model.scale = location[frame], rotation[frame], scale[frame]
            bpy.context.scene.frame_set(frame)
            yield read_frame(Path(folder), frame)


def _scratch_folder() -> str | None:
    """A RAM disk for frames on their way to the encoder, where there is one."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def _connect_index_output(folder: Path) -> FrameReader:
    """Store the Object Index pass beside the picture of the same render; returns the reader of one frame."""
    scene, layer = bpy.context.scene, bpy.context.view_layer
    layer.use_pass_object_index = True
    scene.use_nodes = True
    tree = scene.node_tree
    tree.nodes.clear()
    layers = tree.nodes.new("CompositorNodeRLayers")
    composite = tree.nodes.new("CompositorNodeComposite")
    output = tree.nodes.new("CompositorNodeOutputFile")
    output.base_path = str(folder)
    output.format.file_format = "OPEN_EXR"
    output.format.color_mode = "RGB"
    output.format.color_depth = "32"
    output.format.exr_codec = "NONE"
    output.file_slots[0].path = "index"
    tree.links.new(layers.outputs["Image"], composite.inputs["Image"])
    tree.links.new(layers.outputs["IndexOB"], output.inputs[0])

    def read(folder: Path, frame: int) -> tuple[np.ndarray, np.ndarray]:
        rgb = _render_picture(folder / "rgb.png")
        index_path = folder / f"index{frame:04d}.exr"
        index = cv2.imread(str(index_path), cv2.IMREAD_UNCHANGED)
        index_path.unlink()
        index = index[..., 0] if index.ndim == 3 else index
        ids = np.rint(index).astype(np.uint8)
        if not np.array_equal(ids, index):
            raise RuntimeError(f"frame {frame}: the Object Index pass holds values that are not ids")
        return rgb, ids

    return read


def _render_picture(path: Path) -> np.ndarray:
    bpy.context.scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    rgb = cv2.cvtColor(cv2.imread(str(path), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    path.unlink()
    return rgb


def _read_second_pass(folder: Path, frame: int) -> tuple[np.ndarray, np.ndarray]:
    """RGB, then ids from a second one-sample render with every material replaced by flat emission.

    This is how the published renderer makes its masks; it is here to be measured against.
    """
    rgb = _render_picture(folder / "rgb.png")
    scene = bpy.context.scene
    kept = {"samples": scene.cycles.samples, "use_denoising": scene.cycles.use_denoising}
    kept_filter, kept_transform = scene.cycles.filter_width, scene.view_settings.view_transform
    scene.cycles.samples, scene.cycles.use_denoising, scene.cycles.filter_width = 1, False, 0.01
    scene.view_settings.view_transform = "Raw"
    kept_slots, flat_materials = [], []
    for model in bpy.data.objects:
        if model.type != "MESH":
            continue
        flat = bpy.data.materials.new(f"flat-{model.pass_index}")
        flat.use_nodes = True
        flat.node_tree.nodes.clear()
        emission = flat.node_tree.nodes.new("ShaderNodeEmission")
        emission.inputs["Color"].default_value = (model.pass_index / 255.0,) * 3 + (1.0,)
        surface = flat.node_tree.nodes.new("ShaderNodeOutputMaterial")
        flat.node_tree.links.new(emission.outputs[0], surface.inputs["Surface"])
        flat_materials.append(flat)
        for slot in model.material_slots:
            kept_slots.append((slot, slot.material))
            slot.material = flat
    ids = _render_picture(folder / "ids.png")[..., 0]
    for slot, material in kept_slots:
        slot.material = material
    for flat in flat_materials:
        bpy.data.materials.remove(flat)
    for name, value in kept.items():
        setattr(scene.cycles, name, value)
    scene.cycles.filter_width, scene.view_settings.view_transform = kept_filter, kept_transform
    return rgb, ids
