"""Ground truth rendered apart from the picture: one sample through each pixel's centre, no blur, never denoised.

Cycles gives instance ids, world positions and normals; depth, flow and coordinates follow from them in plain numpy
(`surface`). The points of deforming objects carry their places in the neighbouring frames as mesh attributes.
Measured at 768x512: 0.22 CPU-seconds a frame, 5.5 % of the RGB render at 16 samples.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import bpy
import numpy as np

from ..truth.exr import read_exr
from ..truth.surface import Surface, transform
from ..truth.tracks import spread_points
from .cutouts import bare_shapes, hard_cutouts
from .frames import BuiltScene
from .lens import sharp

REST, FOLLOWING, PRECEDING, LAYERS = "rest_position", "following_position", "preceding_position", "deforming_layers"
NOTHING_DEPTH = 1e9
FINER = 8
"""How many times finer an index render is that masks are checked against."""


@contextlib.contextmanager
def truth_renders(scene: BuiltScene) -> Iterator[None]:
    """Inside, renders are ground truth: Cycles, sharp, one sample at the pixel centre, hard cut-outs, no light paths.

    Afterwards everything is as before, so that the same scene renders its pictures.
    """
    blender, layer = bpy.context.scene, bpy.context.view_layer
    cycles = blender.cycles
    bounces = ("max_bounces", "diffuse_bounces", "glossy_bounces", "transmission_bounces")
    lights = [entry for entry in blender.objects if entry.type == "LIGHT"]
    values = (
        (cycles, "samples", 1),
        (cycles, "use_denoising", False),
        (cycles, "use_adaptive_sampling", False),
        (cycles, "filter_width", 0.01),
        *((cycles, name, 0) for name in bounces),
        *((light, "hide_render", True) for light in lights),
        (layer, "use_pass_object_index", True),
        (blender.render, "use_compositing", False),
    )
    with contextlib.ExitStack() as put_back:
        put_back.enter_context(sharp())
        _set_for_now(values, put_back)
        _store_as_exr(blender.render.image_settings, put_back)
        put_back.enter_context(bare_shapes())
        gates = put_back.enter_context(hard_cutouts())
        _add_deforming_layers(scene, gates, put_back)
        yield


def render_surfaces(scene: BuiltScene) -> Iterator[Surface]:
    """The surfaces of every frame of a clip; call it inside `truth_renders`."""
    layer = bpy.context.view_layer
    values = tuple((layer, f"use_pass_{name}", True) for name in ("z", "position", "normal"))
    with contextlib.ExitStack() as put_back:
        _set_for_now(values, put_back)
        for frame in range(scene.spec.num_frames):
            _show_with_neighbours(scene, frame)
            yield _surface(_render_passes(), frame, scene.spec.num_frames)


def render_alone(scene: BuiltScene, slot: int) -> Iterator[np.ndarray]:
    """The mask which one object has with nothing else in the scene, bool (H, W) frame by frame.

    Call it inside `truth_renders`. Cut-outs are respected; what lies outside the image is not known.
    """
    others = [entry for entry in bpy.context.scene.objects if entry.type == "MESH" and entry != scene.models[slot]]
    with contextlib.ExitStack() as put_back:
        _set_for_now(tuple((entry, "hide_render", True) for entry in others), put_back)
        for frame in range(scene.spec.num_frames):
            scene.show(frame)
            yield _layer(_render_passes(), "IndexOB.X") == scene.spec.objects[slot].instance_id


def render_finer_ids(scene: BuiltScene, frame: int, window: tuple[int, int, int, int]) -> np.ndarray:
    """The ids of a part of a frame with `FINER` times the pixels along each side; call it inside `truth_renders`.

    window: x0, y0, x1, y1 in pixels, maxima exclusive. Returns uint8 (FINER * (y1 - y0), FINER * (x1 - x0)).
    """
    render, settings = bpy.context.scene.render, scene.spec.render
    x0, y0, x1, y1 = window
    # A quarter of a fine pixel more, so that neither rounding nor cutting moves the border by one.
    across, down = 0.25 / (FINER * settings.width), 0.25 / (FINER * settings.height)
    values = (
        (render, "resolution_percentage", 100 * FINER),
        (render, "use_border", True),
        (render, "use_crop_to_border", True),
        (render, "border_min_x", x0 / settings.width + across),
        (render, "border_max_x", x1 / settings.width + across),
        (render, "border_min_y", 1 - y1 / settings.height + down),
        (render, "border_max_y", 1 - y0 / settings.height + down),
    )
    with contextlib.ExitStack() as put_back:
        _set_for_now(values, put_back)
        scene.show(frame)
        ids = _whole_ids(_layer(_render_passes(), "IndexOB.X"), frame)
    if ids.shape != (FINER * (y1 - y0), FINER * (x1 - x0)):
        raise RuntimeError(f"the window {window} was rendered with {ids.shape} fine pixels")
    return ids


class SurfacePoints:
    """Points spread over the surfaces of a clip's objects, that stick to them (`tracks.spread_points`).

    object_ids: uint8 (P,), the instance id of each point's object.
    """

    def __init__(self, scene: BuiltScene, points_per_object: int) -> None:
        self._motion, self._points = scene.motion, []
        for slot, model in enumerate(scene.models):
            rest = scene.motion.vertices(slot, 0)
            vertices = _vertices(model.data) if rest is None else rest
            triangles = _triangles(model.data)
            chosen, weights = spread_points(vertices, triangles, points_per_object, scene.spec.render_seed)
            self._points.append((triangles[chosen], weights, vertices if rest is None else None))
        ids = [entry.instance_id for entry in scene.spec.objects]
        self.object_ids = np.repeat(np.array(ids, np.uint8), points_per_object)

    def positions(self, frame: int) -> np.ndarray:
        """World positions of all points in a frame, float64 (P, 3)."""
        places = []
        for slot, (corners, weights, rigid) in enumerate(self._points):
            vertices = self._motion.vertices(slot, frame) if rigid is None else rigid
            in_model = np.einsum("pc,pcx->px", weights, vertices[corners].astype(np.float64))
            places.append(transform(self._motion.matrices[slot][frame], in_model))
        return np.concatenate(places) if places else np.zeros((0, 3))


def _vertices(mesh: bpy.types.Mesh) -> np.ndarray:
    vertices = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", vertices)
    return vertices.reshape(-1, 3)


def _triangles(mesh: bpy.types.Mesh) -> np.ndarray:
    mesh.calc_loop_triangles()
    corners = np.empty(3 * len(mesh.loop_triangles), np.int32)
    mesh.loop_triangles.foreach_get("vertices", corners)
    return corners.reshape(-1, 3)


def _set_for_now(values: tuple[tuple[object, str, object], ...], put_back: contextlib.ExitStack) -> None:
    for owner, name, value in values:
        put_back.callback(setattr, owner, name, getattr(owner, name))
        setattr(owner, name, value)


def _store_as_exr(output: bpy.types.ImageFormatSettings, put_back: contextlib.ExitStack) -> None:
    """Have renders stored with all their passes in single precision."""
    # In this order, there and back: a depth which the present format does not have is not kept.
    names = ("file_format", "color_mode", "color_depth")
    before = [getattr(output, name) for name in names]
    for name, value in zip(names, ("OPEN_EXR_MULTILAYER", "RGB", "32"), strict=True):
        setattr(output, name, value)
    output.exr_codec = "NONE"
    put_back.callback(lambda: [setattr(output, name, value) for name, value in zip(names, before, strict=True)])


def _render_passes() -> dict[str, np.ndarray]:
    """Render what the scene shows now and read every pass."""
    with tempfile.TemporaryDirectory(prefix="vosforge-truth-") as folder:
        bpy.context.scene.render.filepath = f"{folder}/truth.exr"
        bpy.ops.render.render(write_still=True)
        return read_exr(Path(folder) / "truth.exr")


def _layer(passes: dict[str, np.ndarray], name: str) -> np.ndarray:
    return passes[f"{bpy.context.view_layer.name}.{name}"]


def _stacked(passes: dict[str, np.ndarray], name: str, axes: str = "XYZ") -> np.ndarray:
    return np.stack([_layer(passes, f"{name}.{axis}") for axis in axes], axis=-1)


def _whole_ids(index: np.ndarray, frame: int) -> np.ndarray:
    ids = np.rint(index).astype(np.uint8)
    if not np.array_equal(ids, index):
        raise RuntimeError(f"frame {frame}: the Object Index pass holds values that are not ids")
    return ids


def _surface(passes: dict[str, np.ndarray], frame: int, num_frames: int) -> Surface:
    depth = _layer(passes, "Depth.Z")
    seen = depth < NOTHING_DEPTH
    values = {
        "ids": _whole_ids(_layer(passes, "IndexOB.X"), frame),
        "seen": seen,
        "position": _stacked(passes, "Position"),
        "normal": _stacked(passes, "Normal"),
        "depth": np.where(seen, depth, np.float32(0)),
    }
    if f"{bpy.context.view_layer.name}.{REST}.R" in passes:
        moved = {frame + 1: FOLLOWING, frame - 1: PRECEDING}
        values["rest"] = _stacked(passes, REST, "RGB")
        values["moved"] = {
            other: _stacked(passes, name, "RGB") for other, name in moved.items() if 0 <= other < num_frames
        }
        # Through a cut-out that could not be gated a ray adds up the values of two surfaces.
        values["known"] = np.abs(_stacked(passes, LAYERS, "RGB")[..., 0] - 1.0) < 1e-3
    return Surface(**values)


def _show_with_neighbours(scene: BuiltScene, frame: int) -> None:
    """Show a frame, with the vertices of deforming objects in the next and the last frame as attributes."""
    last = scene.spec.num_frames - 1
    for slot in scene.deforming_slots():
        for name, other in ((FOLLOWING, min(frame + 1, last)), (PRECEDING, max(frame - 1, 0))):
            _write_attribute(scene.models[slot].data, name, scene.motion.vertices(slot, other))
    scene.show(frame)


def _write_attribute(mesh: bpy.types.Mesh, name: str, vertices: np.ndarray) -> None:
    attribute = mesh.attributes.get(name) or mesh.attributes.new(name, "FLOAT_VECTOR", "POINT")
    attribute.data.foreach_set("vector", np.ascontiguousarray(vertices, np.float32).ravel())
    mesh.update_tag()


def _add_deforming_layers(
    scene: BuiltScene, gates: dict[str, list[bpy.types.NodeSocket]], put_back: contextlib.ExitStack
) -> None:
    """Have the materials of deforming objects write the attributes of the point they show into layers of their own."""
    models = [scene.models[slot] for slot in scene.deforming_slots()]
    if not models:
        return
    layer = bpy.context.view_layer
    for name in (REST, FOLLOWING, PRECEDING, LAYERS):
        entry = layer.aovs.add()
        entry.name, entry.type = name, "COLOR"
    put_back.callback(_remove_deforming_layers)
    for model in models:
        if REST not in model.data.attributes:
            _write_attribute(model.data, REST, _vertices(model.data))
    materials = [slot.material for model in models for slot in model.material_slots if slot.material]
    for material in dict.fromkeys(materials):
        tree, opacity = material.node_tree, gates.get(material.name, [])
        added = []
        for name in (REST, FOLLOWING, PRECEDING, LAYERS):
            output = tree.nodes.new("ShaderNodeOutputAOV")
            output.aov_name = name
            product = tree.nodes.new("ShaderNodeVectorMath")
            product.operation = "MULTIPLY"
            product.inputs[0].default_value = product.inputs[1].default_value = (1.0, 1.0, 1.0)
            added += [output, product]
            if name != LAYERS:
                attribute = tree.nodes.new("ShaderNodeAttribute")
                attribute.attribute_name = name
                tree.links.new(attribute.outputs["Vector"], product.inputs[0])
                added.append(attribute)
            if len(opacity) == 1:
                tree.links.new(opacity[0], product.inputs[1])
            tree.links.new(product.outputs[0], output.inputs["Color"])
        for node in added:
            put_back.callback(tree.nodes.remove, node)


def _remove_deforming_layers() -> None:
    aovs = bpy.context.view_layer.aovs
    for place in reversed(range(len(aovs))):
        if aovs[place].name in (REST, FOLLOWING, PRECEDING, LAYERS):
            aovs.remove(aovs[place])
