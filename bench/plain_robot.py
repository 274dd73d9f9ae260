"""The robot of the DAVIS interactive benchmark as plainly as it is described: the peer of `bench/robot.py`.

Grey opening by rank filters, scikit-image's medial axis, a graph of all skeleton pixels with networkx, cycles broken
one at a time with a search from the start after each, and the whole Bernstein matrix for the Bezier curve. Ties of the
medial axis follow the given generator; the official program leaves them to chance.
"""

import networkx
import numpy as np
from scipy.spatial import cKDTree
from scipy.special import comb
from skimage.filters import rank
from skimage.morphology import disk, medial_axis


def plain_strokes(
    rng: np.random.Generator,
    true_ids: np.ndarray,
    predicted_ids: np.ndarray,
    object_ids: list[int],
    kernel_size: float = 0.2,
    max_kernel_radius: float = 16,
    min_nodes: int = 4,
    num_points: int = 1000,
) -> list[tuple[int, np.ndarray]]:
    """Return (object id, path) of each stroke that the robot draws on one frame; paths (P, 2) in [0, 1]."""
    height, width = true_ids.shape
    strokes = []
    for object_id in object_ids:
        error = (true_ids == object_id) & (predicted_ids != object_id)
        if not error.any():
            continue
        skeleton = plain_skeleton(rng, error, kernel_size, max_kernel_radius)
        for path in plain_paths(skeleton, min_nodes):
            strokes.append((object_id, plain_curve(path, num_points) / (width, height)))
    return strokes


def plain_skeleton(
    rng: np.random.Generator, error: np.ndarray, kernel_size: float = 0.2, max_kernel_radius: float = 16
) -> np.ndarray:
    """Open the error mask by a radius from its area, retrying with smaller ones while nothing is left; medial axis."""
    grey = error.astype(np.uint8)
    opened = grey
    radius = min(kernel_size * np.sqrt(error.sum()) / 2, max_kernel_radius)
    while radius > 1:
        opened = rank.maximum(rank.minimum(grey, disk(radius)), disk(radius))
        if opened.any():
            break
        radius *= 0.9
    return medial_axis(np.pad(opened, 1).astype(bool), rng=rng)[1:-1, 1:-1]


def plain_paths(skeleton: np.ndarray, min_nodes: int = 4) -> list[np.ndarray]:
    """Return the longest path (P, 2) of each 8-connected part of the skeleton, x first, cycles broken."""
    rows, columns = np.nonzero(skeleton)
    points = np.stack([columns, rows], axis=1)
    if len(points) == 0:
        return []
    pairs = cKDTree(points).query_pairs(np.sqrt(2))
    graph = networkx.Graph()
    graph.add_nodes_from(range(len(points)))
    # Neighbours that come later are visited by column; the order decides between paths of equal length only.
    for one, other in sorted(pairs, key=lambda pair: (pair[0], *points[pair[1]])):
        graph.add_edge(one, other, weight=np.linalg.norm(points[one] - points[other]))
    paths = []
    for nodes in networkx.connected_components(graph):
        part = networkx.Graph()
        part.add_nodes_from(sorted(nodes))
        part.add_edges_from(graph.edges(sorted(nodes), data=True))
        if len(part) < min_nodes:
            continue
        _break_cycles(part)
        paths.append(points[_longest_path(part)])
    return paths


def _break_cycles(part: networkx.Graph) -> None:
    """Delete the heaviest edge of a cycle until there is none."""
    while True:
        try:
            cycle = networkx.find_cycle(part)
        except networkx.NetworkXNoCycle:
            return
        weights = [part.edges[edge]["weight"] for edge in cycle]
        part.remove_edge(*cycle[int(np.argmax(weights))])


def _longest_path(tree: networkx.Graph) -> list[int]:
    """The path of most hops: to the node farthest from the first node, then from there to the farthest."""
    end = _farthest(networkx.single_source_shortest_path(tree, next(iter(tree))))[-1]
    return _farthest(networkx.single_source_shortest_path(tree, end))


def _farthest(paths: dict[int, list[int]]) -> list[int]:
    return max(paths.values(), key=len)


def plain_curve(path: np.ndarray, num_points: int = 1000) -> np.ndarray:
    """Return the Bezier curve whose control points are all pixels of the path, (num_points, 2), last pixel first."""
    num_points = min(num_points, 1000)
    degree = len(path) - 1
    if len(path) > 1000:
        return path.astype(np.float64)
    t = np.linspace(0, 1, num_points)
    bernstein = [comb(degree, k) * t ** (degree - k) * (1 - t) ** k for k in range(degree + 1)]
    return np.array(bernstein).T @ path
