"""The longest path along each part of a skeleton, and the Bezier curve that smooths a path.

Source: the robot of the DAVIS interactive benchmark. The skeleton's pixels are the nodes of a graph with edges to all
eight neighbours; in each connected part every cycle found loses its longest edge, and the path of most hops remains.
"""

import itertools
import math

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.special import gammaln

_STEPS = ((-1, -1), (-1, 0), (-1, 1), (0, -1), (1, -1), (1, 0), (0, 1), (1, 1))
"""(row, column) steps to the neighbours in the order of the search: earlier pixels by row, later ones by column.

The order decides between paths of equal length only; this one gives the strokes that were measured of the official
robot with its ties fixed.
"""
_BAND_DEVIATIONS = 8.5
"""Control points farther than this many standard deviations of a Bernstein polynomial weigh less than 1e-15."""


def longest_paths(skeleton: np.ndarray, min_nodes: int = 1) -> list[np.ndarray]:
    """Return the longest path of each 8-connected part of the skeleton, int64 (P, 2) each, pixels as (x, y).

    skeleton: bool (H, W). Parts of fewer than `min_nodes` pixels are left out; parts come in the order of their first
    pixel by row. Length is counted in pixels; the first found of equally long paths is taken.
    """
    rows, columns = np.nonzero(skeleton)
    if len(rows) == 0:
        return []
    width = skeleton.shape[1] + 2
    cells = (rows + 1) * width + columns + 1
    number = np.full((skeleton.shape[0] + 2) * width, -1)
    number[cells] = np.arange(len(cells))
    around = number[cells[:, None] + np.array([row * width + column for row, column in _STEPS])]
    neighbours = [[node for node in row if node >= 0] for row in around.tolist()]
    cell_of, diagonals = cells.tolist(), {abs(row * width + column) for row, column in _STEPS if row and column}
    points = np.stack([columns, rows], axis=1)
    is_seen = [False] * len(cells)
    paths = []
    for start in range(len(cells)):
        if is_seen[start]:
            continue
        part = _break_cycles(neighbours, start, cell_of, diagonals)
        for node in part:
            is_seen[node] = True
        if len(part) >= min_nodes:
            paths.append(points[_longest_path(neighbours, start)])
    return paths


def bezier_curve(points: np.ndarray, num_points: int = 1000) -> np.ndarray:
    """Return the Bezier curve with all of `points` as control points, float64 (num_points, D), last point first.

    points: (P, D), P >= 1; of more than 1,000 points no curve is made, they come back as float64 as they are, as in the
    DAVIS robot. Curves have at most 1,000 points, evenly spaced in the curve's parameter.
    """
    points = np.asarray(points, np.float64)
    degree = len(points) - 1
    if len(points) > 1000:
        return points.copy()
    share = np.linspace(1, 0, min(num_points, 1000))
    if degree == 0:
        return np.repeat(points, len(share), axis=0)
    # At one parameter the weights are a binomial distribution over the control points: a narrow band around its mean.
    reach = math.ceil(_BAND_DEVIATIONS * math.sqrt(degree) / 2) + 2
    size = min(degree + 1, 2 * reach + 1)
    first = np.clip(np.rint(share * degree).astype(np.int64) - reach, 0, degree + 1 - size)
    inner = np.clip(share, 1e-12, 1 - 1e-12)
    slope = np.log(inner) - np.log1p(-inner)
    weights = sliding_window_view(_log_binomials(degree), size)[first]
    weights += slope[:, None] * np.arange(size)
    weights += (first * slope + degree * np.log1p(-inner))[:, None]
    np.exp(weights, out=weights)
    bands = (sliding_window_view(axis, size)[first] for axis in points.T)
    curve = np.stack([np.einsum("ij,ij->i", weights, band) for band in bands], axis=1) / weights.sum(axis=1)[:, None]
    curve[share == 1], curve[share == 0] = points[-1], points[0]
    return curve


def _log_binomials(degree: int) -> np.ndarray:
    """Logarithms of the binomial coefficients of a degree, float64 (degree + 1,)."""
    log_factorials = gammaln(np.arange(1, degree + 2))
    return log_factorials[-1] - log_factorials - log_factorials[::-1]


def _break_cycles(neighbours: list[list[int]], start: int, cell_of: list[int], diagonals: set[int]) -> list[int]:
    """Take edges out of `neighbours` until the part of `start` is a tree; return the part's nodes.

    A depth-first search from `start` finds a cycle when it meets a node of the way it came; the first of the longest
    edges of the cycle goes, counted from that node. The search then goes on as if it had started anew without the edge:
    what came after the edge is forgotten.
    """
    way, visits = [start], [start]
    depth, visit, turn = {start: 0}, {start: 0}, {start: 0}  # turn: which neighbour comes next
    while way:
        node = way[-1]
        if turn[node] == len(neighbours[node]):
            way.pop()
            continue
        other = neighbours[node][turn[node]]
        turn[node] += 1
        if other not in depth:
            depth[other], visit[other], turn[other] = len(way), len(visits), 0
            way.append(other)
            visits.append(other)
        elif len(way) < 2 or other != way[-2]:
            cycle = way[depth[other] :] + [other]
            long_edges = ((a, b) for a, b in itertools.pairwise(cycle) if abs(cell_of[a] - cell_of[b]) in diagonals)
            tail, head = next(long_edges, cycle[:2])
            if tail != node:
                del way[depth[head] :]
                for forgotten in visits[visit[head] :]:
                    del depth[forgotten]
                del visits[visit[head] :]
            for one, two in ((tail, head), (head, tail)):
                position = neighbours[one].index(two)
                del neighbours[one][position]
                turn[one] -= position < turn[one]
    return visits


def _longest_path(tree: list[list[int]], start: int) -> list[int]:
    """Return a path of most hops: from the node farthest from `start` to the one farthest from that."""
    _, one_end = _search_by_hops(tree, start)
    came_from, node = _search_by_hops(tree, one_end)
    path = [node]
    while node != one_end:
        node = came_from[node]
        path.append(node)
    return path[::-1]


def _search_by_hops(tree: list[list[int]], start: int) -> tuple[dict[int, int], int]:
    """Return from which node each node is reached, and the first of the farthest nodes."""
    came_from, level = {start: start}, [start]
    while level:
        farthest, following = level[0], []
        for node in level:
            for other in tree[node]:
                if other not in came_from:
                    came_from[other] = node
                    following.append(other)
        level = following
    return came_from, farthest
