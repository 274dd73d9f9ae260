"""The procedural models: closed, outward, of one size, quick, and different from one another."""

from __future__ import annotations

from collections import Counter
from functools import cache

import numpy as np
import pytest
from vosforge.render.procedural.shape_mesh import Mesh, box, extrude, lathe, rotation, signed_volume, tube
from vosforge.render.procedural.shapes import SHAPE_FAMILIES, Shape, build_shape

MESHES = sorted(set(SHAPE_FAMILIES) - {"monkey"})
CLOSED = sorted(set(MESHES) - {"leaf", "ribbon"})  # thin sheets get their thickness from SOLIDIFY
SEEDS = range(3)


@cache
def shapes(family: str) -> list[Shape]:
    return [build_shape(family, np.random.default_rng(seed)) for seed in SEEDS]


def edge_counts(shape: Shape) -> Counter:
    return Counter(edge for face in shape.faces for edge in zip(face, face[1:] + face[:1], strict=True))


def silhouette(shape: Shape) -> np.ndarray:
    """Where the surface lies, seen along x, y and z: (3, 24, 24) of 0 or 1."""
    edges = np.array([face[:2] for face in shape.faces])
    points = np.concatenate([shape.vertices, shape.vertices[edges].mean(1)])
    maps = [
        np.histogram2d(*points[:, axes].T, bins=24, range=[(-0.5, 0.5)] * 2)[0] > 0 for axes in ([1, 2], [0, 2], [0, 1])
    ]
    return np.stack(maps).astype(float)


def test_there_are_at_least_fourteen_families():
    assert len(SHAPE_FAMILIES) >= 14


@pytest.mark.parametrize("family", MESHES)
def test_a_mesh_is_centred_with_diagonal_one_and_within_the_face_budget(family: str):
    for shape in shapes(family):
        low, high = shape.vertices.min(0), shape.vertices.max(0)
        np.testing.assert_allclose(low + high, 0, atol=1e-9)
        assert np.linalg.norm(high - low) == pytest.approx(1)
        assert 4 <= len(shape.faces) <= 15_000


@pytest.mark.parametrize("family", MESHES)
def test_no_face_is_degenerate(family: str):
    for shape in shapes(family):
        for sides in {len(face) for face in shape.faces}:
            faces = np.array([face for face in shape.faces if len(face) == sides])
            corners = shape.vertices[faces]
            area = np.linalg.norm(np.cross(corners, np.roll(corners, -1, axis=1)).sum(1), axis=-1) / 2
            assert sides >= 3
            assert (np.diff(np.sort(faces, axis=1), axis=1) > 0).all(), "a face meets a vertex twice"
            assert area.min() > 1e-9


@pytest.mark.parametrize("family", CLOSED)
def test_a_mesh_is_watertight_and_faces_outward(family: str):
    for shape in shapes(family):
        edges = edge_counts(shape)
        assert set(edges.values()) == {1}, "two faces run along an edge in the same direction"
        assert all((b, a) in edges for a, b in edges), "an edge has one face only"
        assert signed_volume(shape.vertices, shape.faces) > 0


@pytest.mark.parametrize("family", sorted(SHAPE_FAMILIES))
def test_the_same_seed_gives_the_same_model_and_another_seed_another(family: str):
    first, again = (build_shape(family, np.random.default_rng(7)) for _ in range(2))
    assert first.vertices.tobytes() == again.vertices.tobytes()
    assert (first.faces, first.modifiers) == (again.faces, again.modifiers)
    others = [build_shape(family, np.random.default_rng(seed)) for seed in (8, 9)]
    assert any(o.vertices.tobytes() != first.vertices.tobytes() or o.modifiers != first.modifiers for o in others)


def test_families_do_not_look_like_one_another():
    looks = {family: np.mean([silhouette(s) for s in shapes(family)], axis=0) for family in MESHES}
    for i, family in enumerate(MESHES):
        for other in MESHES[:i]:
            assert np.abs(looks[family] - looks[other]).mean() > 0.03, (family, other)


def test_suzanne_is_left_to_blender():
    monkey = build_shape("monkey", np.random.default_rng(0))
    assert monkey.primitive == "monkey"
    assert len(monkey.vertices) == len(monkey.faces) == 0


def test_an_unknown_family_is_refused_by_name():
    with pytest.raises(ValueError, match=r"unknown shape family 'teapot'.*vase"):
        build_shape("teapot", np.random.default_rng(0))


def test_a_cube_has_its_volume_and_a_mirrored_one_still_faces_outward():
    cube = box((2, 3, 4))
    mirrored = cube.transformed(np.diag([-1.0, 1, 1]), offset=(5, 0, 0))
    assert signed_volume(cube.vertices, cube.faces) == pytest.approx(24)
    assert signed_volume(mirrored.vertices, mirrored.faces) == pytest.approx(24)


def test_a_lathe_turns_a_rectangle_into_a_cylinder():
    cylinder = lathe(np.array([(0, 0), (1, 0), (1, 2), (0, 2)]), 256)
    assert signed_volume(cylinder.vertices, cylinder.faces) == pytest.approx(2 * np.pi, rel=1e-3)


def test_a_closed_tube_is_a_torus_without_a_twist_at_its_seam():
    t = np.arange(200) * 2 * np.pi / 200
    path = np.stack([np.cos(t), np.sin(t), 0.3 * np.sin(2 * t)], axis=-1)
    torus = tube(path, 0.1, 32, closed=True)
    edges = [np.linalg.norm(torus.vertices[f[0]] - torus.vertices[f[3]]) for f in torus.faces]
    assert max(edges) < 2 * np.median(edges)


def test_an_extruded_plate_with_a_hole_has_the_difference_of_both_areas():
    square = np.array([(-1.0, -1), (1, -1), (1, 1), (-1, 1)])
    plate = extrude(square, 0.5, hole=square * 0.5)
    assert signed_volume(plate.vertices, plate.faces) == pytest.approx((4 - 1) * 0.5)


def test_an_inside_out_part_is_turned_outward():
    cube = box((1, 1, 1))
    inverted = Mesh(cube.vertices, [face[::-1] for face in cube.faces])
    assert signed_volume(inverted.outward().vertices, inverted.outward().faces) == pytest.approx(1)


def test_a_quarter_turn_about_z_takes_x_to_y():
    np.testing.assert_allclose(rotation("z", np.pi / 2) @ (1, 0, 0), (0, 1, 0), atol=1e-12)
