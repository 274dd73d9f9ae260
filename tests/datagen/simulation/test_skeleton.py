"""Skeletons are thin, keep the parts of their mask, and equal plain versions of the published methods."""

import networkx
import numpy as np
import pytest
import skimage.morphology
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage
from scipy.special import comb
from vosforge.datagen.simulation.robot import skeleton as skeleton_module
from vosforge.datagen.simulation.robot.skeleton import box_of, medial_axis, thin
from vosforge.datagen.simulation.robot.skeleton_paths import bezier_curve, longest_paths

EIGHT = np.ones((3, 3), int)
SKELETONS = {
    "medial-axis": lambda mask: medial_axis(np.random.default_rng(0), mask),
    "zhang-suen": lambda mask: thin(mask, "zhang-suen"),
    "guo-hall": lambda mask: thin(mask, "guo-hall"),
}
MASKS = st.one_of(
    arrays(bool, st.tuples(st.integers(1, 14), st.integers(1, 14))),
    # Blobs: the noise above has next to no inner pixels.
    arrays(bool, st.tuples(st.integers(2, 6), st.integers(2, 6))).map(lambda mask: mask.repeat(4, 0).repeat(5, 1)),
)
each_method = pytest.mark.parametrize("method", SKELETONS)
quick = settings(max_examples=40, deadline=None)


@each_method
def test_skeleton_of_a_bar_is_its_middle_line(method):
    mask = np.zeros((11, 40), bool)
    mask[3:8, 5:35] = True
    rows, columns = np.nonzero(SKELETONS[method](mask))
    middle = rows[(columns > 9) & (columns < 30)]
    assert len(middle) == 20 and (middle == 5).all()


@each_method
def test_empty_mask_has_an_empty_skeleton(method):
    assert not SKELETONS[method](np.zeros((5, 7), bool)).any()


@each_method
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1)])
def test_line_and_pixel_are_their_own_skeletons(method, shape):
    for room in (0, 2):
        mask = np.pad(np.ones(shape, bool), room)
        assert np.array_equal(SKELETONS[method](mask), mask)


@each_method
def test_full_frame_has_a_skeleton_away_from_the_border(method):
    skeleton = SKELETONS[method](np.ones((30, 40), bool))
    assert skeleton[10:20, 10:30].any()


@each_method
def test_ring_keeps_its_hole(method):
    mask = np.pad(np.ones((21, 25), bool), 3)
    mask[10:17, 9:20] = False
    skeleton = SKELETONS[method](mask)
    assert ndimage.label(~skeleton)[1] == 2


@pytest.mark.parametrize("method", ["medial-axis", "guo-hall"])
@quick
@given(mask=MASKS)
def test_skeleton_lies_in_its_mask_and_keeps_each_part(method, mask):
    skeleton = SKELETONS[method](mask)
    assert not (skeleton & ~mask).any()
    labels, num_parts = ndimage.label(mask, EIGHT)
    num_skeleton_parts = ndimage.label(skeleton, EIGHT)[1]
    assert num_skeleton_parts == num_parts
    assert set(np.unique(labels[skeleton])) == set(range(1, num_parts + 1))


@quick
@given(mask=MASKS)
def test_zhang_suen_lies_in_its_mask(mask):
    assert not (thin(mask) & ~mask).any()


@each_method
@quick
@given(mask=MASKS, top=st.integers(0, 5), left=st.integers(0, 5))
def test_skeleton_moves_with_its_mask(method, mask, top, left):
    room = ((top, 1), (left, 2))
    assert np.array_equal(SKELETONS[method](np.pad(mask, room)), np.pad(SKELETONS[method](mask), room))


@settings(max_examples=15, deadline=None)  # the peer takes 50 ms a mask
@given(mask=MASKS, seed=st.integers(0, 5))
def test_medial_axis_is_that_of_scikit_image(mask, seed):
    expected = skimage.morphology.medial_axis(np.pad(mask, 1), rng=seed)[1:-1, 1:-1]
    assert np.array_equal(medial_axis(np.random.default_rng(seed), mask), expected)


def test_medial_axis_is_the_same_without_the_compiled_loop(monkeypatch):
    mask = np.random.default_rng(0).random((12, 15)) < 0.7
    expected = medial_axis(np.random.default_rng(4), mask)
    monkeypatch.setattr(skeleton_module, "_peel_in_order", None)
    assert np.array_equal(medial_axis(np.random.default_rng(4), mask), expected)


@quick
@given(mask=MASKS)
def test_guo_hall_is_that_of_scikit_image(mask):
    assert np.array_equal(thin(mask, "guo-hall"), skimage.morphology.thin(np.pad(mask, 1))[1:-1, 1:-1])


@quick
@given(mask=MASKS)
def test_zhang_suen_is_that_of_the_paper(mask):
    assert np.array_equal(thin(mask), plain_zhang_suen(mask))


def plain_zhang_suen(mask):
    """Both sub-iterations over all pixels, until nothing changes."""
    image = np.pad(mask, 1).astype(int)
    while True:
        before = image
        for first in (True, False):
            p2, p3, p4, p5, p6, p7, p8, p9 = (
                np.roll(image, step, (0, 1))
                for step in ((1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1))
            )
            ring = [p2, p3, p4, p5, p6, p7, p8, p9]
            rises = sum((a == 0) & (b == 1) for a, b in zip(ring, ring[1:] + ring[:1], strict=True))
            sides = (p2 * p4 * p6 == 0) & (p4 * p6 * p8 == 0) if first else (p2 * p4 * p8 == 0) & (p2 * p6 * p8 == 0)
            image = image * ~((rises == 1) & (sum(ring) >= 2) & (sum(ring) <= 6) & sides)
        if np.array_equal(image, before):
            return image[1:-1, 1:-1].astype(bool)


def test_unknown_thinning_is_refused():
    with pytest.raises(ValueError, match="'hilditch'"):
        thin(np.ones((3, 3), bool), "hilditch")


def test_box_is_the_smallest():
    mask = np.zeros((6, 9), bool)
    assert box_of(mask) is None
    mask[2, 3] = mask[4, 7] = True
    assert box_of(mask) == (slice(2, 5), slice(3, 8))


def test_longest_path_of_a_comb_leaves_its_teeth_out():
    skeleton = np.zeros((8, 30), bool)
    skeleton[4, 2:28] = True
    skeleton[1:4, 8] = skeleton[1:4, 15] = True
    (path,) = longest_paths(skeleton)
    assert np.array_equal(sorted(path.tolist()), [[x, 4] for x in range(2, 28)])


def test_short_parts_are_left_out():
    skeleton = np.zeros((5, 12), bool)
    skeleton[1, 0:3] = skeleton[3, 5:9] = True
    assert [len(path) for path in longest_paths(skeleton)] == [3, 4]
    assert [len(path) for path in longest_paths(skeleton, min_nodes=4)] == [4]
    assert longest_paths(np.zeros((4, 4), bool)) == []


@quick
@given(mask=arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_paths_are_those_of_the_plain_graph(mask):
    paths = longest_paths(mask)
    expected = plain_longest_paths(mask)
    assert len(paths) == len(expected)
    assert all(np.array_equal(path, other) for path, other in zip(paths, expected, strict=True))


def plain_longest_paths(mask):
    """A search for cycles from the start after each edge that goes, and shortest paths to all nodes."""
    pixels = [(int(x), int(y)) for y, x in np.argwhere(mask)]
    graph = networkx.Graph()
    graph.add_nodes_from(pixels)
    for x, y in pixels:
        for other in ((x - 1, y + 1), (x, y + 1), (x + 1, y), (x + 1, y + 1)):
            if other in graph:
                graph.add_edge((x, y), other, weight=np.hypot(other[0] - x, other[1] - y))
    paths = []
    for nodes in networkx.connected_components(graph):
        part = networkx.Graph()
        nodes = [pixel for pixel in pixels if pixel in nodes]
        part.add_nodes_from(nodes)
        part.add_edges_from(graph.edges(nodes, data=True))
        while not networkx.is_tree(part):
            cycle = networkx.find_cycle(part)
            part.remove_edge(*max(cycle, key=lambda edge: part.edges[edge]["weight"]))
        end = max(networkx.single_source_shortest_path(part, nodes[0]).values(), key=len)[-1]
        paths.append(np.array(max(networkx.single_source_shortest_path(part, end).values(), key=len)))
    return paths


@pytest.mark.parametrize("num_pixels", [1, 2, 3, 40, 700, 1000])
def test_curve_is_bernsteins_with_all_pixels_as_control_points(num_pixels):
    steps = np.random.default_rng(num_pixels).integers(-1, 2, (num_pixels, 2))
    points = 400 + np.cumsum(steps, axis=0)
    t = np.linspace(0, 1, 97)
    degree = num_pixels - 1
    weights = np.array([comb(degree, k) * t ** (degree - k) * (1 - t) ** k for k in range(degree + 1)])
    curve = bezier_curve(points, 97)
    assert curve.shape == (97, 2)
    assert np.allclose(curve, weights.T @ points, atol=1e-6)
    assert np.array_equal(curve[0], points[-1]) and np.array_equal(curve[-1], points[0])


def test_long_path_comes_back_as_it_is():
    points = np.stack([np.arange(1001), np.zeros(1001, int)], axis=1)
    assert np.array_equal(bezier_curve(points), points)
