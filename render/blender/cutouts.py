"""Materials for ground truth: a surface is there or it is not, and it has the shape of its mesh.

Cycles decides at random whether a ray passes a half-transparent surface, so one sample would make ids noise along the
soft edge of a leaf's alpha map. With alpha cut at one half, the surface is there where it covers more than it shows.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import bpy

# Just under one half, so that a stored 128 of 255 and an exact half both count as there.
OPAQUE_FROM = 0.4999


@contextlib.contextmanager
def bare_shapes() -> Iterator[None]:
    """Inside, no material bends the normals of its surface; afterwards bumps and normal maps are back.

    One sample through a fine bump map is noise, and it would not fit the depth.
    """
    with contextlib.ExitStack() as put_back:
        for material in bpy.data.materials:
            if not material.use_nodes:
                continue
            links = material.node_tree.links
            for node in material.node_tree.nodes:
                wanted = ("Normal", "Coat Normal") if node.type.startswith("BSDF") else ()
                wanted = ("Displacement",) if _is_bumped_output(material, node) else wanted
                for socket in (node.inputs[name] for name in wanted if name in node.inputs):
                    if socket.is_linked:
                        put_back.callback(links.new, socket.links[0].from_socket, socket)
                        links.remove(socket.links[0])
        yield


def _is_bumped_output(material: bpy.types.Material, node: bpy.types.Node) -> bool:
    return node.type == "OUTPUT_MATERIAL" and material.displacement_method == "BUMP"


@contextlib.contextmanager
def hard_cutouts() -> Iterator[dict[str, list[bpy.types.NodeSocket]]]:
    """Inside, the opacity of every material is 0 or 1; afterwards the materials are as before.

    Yields {material name: outputs that carry its opacity, 0 or 1}; a material without transparency has none.
    """
    gates: dict[str, list[bpy.types.NodeSocket]] = {}
    with contextlib.ExitStack() as put_back:
        for material in bpy.data.materials:
            if not material.use_nodes:
                continue
            outputs = [_gate(material.node_tree, *found, put_back) for found in _opacities(material.node_tree)]
            if outputs:
                gates[material.name] = outputs
        yield gates


def has_cutouts() -> bool:
    """Whether any material of the scene can be seen through."""
    return any(_opacities(material.node_tree) for material in bpy.data.materials if material.use_nodes)


def _opacities(tree: bpy.types.NodeTree) -> list[tuple[bpy.types.NodeSocket, bool]]:
    """Sockets that decide what is seen through: (socket, whether 1 means opaque)."""
    found = []
    for node in tree.nodes:
        if node.type == "BSDF_PRINCIPLED":
            alpha = node.inputs["Alpha"]
            if alpha.is_linked or alpha.default_value < 1.0:
                found.append((alpha, True))
        elif node.type == "MIX_SHADER":
            first, second = (_is_transparent(node.inputs[place]) for place in (1, 2))
            if first != second:
                found.append((node.inputs[0], first))
    return found


def _is_transparent(socket: bpy.types.NodeSocket) -> bool:
    return socket.is_linked and socket.links[0].from_node.type == "BSDF_TRANSPARENT"


def _gate(
    tree: bpy.types.NodeTree, socket: bpy.types.NodeSocket, one_is_opaque: bool, put_back: contextlib.ExitStack
) -> bpy.types.NodeSocket:
    """Put a threshold before a socket; returns the output that is 1 where the surface is there."""
    step = tree.nodes.new("ShaderNodeMath")
    step.operation = "GREATER_THAN"
    step.inputs[1].default_value = OPAQUE_FROM if one_is_opaque else 1.0 - OPAQUE_FROM
    source = socket.links[0].from_socket if socket.is_linked else None
    if source is None:
        step.inputs[0].default_value = socket.default_value
    else:
        tree.links.new(source, step.inputs[0])
    opacity = step
    if not one_is_opaque:
        opacity = tree.nodes.new("ShaderNodeMath")
        opacity.operation = "SUBTRACT"
        opacity.inputs[0].default_value = 1.0
        tree.links.new(step.outputs[0], opacity.inputs[1])
    tree.links.new(step.outputs[0], socket)
    put_back.callback(_remove, tree, [step] if one_is_opaque else [step, opacity], source, socket)
    return opacity.outputs[0]


def _remove(
    tree: bpy.types.NodeTree,
    added: list[bpy.types.Node],
    source: bpy.types.NodeSocket | None,
    socket: bpy.types.NodeSocket,
) -> None:
    for node in added:
        tree.nodes.remove(node)
    if source is not None:
        tree.links.new(source, socket)
