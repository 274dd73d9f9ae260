"""A SceneSpec becomes frames with instance ids. One Blender state lives in a process: call this from a child process.

Cycles renders RGB and the Object Index pass together, so that ids cost almost nothing and are exact.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import bpy
import cv2
import numpy as np

from ..scene import SceneSpec
from ..trajectory import evaluate_path
from .models import add_object
from .session import configure_render, reset_blender
from .surroundings import add_background, add_camera, add_lights

FLAT_PREFIX = "flat-id-"


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
    with tempfile.TemporaryDirectory(prefix="vosforge-frames-") as name:
        folder = Path(name)
        if not spec.render.two_pass_masks:
            _connect_index_output(folder)
        read_frame = _read_two_passes if spec.render.two_pass_masks else _read_one_pass
        for frame in range(spec.num_frames):
            for model, (location, rotation, scale) in zip(models, paths, strict=True):
                model.location, model.rotation_euler, model.scale = location[frame], rotation[frame], scale[frame]
            bpy.context.scene.frame_set(frame)
            yield read_frame(folder, frame)


def _connect_index_output(folder: Path) -> None:
    """Have every render store its Object Index pass in the folder, beside the picture."""
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


def _read_one_pass(folder: Path, frame: int) -> tuple[np.ndarray, np.ndarray]:
    """RGB and ids of one render."""
    rgb = _render_picture(folder / "rgb.png")
    index_path = folder / f"index{frame:04d}.exr"
    index = cv2.imread(str(index_path), cv2.IMREAD_UNCHANGED)
    index_path.unlink()
    index = index[..., 0] if index.ndim == 3 else index
    ids = np.rint(index).astype(np.uint8)
    if not np.array_equal(ids, index):
        raise RuntimeError(f"frame {frame}: the Object Index pass holds values that are not ids")
    return rgb, ids


def _render_picture(path: Path) -> np.ndarray:
    """Render the current frame and return what was stored, uint8 (H, W, 3)."""
    bpy.context.scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    rgb = cv2.cvtColor(cv2.imread(str(path), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    path.unlink()
    return rgb


def _read_two_passes(folder: Path, _frame: int) -> tuple[np.ndarray, np.ndarray]:
    """RGB, then ids from a second one-sample render with every material replaced by flat emission.

    This is how the published renderer makes its masks; it is here to be measured against.
    """
    rgb = _render_picture(folder / "rgb.png")
    scene = bpy.context.scene
    slots = [(slot, model) for model in bpy.data.objects if model.type == "MESH" for slot in model.material_slots]
    with contextlib.ExitStack() as put_back:
        for owner, name, value in (
            (scene.cycles, "samples", 1),
            (scene.cycles, "use_denoising", False),
            (scene.cycles, "filter_width", 0.01),
            (scene.view_settings, "view_transform", "Raw"),
            *((slot, "material", _flat_emission(model.pass_index)) for slot, model in slots),
        ):
            put_back.callback(setattr, owner, name, getattr(owner, name))
            setattr(owner, name, value)
        ids = _render_picture(folder / "ids.png")[..., 0]
    bpy.data.batch_remove([material for material in bpy.data.materials if material.name.startswith(FLAT_PREFIX)])
    return rgb, ids


def _flat_emission(instance_id: int) -> bpy.types.Material:
    """A material that shines with an id as its colour, unlit."""
    material = bpy.data.materials.new(f"{FLAT_PREFIX}{instance_id}")
    material.use_nodes = True
    nodes, links = material.node_tree.nodes, material.node_tree.links
    nodes.clear()
    emission, surface = nodes.new("ShaderNodeEmission"), nodes.new("ShaderNodeOutputMaterial")
    emission.inputs["Color"].default_value = (instance_id / 255.0,) * 3 + (1.0,)
    links.new(emission.outputs[0], surface.inputs["Surface"])
    return material
