"""Models as single Blender objects: files loaded, procedural shapes built, measured, normalised and textured."""

from __future__ import annotations

from pathlib import Path

import bpy
import cv2
import numpy as np
from mathutils import Matrix

from ..assets import load_image
from ..procedural.shapes import Shape, build_shape
from ..scene import AssetReference, ObjectSpec
from .pictures import as_blender_image
from .session import bproc, reset_blender

TEXTURE_SIDE = 512


class BrokenModel(ValueError):
    """A model that cannot be used, with the reason; the message holds no path, so that it is the same everywhere."""


def measure_model(path: str) -> dict:
    """Load a model once and measure it.

    Returns {"faces": int, "textured": bool} or {"reason": str} when it cannot be used.
    """
    reset_blender()
    try:
        model = _load_model_file(path)
    except BrokenModel as error:
        return {"reason": str(error)}
    return {"faces": len(model.data.polygons), "textured": _has_own_appearance(model)}


def add_object(entry: ObjectSpec) -> bpy.types.Object:
    """Add one object with its materials and instance id to the scene; its place is set frame by frame.

    Raises BrokenModel for a file that cannot be loaded (any more): a failure of the clip, never a reason to draw
    another scene, because what is on a disk today must not decide what a seed means.
    """
    model = _load_model_file(entry.model.path) if entry.model.path else _build_procedural(entry.model)
    if entry.texture is not None:
        _replace_texture(model, entry)
    elif not model.data.materials:
        model.data.materials.append(bproc.material.create("plain").blender_obj)
    model.pass_index = entry.instance_id
    model.rotation_mode = "XYZ"
    return model


def _replace_texture(model: bpy.types.Object, entry: ObjectSpec) -> None:
    """Clear the model's materials and wrap it in one texture by box projection, which needs no UV map."""
    material = bproc.material.create(f"texture-{entry.instance_id}")
    picture = load_image(entry.texture, TEXTURE_SIDE, TEXTURE_SIDE)
    longest = max(picture.shape[:2])
    if longest > 2 * TEXTURE_SIDE:
        scale = 2 * TEXTURE_SIDE / longest
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    nodes, links = material.blender_obj.node_tree.nodes, material.blender_obj.node_tree.links
    texture = nodes.new("ShaderNodeTexImage")
    texture.image = as_blender_image(picture, f"texture-{entry.instance_id}")
    texture.projection, texture.projection_blend = "BOX", 0.2
    # Texture files are made to tile; procedural ones are not, and mirroring hides their edges.
    texture.extension = "REPEAT" if entry.texture.path else "MIRROR"
    coordinates, mapping = nodes.new("ShaderNodeTexCoord"), nodes.new("ShaderNodeMapping")
    mapping.inputs["Scale"].default_value = (entry.texture_repeats,) * 3
    links.new(coordinates.outputs["Object"], mapping.inputs["Vector"])
    links.new(mapping.outputs["Vector"], texture.inputs["Vector"])
    principled = next(node for node in nodes if node.type == "BSDF_PRINCIPLED")
    links.new(texture.outputs["Color"], principled.inputs["Base Color"])
    principled.inputs["Roughness"].default_value = entry.roughness
    model.data.materials.clear()
    model.data.materials.append(material.blender_obj)
    for polygon in model.data.polygons:
        polygon.material_index = 0


def _load_model_file(path: str) -> bpy.types.Object:
    """Import a model as one object: all its parts joined, at rest, centred, with a bounding box diagonal of 1.

    Raises BrokenModel when the file holds no usable surface.
    """
    try:
        imported = _import_file(path)
    except Exception as error:  # importers of six formats raise what they like; the reason is kept
        message = str(error).strip().replace(path, Path(path).name) or repr(error)
        raise BrokenModel(f"cannot be loaded: {message}") from error
    parts = [entry for entry in imported if entry.type == "MESH"]
    if not parts:
        raise BrokenModel("holds no mesh")
    bpy.context.view_layer.update()
    placed = []
    for part in parts:
        mesh = part.data.copy()
        mesh.transform(part.matrix_world)
        if part.matrix_world.determinant() < 0:
            mesh.flip_normals()
        placed.append(mesh)
    for entry in imported:
        bpy.data.objects.remove(entry, do_unlink=True)
    joined = []
    for mesh in placed:
        instance = bpy.data.objects.new("model", mesh)
        bpy.context.scene.collection.objects.link(instance)
        joined.append(instance)
    model = _join(joined)
    _normalise(model)
    return model


def _import_file(path: str) -> list[bpy.types.Object]:
    """Import every object of a file; BlenderProc knows the formats, but `.OBJ` and `.PLY` only in lower case."""
    importers = {".OBJ": bpy.ops.wm.obj_import, ".PLY": bpy.ops.wm.ply_import}
    if Path(path).suffix in importers:
        before = set(bpy.data.objects)
        importers[Path(path).suffix](filepath=path)
        return [entry for entry in bpy.data.objects if entry not in before]
    return [entry.blender_obj for entry in bproc.loader.load_obj(path)]


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
    vertices = np.empty(len(model.data.vertices) * 3)
    model.data.vertices.foreach_get("co", vertices)
    vertices = vertices.reshape(-1, 3)
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
    centre = Matrix.Translation(-(low + high) / 2)
    model.data.transform(Matrix.Scale(1.0 / diagonal, 4) @ centre)


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
