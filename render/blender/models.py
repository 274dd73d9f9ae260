"""Models as single Blender objects: files loaded, procedural shapes built, measured and normalised."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix

from ..procedural.shapes import Shape, build_shape
from ..scene import AssetReference, ObjectSpec
from .doubled_faces import drop_doubled_faces
from .materials import replace_materials
from .session import bproc, reset_blender

SOURCE_VERTEX = "source_vertex"
"""Integer attribute of a loaded model's vertices: their place among the vertices of all parts of the file."""
NORMALISATION = "normalisation"
"""Custom property of a model: the 16 numbers, row by row, of the matrix from the file's world to the model's space."""
NUM_PARTS = "num_parts"
"""Custom property of a loaded model: how many meshes its file holds."""


class BrokenModel(ValueError):
    """A model that cannot be used, with the reason; the message holds no path, so that it is the same everywhere."""


def measure_model(path: str) -> dict:
    """Load a model once and measure it.

    Returns {"faces": int, "bounds": sides of the box [x, y, z] in the file's units, "num_parts": meshes of the file,
    "textured": bool, "rigged": bool, "animated": bool}, or {"reason": str} when it cannot be used.
    """
    from .rigs import measure_rig

    reset_blender()
    try:
        model = _load_model_file(path)
    except BrokenModel as error:
        return {"reason": str(error)}
    measured = {
        "faces": len(model.data.polygons),
        "bounds": [float(f"{side:.6g}") for side in np.ptp(_vertices(model), axis=0) / model[NORMALISATION][0]],
        "num_parts": model[NUM_PARTS],
        "textured": _has_own_appearance(model),
    }
    try:
        return measured | measure_rig(path)
    except BrokenModel:  # its surface is fine: it stays usable as a rigid model
        return measured | {"rigged": False, "animated": False}


def add_object(entry: ObjectSpec) -> bpy.types.Object:
    """Add one object with its materials and instance id to the scene; its place is set frame by frame.

    Raises BrokenModel for a file that cannot be loaded (any more): a failure of the clip, never a reason to draw
    another scene, because what is on a disk today must not decide what a seed means.
    """
    model = _load_model_file(entry.model.path) if entry.model.path else _build_procedural(entry.model)
    if entry.texture is not None:
        replace_materials(model, entry)
    elif not model.data.materials:
        model.data.materials.append(bproc.material.create("plain").blender_obj)
    model.pass_index = entry.instance_id
    model.rotation_mode = "XYZ"
    return model


def _load_model_file(path: str) -> bpy.types.Object:
    """Import a model as one object: all its parts joined, at rest, centred, with a bounding box diagonal of 1.

    Raises BrokenModel when the file holds no usable surface.
    """
    before = set(bpy.data.objects)
    parts = mesh_parts(import_file(path))
    bpy.context.view_layer.update()
    placed, num_vertices = [], 0
    for part in parts:
        mesh = part.data.copy()
        mesh.transform(part.matrix_world)
        if part.matrix_world.determinant() < 0:
            mesh.flip_normals()
        _number_vertices(mesh, num_vertices)
        num_vertices += len(mesh.vertices)
        placed.append(mesh)
    # Not the parts alone: armatures and the shapes of their bones come along without being part of the answer.
    for entry in set(bpy.data.objects) - before:
        bpy.data.objects.remove(entry, do_unlink=True)
    joined = []
    for mesh in placed:
        instance = bpy.data.objects.new("model", mesh)
        bpy.context.scene.collection.objects.link(instance)
        # Shape keys hold vertices of their own, which would be shown in place of the mesh's, in the file's units.
        instance.shape_key_clear()
        joined.append(instance)
    model = _join(joined)
    _normalise(model)
    drop_doubled_faces(model)
    _drop_missing_images(model)
    model[NUM_PARTS] = len(parts)
    return model


def import_file(path: str) -> list[bpy.types.Object]:
    """Import a file and return its parts in a fixed order; armatures may come along without being among them.

    BlenderProc knows the formats, but `.OBJ` and `.PLY` only in lower case. Raises BrokenModel, its message without
    folders, when the file cannot be read.
    """
    importers = {".OBJ": bpy.ops.wm.obj_import, ".PLY": bpy.ops.wm.ply_import}
    try:
        if Path(path).suffix not in importers:
            return [entry.blender_obj for entry in bproc.loader.load_obj(path)]
        before = set(bpy.data.objects)
        importers[Path(path).suffix](filepath=path)
        return [entry for entry in bpy.data.objects if entry not in before]
    except Exception as error:  # importers of six formats raise what they like; the reason is kept
        message = str(error).strip().replace(path, Path(path).name) or repr(error)
        raise BrokenModel(f"cannot be loaded: {message}") from error


def mesh_parts(imported: list[bpy.types.Object]) -> list[bpy.types.Object]:
    """The meshes of a file in the order in which they are joined. Raises BrokenModel when there is none."""
    parts = [entry for entry in imported if entry.type == "MESH"]
    if not parts:
        raise BrokenModel("holds no mesh")
    return parts


def _number_vertices(mesh: bpy.types.Mesh, first: int) -> None:
    """Remember where each vertex came from: joining does not keep the order of the parts."""
    stale = mesh.attributes.get(SOURCE_VERTEX)
    if stale is not None:
        mesh.attributes.remove(stale)
    numbers = mesh.attributes.new(SOURCE_VERTEX, "INT", "POINT")
    numbers.data.foreach_set("value", np.arange(first, first + len(mesh.vertices), dtype=np.int32))


def _join(objects: list[bpy.types.Object]) -> bpy.types.Object:
    bpy.ops.object.select_all(action="DESELECT")
    for entry in objects:
        entry.select_set(True)
    bpy.context.view_layer.objects.active = objects[0]
    if len(objects) > 1:
        bpy.ops.object.join()
    objects[0].select_set(False)
    return objects[0]


def _normalise(model: bpy.types.Object) -> None:
    """Centre the bounding box at the origin with diagonal 1 (ShapeNet's normalisation)."""
    vertices = _vertices(model)
    if not len(model.data.polygons):
        raise BrokenModel("has no faces")
    if not np.isfinite(vertices).all():
        raise BrokenModel("has vertices that are not finite numbers")
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    diagonal = float(np.linalg.norm(high - low))
    areas = np.empty(len(model.data.polygons))
    model.data.polygons.foreach_get("area", areas)
    if diagonal <= 0 or areas.sum() <= 1e-8 * diagonal**2:
        raise BrokenModel("has no surface: its faces have no area")
    matrix = np.eye(4)
    matrix[:3] = np.column_stack([np.eye(3), -(low + high) / 2]) / diagonal
    model.data.transform(Matrix(matrix))
    model[NORMALISATION] = matrix.ravel().tolist()


def _vertices(model: bpy.types.Object) -> np.ndarray:
    """The vertices of a model in its own space, float64 (V, 3)."""
    vertices = np.empty(len(model.data.vertices) * 3)
    model.data.vertices.foreach_get("co", vertices)
    return vertices.reshape(-1, 3)


def _drop_missing_images(model: bpy.types.Object) -> None:
    """Remove images that the file names but does not bring, so that the plain colour shows instead of magenta."""
    for material in model.data.materials:
        if material is None or not material.use_nodes:
            continue
        nodes = material.node_tree.nodes
        for node in [node for node in nodes if node.type == "TEX_IMAGE" and (not node.image or not node.image.size[0])]:
            nodes.remove(node)


def _has_own_appearance(model: bpy.types.Object) -> bool:
    """Whether a model brings an image, vertex colours or several materials."""
    materials = [material for material in model.data.materials if material is not None and material.use_nodes]
    has_image = any(node.type == "TEX_IMAGE" and node.image for m in materials for node in m.node_tree.nodes)
    return has_image or len(model.data.color_attributes) > 0 or len(materials) > 1


def _build_procedural(reference: AssetReference) -> bpy.types.Object:
    """Make an object of a procedural family, with its modifiers applied."""
    shape = build_shape(reference.family, np.random.default_rng(np.random.SeedSequence(reference.seed)))
    if shape.primitive == "monkey":
        model = bproc.object.create_primitive("MONKEY").blender_obj
    else:
        mesh = bpy.data.meshes.new(reference.family)
        mesh.from_pydata(shape.vertices.tolist(), [], [tuple(int(v) for v in face) for face in shape.faces])
        mesh.update()
        model = bpy.data.objects.new(reference.family, mesh)
        bpy.context.scene.collection.objects.link(model)
    _apply_modifiers(model, shape)
    model.data.materials.clear()
    if shape.smooth:
        model.data.shade_smooth()
        model.data.set_sharp_from_angle(angle=np.radians(shape.crease_angle_degrees))
    _normalise(model)
    return model


def _apply_modifiers(model: bpy.types.Object, shape: Shape) -> None:
    for entry in shape.modifiers:
        modifier = model.modifiers.new(entry.type, entry.type)
        for name, value in entry.settings.items():
            setattr(modifier, name, value)
    if shape.modifiers:
        graph = bpy.context.evaluated_depsgraph_get()
        mesh = bpy.data.meshes.new_from_object(model.evaluated_get(graph), depsgraph=graph)
        model.modifiers.clear()
        model.data = mesh
