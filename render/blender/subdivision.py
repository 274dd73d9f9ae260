"""Finer meshes for models that bend: long edges are split, the surface and its appearance stay as they are."""

from __future__ import annotations

import bmesh
import bpy
import numpy as np

LONGEST_EDGE = 0.07
"""In bounding box diagonals; a bent model of such edges looks round at the sizes objects have in a clip."""
MOST_ADDED_FACES = 50_000
ROUNDS = 5
KEPT_NORMAL = "normal-before-subdivision"


def split_long_edges(model: bpy.types.Object, longest_edge: float = LONGEST_EDGE) -> None:
    """Halve the edges of a model until none is longer than `longest_edge`, without moving its surface.

    UV maps, vertex colours, materials and normals set by the file are carried along. Stops before the mesh would gain
    more than `MOST_ADDED_FACES` faces. The same mesh always becomes the same finer mesh.
    """
    mesh = model.data
    has_own_normals = mesh.has_custom_normals
    if has_own_normals:
        normals = np.empty(3 * len(mesh.loops), np.float32)
        mesh.corner_normals.foreach_get("vector", normals)
        mesh.attributes.new(KEPT_NORMAL, "FLOAT_VECTOR", "CORNER").data.foreach_set("vector", normals)
    surface = bmesh.new()
    surface.from_mesh(mesh)
    split = False
    for _ in range(ROUNDS):
        long = [edge for edge in surface.edges if edge.calc_length() > longest_edge]
        touched = {face for edge in long for face in edge.link_faces}
        if not long or len(surface.faces) + 3 * len(touched) > len(mesh.polygons) + MOST_ADDED_FACES:
            break
        polygons = [face for face in surface.faces if face in touched and len(face.verts) > 4]
        if polygons:
            bmesh.ops.triangulate(surface, faces=polygons)
            long = [edge for edge in surface.edges if edge.calc_length() > longest_edge]
        bmesh.ops.subdivide_edges(surface, edges=long, cuts=1, use_grid_fill=True)
        split = True
    if split:
        surface.to_mesh(mesh)
    surface.free()
    if has_own_normals:
        _put_normals_back(mesh, split)
    mesh.update()


def _put_normals_back(mesh: bpy.types.Mesh, changed: bool) -> None:
    """Set the interpolated normals of the coarse mesh on the fine one, and drop their copy."""
    kept = mesh.attributes[KEPT_NORMAL]
    normals = np.empty((len(mesh.loops), 3), np.float32)
    kept.data.foreach_get("vector", normals.reshape(-1))
    mesh.attributes.remove(kept)
    if changed:
        lengths = np.linalg.norm(normals, axis=1, keepdims=True)
        mesh.normals_split_custom_set((normals / np.where(lengths > 1e-6, lengths, 1.0)).tolist())
