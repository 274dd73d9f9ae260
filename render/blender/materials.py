"""Materials from textures: a colour, and for PBR sets its roughness, metalness and relief.

A texture lies on an object by box projection, which needs no UV map and blends where the sides meet. A normal map means
nothing there: its directions belong to a tangent frame that box projection does not have. So the relief is a height
field and goes through a Bump node, which differentiates it along the surface and is right under any projection.
"""

from __future__ import annotations

import bpy
import numpy as np

from ..assets.pictures import load_image
from ..scene import AssetReference, ObjectSpec
from .pictures import as_blender_data, as_blender_image, load_map, shrink_to
from .relief import height_from_normals
from .session import bproc

TEXTURE_SIDE = 512
DISPLACEMENT_DEPTH = 0.02
"""Height from black to white of a displacement map, in lengths of the texture; the files do not say theirs."""


def replace_materials(model: bpy.types.Object, entry: ObjectSpec) -> None:
    """Clear the model's materials and wrap it in one texture by box projection."""
    size = float(np.mean(entry.scale[0])) if entry.scale else 1.0
    material = textured_material(
        f"texture-{entry.instance_id}",
        entry.texture,
        units_per_repeat=1.0 / entry.texture_repeats,
        roughness=entry.roughness,
        size=size,
    )
    model.data.materials.clear()
    model.data.materials.append(material)
    for polygon in model.data.polygons:
        polygon.material_index = 0


def textured_material(
    name: str, texture: AssetReference, *, units_per_repeat: float, roughness: float, size: float = 1.0
) -> bpy.types.Material:
    """A lit material that repeats a texture every `units_per_repeat` of the object's own coordinates.

    roughness: in [0, 1], used where the texture brings no roughness map. size: scale of the object, by which heights of
    the relief grow. Raises ValueError for a map that is not a picture.
    """
    material = bproc.material.create(name).blender_obj
    nodes, links = material.node_tree.nodes, material.node_tree.links
    coordinates, mapping = nodes.new("ShaderNodeTexCoord"), nodes.new("ShaderNodeMapping")
    mapping.inputs["Scale"].default_value = (1.0 / units_per_repeat,) * 3
    links.new(coordinates.outputs["Object"], mapping.inputs["Vector"])
    principled = next(node for node in nodes if node.type == "BSDF_PRINCIPLED")
    principled.inputs["Roughness"].default_value = roughness

    def add(image: bpy.types.Image) -> bpy.types.NodeSocket:
        node = nodes.new("ShaderNodeTexImage")
        node.image, node.projection, node.projection_blend = image, "BOX", 0.2
        # Texture files are made to tile; procedural ones are not, and mirroring hides their edges.
        node.extension = "REPEAT" if texture.path else "MIRROR"
        links.new(mapping.outputs["Vector"], node.inputs["Vector"])
        return node.outputs["Color"]

    picture = shrink_to(load_image(texture, TEXTURE_SIDE, TEXTURE_SIDE), 2 * TEXTURE_SIDE)
    links.new(add(as_blender_image(picture, name)), principled.inputs["Base Color"])
    maps = {kind: load_map(path, 2 * TEXTURE_SIDE) for kind, path in texture.maps}
    for kind, socket in (("roughness", "Roughness"), ("metalness", "Metallic")):
        if kind in maps:
            links.new(add(as_blender_data(maps[kind][..., 0], f"{name}-{kind}")), principled.inputs[socket])
    height = relief_of(maps)
    if height is not None:
        bump = nodes.new("ShaderNodeBump")
        bump.inputs["Distance"].default_value = units_per_repeat * size
        links.new(add(as_blender_data(height, f"{name}-relief")), bump.inputs["Height"])
        links.new(bump.outputs["Normal"], principled.inputs["Normal"])
    return material


def relief_of(maps: dict[str, np.ndarray]) -> np.ndarray | None:
    """The height field of a texture set in lengths of the texture, float32 (H, W); None without normal or displacement.

    The normal map comes first: it is finer than a displacement map, whose 8 bits would show as terraces.
    """
    if "normal" in maps:
        return height_from_normals(maps["normal"])
    if "displacement" in maps:
        return DISPLACEMENT_DEPTH * maps["displacement"][..., 0]
    return None
