"""Models that change their shape: their vertices frame by frame, shown in the scene with textures that stick to them.

Shapes: V vertices of a model, F frames.
"""

from __future__ import annotations

from collections.abc import Callable

import bpy
import numpy as np

from ..lattice import Lattice
from ..scene import ObjectSpec
from .rigs import bake_rig
from .subdivision import split_long_edges

REST_POSITION = "rest_position"
"""Point attribute of every deforming model: its vertices at rest, in model space."""


class Deformation:
    """The shape of one model over a clip.

    shape: the vertices in model space of a frame, float32 (V, 3), in the order of the model's mesh.
    """

    def __init__(self, model: bpy.types.Object, num_frames: int, shape: Callable[[int], np.ndarray]) -> None:
        self._mesh = model.data
        self._num_frames = num_frames
        self.vertices = shape
        rest = self._mesh.attributes.new(REST_POSITION, "FLOAT_VECTOR", "POINT")
        rest.data.foreach_set("vector", vertices_of(self._mesh).ravel())
        _pin_textures(model)

    def show(self, frame: int) -> None:
        """Move the mesh's vertices to a frame, and give them the velocities that blur them within its exposure."""
        self._mesh.vertices.foreach_set("co", self.vertices(frame).ravel())
        velocity = self._mesh.attributes.get("velocity")
        if velocity is None:
            velocity = self._mesh.attributes.new("velocity", "FLOAT_VECTOR", "POINT")
        velocity.data.foreach_set("vector", (self._step(frame) * bpy.context.scene.render.fps).ravel())
        self._mesh.update()

    def _step(self, frame: int) -> np.ndarray:
        """How far the vertices move from frame to frame around a frame, float32 (V, 3)."""
        before, after = max(frame - 1, 0), min(frame + 1, self._num_frames - 1)
        return (self.vertices(after) - self.vertices(before)) / np.float32(max(after - before, 1))


def build_deformation(entry: ObjectSpec, model: bpy.types.Object, num_frames: int) -> Deformation | None:
    """The deformation of one object, None for a rigid one. A model bent by a lattice gets a finer mesh.

    Raises ValueError for an unknown kind, BrokenModel for a model without the rig or the animation asked for.
    """
    wanted = entry.deformation
    if wanted is None:
        return None
    if wanted.kind == "lattice":
        split_long_edges(model)
        lattice = Lattice(vertices_of(model.data), np.array(wanted.lattice), num_frames)
        return Deformation(model, num_frames, lattice.vertices)
    if wanted.kind in ("articulated", "animation"):
        return Deformation(model, num_frames, bake_rig(entry.model, wanted, model, num_frames))
    raise ValueError(f"deformation {wanted.kind!r} is unknown; choose lattice, articulated or animation")


def vertices_of(mesh: bpy.types.Mesh) -> np.ndarray:
    """The vertices of a mesh as they are now, float32 (V, 3)."""
    vertices = np.empty((len(mesh.vertices), 3), np.float32)
    mesh.vertices.foreach_get("co", vertices.reshape(-1))
    return vertices


def _pin_textures(model: bpy.types.Object) -> None:
    """Have textures that follow object coordinates follow those at rest; else they would swim over the surface."""
    for material in {slot.material for slot in model.material_slots if slot.material and slot.material.use_nodes}:
        nodes, links = material.node_tree.nodes, material.node_tree.links
        moving = [
            link
            for link in links
            if link.from_node.type == "TEX_COORD" and link.from_socket.name in ("Object", "Generated")
        ]
        if moving:
            rest = nodes.new("ShaderNodeAttribute")
            rest.attribute_type, rest.attribute_name = "GEOMETRY", REST_POSITION
            for socket in [link.to_socket for link in moving]:
                links.new(rest.outputs["Vector"], socket)
