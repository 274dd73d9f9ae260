"""A SceneSpec becomes pictures with instance ids. One Blender state lives in a process: call this from a child process.

Cycles renders RGB and the Object Index pass together, so that ids cost almost nothing and are exact. Under motion
blur, depth of field or EEVEE, and for every further pass, ground truth is rendered apart (`truth`).
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import bpy
import cv2
import numpy as np

from ..camera_path import camera_intrinsics, camera_poses
from ..scene import SceneSpec
from ..truth.surface import ClipGeometry
from .lens import add_lens
from .models import add_object
from .motion import SceneMotion, build_motion
from .session import configure_render, reset_blender
from .surroundings import add_background, add_camera, add_lights

FLAT_PREFIX = "flat-id-"


@dataclass(frozen=True, kw_only=True)
class BuiltScene:
    """The scene of a clip inside Blender: its objects in the order of `spec.objects`, and how they move.

    Objects and camera are keyed, so `frame_set` alone shows a frame of rigid objects; `show` does so for deforming
    ones too.
    """

    spec: SceneSpec
    models: list[bpy.types.Object]
    motion: SceneMotion

    def show(self, frame: int) -> None:
        """Put everything where it is in a frame, 0 <= frame < F."""
        self.motion.show(frame)
        bpy.context.scene.frame_set(frame)

    def geometry(self) -> ClipGeometry:
        """Where the camera and the objects are in every frame, as plain arrays."""
        spec, settings = self.spec, self.spec.render
        ids = [entry.instance_id for entry in spec.objects]
        return ClipGeometry(
            poses=camera_poses(spec.camera, spec.num_frames),
            intrinsics=camera_intrinsics(spec.camera, spec.num_frames, settings.width, settings.height),
            matrices=dict(zip(ids, self.motion.matrices, strict=True)),
            deforming=frozenset(ids[slot] for slot in self.deforming_slots()),
        )

    def deforming_slots(self) -> list[int]:
        """Places in `spec.objects` of the objects that change their shape."""
        return [slot for slot in range(len(self.models)) if self.motion.vertices(slot, 0) is not None]


def build_scene(spec: SceneSpec) -> BuiltScene:
    """Empty Blender and set up everything of a clip: render settings, objects, motion, surroundings, camera, lens.

    Raises BrokenModel for an unusable model file, ValueError for a device that is missing.
    """
    reset_blender()
    configure_render(spec.render, spec.render_seed)
    models = [add_object(entry) for entry in spec.objects]
    motion = build_motion(spec, models)
    add_background(spec)
    add_lights(spec)
    add_camera(spec)
    motion.keyframe()
    add_lens(spec, motion.matrices)
    return BuiltScene(spec=spec, models=models, motion=motion)


def render_frames(spec: SceneSpec) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Build a scene and render it frame by frame, as `render_built` does."""
    yield from render_built(build_scene(spec))


def render_built(scene: BuiltScene, with_ids: bool = True) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
    """Render a clip frame by frame.

    Yields (rgb uint8 (H, W, 3), ids uint8 (H, W)): the id of an object is its instance_id, the background is 0. Ids are
    taken at the pixel centre and are the same for any number of samples; blur would make them wrong, so leave them out
    then. with_ids False: RGB alone, None in place of the ids.
    """
    with tempfile.TemporaryDirectory(prefix="vosforge-frames-") as name:
        folder = Path(name)
        read_frame = _read_picture
        if with_ids and scene.spec.render.two_pass_masks:
            read_frame = _read_two_passes
        elif with_ids:
            _connect_index_output(folder)
            read_frame = _read_one_pass
        for frame in range(scene.spec.num_frames):
            scene.show(frame)
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


def _read_picture(folder: Path, _frame: int) -> tuple[np.ndarray, None]:
    """RGB alone."""
    return _render_picture(folder / "rgb.png"), None


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
