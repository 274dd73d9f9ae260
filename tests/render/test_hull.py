"""Hulls for rigid bodies: the right centre of mass, a volume for flat things, and room before the fall."""

import numpy as np
from vosforge.render.hull import SMALLEST_THICKNESS, convex_hull, lifts_apart

CUBE = np.array([(x, y, z) for x in (0, 1) for y in (0, 1) for z in (0, 1)], float)


def apart(first, second):
    """Whether two boxes' corner sets are apart along an axis."""
    return bool(((first.min(axis=0) >= second.max(axis=0)) | (second.min(axis=0) >= first.max(axis=0))).any())


def test_a_cube_has_its_centre_and_its_volume():
    hull = convex_hull(np.concatenate([CUBE, CUBE * 0.5 + 0.2]) * 2.0)
    np.testing.assert_allclose(hull.centre, 1.0, atol=1e-9)
    np.testing.assert_allclose(hull.volume, 8.0)
    assert len(hull.points) == 8


def test_the_centre_of_mass_of_a_wedge_is_a_third_of_its_way():
    wedge = np.array([(0, 0, 0), (3, 0, 0), (0, 0, 3), (0, 1, 0), (3, 1, 0), (0, 1, 3)], float)
    np.testing.assert_allclose(convex_hull(wedge).centre, (1.0, 0.5, 1.0), atol=1e-9)


def test_a_flat_model_gets_a_volume():
    hull = convex_hull(CUBE[CUBE[:, 2] == 0])
    np.testing.assert_allclose(hull.volume, SMALLEST_THICKNESS)


def test_a_slanted_plane_gets_a_volume():
    plane = np.array([(0, 0, 0), (1, 0, 1), (0, 1, 1), (1, 1, 2)], float)
    assert np.isfinite(convex_hull(plane).centre).all()


def test_many_vertices_leave_a_hull_of_the_same_extent():
    points = np.random.default_rng(0).normal(size=(20_000, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    hull = convex_hull(points)
    assert len(hull.points) <= 406
    np.testing.assert_allclose(np.ptp(hull.points, axis=0), 2.0, atol=0.05)


def test_bodies_with_room_stay_where_they_are():
    bodies = [CUBE, CUBE + (1.5, 0.0, 0.0), CUBE + (0.0, 0.0, 2.0)]
    np.testing.assert_array_equal(lifts_apart(bodies, floor=-0.5, gap=0.02), 0.0)


def test_overlapping_bodies_are_lifted_clear_of_each_other_and_the_floor():
    bodies = [CUBE, CUBE + (0.4, 0.3, 0.1), CUBE + (0.2, -0.5, 0.3), CUBE + (0.0, 0.0, -0.7)]
    lifts = lifts_apart(bodies, floor=0.0, gap=0.02)
    lifted = [body + (0.0, 0.0, lift) for body, lift in zip(bodies, lifts, strict=True)]
    for slot, body in enumerate(lifted):
        assert body[:, 2].min() >= 0.02 - 1e-9
        assert all(apart(body, other) for other in lifted[:slot])
