"""Model files as one object: parts keep their places and numbers, leftovers go, missing images are dropped."""

import numpy as np
import pytest

pytest.importorskip("bpy", reason="bpy is not installed (the render extra)")

import bpy
from moving_world import cube, write_cube, write_rigged_bar
from vosforge.render.blender.models import NORMALISATION, SOURCE_VERTEX, add_object, measure_model
from vosforge.render.blender.session import reset_blender
from vosforge.render.scene import AssetReference

pytestmark = pytest.mark.blender


def write_two_parts(path):
    """Two boxes of different sizes in one OBJ file, the first as an object of its own."""
    lines, first = [], 1
    for name, size, shift in (("small", 1.0, 0.0), ("large", 2.0, 6.0)):
        corners = [(x * size + shift, y * size, z * size) for x in (0, 1) for y in (0, 1) for z in (0, 1)]
        faces = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
        lines += [f"o {name}", *(f"v {x} {y} {z}" for x, y, z in corners)]
        lines += ["f " + " ".join(str(first + i) for i in face) for face in faces]
        first += 8
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_file_is_measured_in_its_own_units_with_its_parts(tmp_path):
    measured = measure_model(str(write_two_parts(tmp_path / "parts.obj")))
    assert measured["faces"] == 12 and measured["num_parts"] == 2
    assert sorted(measured["bounds"]) == pytest.approx([2.0, 2.0, 8.0])
    assert not measured["textured"] and not measured["rigged"] and not measured["animated"]


def test_vertices_remember_their_part_and_place(tmp_path):
    reset_blender()
    model = add_object(cube(write_two_parts(tmp_path / "parts.obj")))
    numbers, vertices = np.empty(16, np.int32), np.empty(48)
    model.data.attributes[SOURCE_VERTEX].data.foreach_get("value", numbers)
    model.data.vertices.foreach_get("co", vertices)
    assert sorted(numbers) == list(range(16))
    in_file = (vertices.reshape(-1, 3) - np.reshape(model[NORMALISATION], (4, 4))[:3, 3]) / model[NORMALISATION][0]
    by_number = in_file[np.argsort(numbers)]
    spans = sorted(np.ptp(part, axis=0).max() for part in (by_number[:8], by_number[8:]))
    assert spans == pytest.approx([1.0, 2.0]), "each half is one of the boxes, in world units of the file"


def test_a_rig_leaves_nothing_but_the_model_behind(tmp_path):
    reset_blender()
    write_rigged_bar(tmp_path / "bar.gltf")
    model = add_object(cube(tmp_path / "bar.gltf"))
    assert [entry for entry in bpy.context.scene.objects if entry.type != "CAMERA"] == [model]


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_a_model_with_shape_keys_is_shown_normalised(tmp_path, weight):
    reset_blender()
    bpy.ops.mesh.primitive_cube_add(size=10.0, location=(3, 4, 5))
    box = bpy.context.object
    box.shape_key_add(name="Basis")
    stretched = box.shape_key_add(name="stretched")
    for corner in stretched.data:
        corner.co.z *= 2.0
    stretched.value = weight
    bpy.ops.export_scene.gltf(filepath=str(tmp_path / "box.glb"))
    reset_blender()
    model = add_object(cube(tmp_path / "box.glb"))
    bpy.context.view_layer.update()
    shown = model.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    corners = np.array([tuple(vertex.co) for vertex in shown.vertices])
    assert np.linalg.norm(np.ptp(corners, axis=0)) == pytest.approx(1.0)
    assert np.abs(corners.max(axis=0) + corners.min(axis=0)).max() < 1e-5, "centred"


def test_an_image_that_is_missing_leaves_the_plain_colour(tmp_path):
    (tmp_path / "skin.mtl").write_text("newmtl skin\nKd 0.2 0.4 0.6\nmap_Kd gone.png\n")
    path = write_cube(tmp_path / "cube.obj")
    path.write_text("mtllib skin.mtl\nusemtl skin\n" + path.read_text())
    assert not measure_model(str(path))["textured"]
    reset_blender()
    model = add_object(cube(path))
    nodes = [node.type for material in model.data.materials for node in material.node_tree.nodes]
    assert "TEX_IMAGE" not in nodes and "BSDF_PRINCIPLED" in nodes


def test_a_texture_map_that_is_no_picture_is_named(tmp_path):
    (tmp_path / "n.png").write_text("no picture")
    texture = AssetReference(name="t", family="wood", seed=1, maps=(("normal", str(tmp_path / "n.png")),))
    reset_blender()
    with pytest.raises(ValueError, match=r"n\.png.*cannot be read"):
        add_object(cube(write_cube(tmp_path / "cube.obj"), texture=texture))


def test_faces_that_lie_on_one_another_become_one(tmp_path):
    corners = ["v 0 0 0", "v 1 0 0", "v 1 1 0", "v 0 1 0"]
    sheet = ["f 1 2 3 4", "f 8 7 6 5"]  # the other side, with vertices of its own
    (tmp_path / "leaf.obj").write_text("\n".join([*corners, *corners, "v 0 0 1", *sheet, "f 1 2 9"]) + "\n")
    reset_blender()
    model = add_object(cube(tmp_path / "leaf.obj"))
    assert len(model.data.polygons) == 2
    assert len(model.data.vertices) == 9, "vertices keep their numbers, which rigs rely on"
    assert measure_model(str(tmp_path / "leaf.obj"))["faces"] == 2
