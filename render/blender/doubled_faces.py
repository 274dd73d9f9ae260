"""Faces that lie on one another: many low-poly models give both sides of a leaf or a sheet a face of its own."""

from __future__ import annotations

import bmesh
import bpy
import numpy as np

SAME_PLACE = 1e-5
"""Corners nearer than this share of the model's diagonal are one place."""


def drop_doubled_faces(model: bpy.types.Object) -> int:
    """Keep one face of each set with the same corners and the same material; returns the number of faces removed.

    Cycles lets the one shadow the other, so that such surfaces are nearly black with white specks. Vertices stay as
    they are. The model must be normalised.
    """
    doubled = _doubled_faces(model.data)
    if len(doubled):
        edited = bmesh.new()
        edited.from_mesh(model.data)
        edited.faces.ensure_lookup_table()
        bmesh.ops.delete(edited, geom=[edited.faces[int(face)] for face in doubled], context="FACES_ONLY")
        edited.to_mesh(model.data)
        edited.free()
        model.data.update()
    return len(doubled)


def _doubled_faces(mesh: bpy.types.Mesh) -> np.ndarray:
    """Indices of the faces whose corners and material an earlier face has."""
    vertices = np.empty((len(mesh.vertices), 3), np.float32)
    mesh.vertices.foreach_get("co", vertices.ravel())
    _, places = np.unique(np.rint(vertices / SAME_PLACE).astype(np.int64), axis=0, return_inverse=True)
    corners = np.empty(len(mesh.loops), np.int32)
    mesh.loops.foreach_get("vertex_index", corners)
    starts, materials = np.empty((2, len(mesh.polygons)), np.int32)
    mesh.polygons.foreach_get("loop_start", starts)
    mesh.polygons.foreach_get("material_index", materials)
    faces = np.split(places.ravel()[corners], starts[1:])
    seen, doubled = set(), []
    for number, (face, material) in enumerate(zip(faces, materials, strict=True)):
        name = (int(material), *sorted(face.tolist()))
        if name in seen:
            doubled.append(number)
        seen.add(name)
    return np.array(doubled, np.int64)
