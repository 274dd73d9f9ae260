"""Thin-plate splines that bend a square picture: drawn once, evaluated where they are needed.

A spline maps points of the result back to the picture it bends, as sampling needs it; coordinates are continuous
pixels of the square, pixel (column c, row r) covers [c, c+1) x [r, r+1). Source: Mask-Propagation, training on stills.
"""

import functools
from dataclasses import dataclass, replace

import cv2
import numpy as np
from scipy.interpolate import CubicSpline

MAX_MAP_ERROR = 0.04
"""Pixels by which the enlarged grid of `SplineWarp.sampling_map` may differ from the spline."""
GRID_STEP = 8
_MARGIN_NODES = 3
_GRID_ERROR, _GRID_ERROR_DECAY = 0.36, 1.15
"""A cubic spline through a grid of step 1 is at most 0.36 exp(-1.15 r) off the kernel r^2 log r (measured)."""
_CELL_PIXELS = np.argwhere(np.ones((GRID_STEP, GRID_STEP)))
_INVERSION_STEPS = 60
_PUBLISHED_LINES = 384


@dataclass(frozen=True, kw_only=True)
class SplineWarp:
    """A thin-plate spline: result point p shows what lay at p + shift(p).

    control_points: float64 (N, 2), where the control points lie in the result, as shares (x, y) of the square's side.
    weights: float64 (N + 3, 2), of the kernel r^2 log r at each point, then of 1, x and y; the shift is a share too.
    """

    control_points: np.ndarray
    weights: np.ndarray

    def shift(self, points: np.ndarray) -> np.ndarray:
        """Return the shift at each point; points and result are float64 (..., 2), shares of the side."""
        shape, points = points.shape, points.reshape(-1, 2)
        shifts = _kernel(points, self.control_points) @ self.weights[:-3]
        shifts += self.weights[-3]
        shifts += points @ self.weights[-2:]
        return shifts.reshape(shape)

    def source_points(self, points: np.ndarray, size: int) -> np.ndarray:
        """Return where points of the result (..., 2) come from, for a square of size x size pixels."""
        return points + size * self.shift(points / size)

    def result_points(self, points: np.ndarray, size: int) -> np.ndarray:
        """Return where points (P, 2) of the picture lie in the result: the inverse of `source_points`.

        Solved by damped Newton steps. Where the spline folds the picture a point has several places, of which one is
        returned, or none; then the place that comes nearest to it.
        """
        goal = points / size
        place = goal - self.shift(goal)
        miss = place + self.shift(place) - goal
        damping = np.ones((len(goal), 1))
        for _ in range(_INVERSION_STEPS):
            if np.abs(miss).max(initial=0.0) < 1e-13:
                break
            trial = place - damping * np.clip(self._newton_step(place, miss), -0.1, 0.1)
            trial_miss = trial + self.shift(trial) - goal
            is_nearer = np.square(trial_miss).sum(1, keepdims=True) < np.square(miss).sum(1, keepdims=True)
            place, miss = np.where(is_nearer, trial, place), np.where(is_nearer, trial_miss, miss)
            damping = np.where(is_nearer, np.minimum(2 * damping, 1.0), damping / 2)
        return place * size

    def sampling_map(self, size: int) -> "GridMap":
        """Return where every pixel centre of the result comes from, within `MAX_MAP_ERROR` pixels of the spline.

        The spline is computed at every 8th pixel and enlarged by a cubic spline, which follows it closely except near
        control points. Cells in which the bound of the error is above the limit are computed pixel by pixel: about 2 %
        for splines as published.
        """
        num_cells = -(-size // GRID_STEP)
        line = (np.arange(-_MARGIN_NODES, num_cells + _MARGIN_NODES) + 0.5) * GRID_STEP
        nodes = self.source_points(np.stack(np.meshgrid(line, line), axis=-1), size)
        cells = np.argwhere(self._error_bound(size, num_cells) > MAX_MAP_ERROR) * GRID_STEP
        pixels = (cells[:, None] + _CELL_PIXELS).reshape(-1, 2)
        rows, columns = pixels[(pixels < size).all(1)].T
        exact = self.source_points(np.stack([columns + 0.5, rows + 0.5], axis=1), size)
        return GridMap(nodes=nodes, exact_points=exact, exact_rows=rows, exact_columns=columns, size=size)

    def _error_bound(self, size: int, num_cells: int) -> np.ndarray:
        """Bound of the error of the enlarged grid in each cell, float64 (cells, cells), in pixels."""
        # In units of the step h the kernel is h^2 r^2 log r and a parabola, which the cubic spline takes as it is.
        points, cells = self.control_points * (size / GRID_STEP), np.arange(num_cells)[:, None]
        gaps = [np.maximum(np.maximum(cells - points[:, axis], points[:, axis] - cells - 1), 0) for axis in (0, 1)]
        distances = np.sqrt(np.square(gaps[1])[:, None] + np.square(gaps[0]))
        strengths = np.linalg.norm(self.weights[:-3], axis=1) * GRID_STEP**2 / size
        return _GRID_ERROR * np.exp(-_GRID_ERROR_DECAY * distances) @ strengths

    def _newton_step(self, points: np.ndarray, miss: np.ndarray) -> np.ndarray:
        offsets = points[:, None] - self.control_points
        logarithms = np.log(np.maximum(np.square(offsets).sum(-1), 1e-30))
        gradients = offsets * (logarithms + 1)[..., None]
        slope = np.einsum("pnj,ni->pij", gradients, self.weights[:-3]) + self.weights[-2:].T + np.eye(2)
        (a, b), (c, d) = slope.transpose(1, 2, 0)
        determinant = a * d - b * c
        determinant = np.where(np.abs(determinant) < 1e-9, 1e-9, determinant)
        x, y = miss.T
        return np.stack([d * x - b * y, a * y - c * x], axis=1) / determinant[:, None]


@dataclass(frozen=True, kw_only=True)
class GridMap:
    """Where the pixels of a square of size x size come from: at the nodes of a grid, and exactly at some pixels.

    nodes: float64 (n, n, 2), x and y; node (j, i) stands for the point ((i - 2.5) * 8, (j - 2.5) * 8) of the square.
    exact_points: float64 (E, 2), of the pixels in exact_rows and exact_columns (E,).
    """

    nodes: np.ndarray
    exact_points: np.ndarray
    exact_rows: np.ndarray
    exact_columns: np.ndarray
    size: int

    def transformed(self, matrix: np.ndarray) -> "GridMap":
        """Return the map followed by an affine matrix (3, 3) of the picture."""
        moved = [values @ matrix[:2, :2].T + matrix[:2, 2] for values in (self.nodes, self.exact_points)]
        return replace(self, nodes=moved[0], exact_points=moved[1])

    def outline(self) -> np.ndarray:
        """Return points of the picture, (P, 2), within whose box lies all that the map takes."""
        return self.nodes.reshape(-1, 2)

    def maps(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the continuous source coordinates x and y of every pixel centre, two float32 (size, size)."""
        enlarge, maps = _enlargement(self.size), []
        for axis in (0, 1):
            halves = enlarge @ self.nodes[..., axis].astype(np.float32) @ enlarge.T
            values = cv2.resize(halves, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)
            values = values[2 : 2 + self.size, 2 : 2 + self.size]
            values[self.exact_rows, self.exact_columns] = self.exact_points[:, axis]
            maps.append(values)
        return maps[0], maps[1]


@functools.lru_cache(maxsize=8)
def _enlargement(size: int) -> np.ndarray:
    """The matrix from values at the nodes to values between every second pair of pixels, along one axis.

    float32 (m, n), from one pair before the first pixel to one behind the last; pixels lie between them on straight
    lines, which costs hundredths of a pixel at most outside the cells that are computed exactly.
    """
    nodes = (np.arange(-_MARGIN_NODES, -(-size // GRID_STEP) + _MARGIN_NODES) + 0.5) * GRID_STEP
    return CubicSpline(nodes, np.eye(len(nodes)))(2.0 * np.arange(-(-size // 2) + 2) - 1).astype(np.float32)


def draw_spline(rng: np.random.Generator, num_points: int = 12, displacement: float = 0.02) -> SplineWarp:
    """Draw a spline: points in distinct rows and columns of the square, each moved by N(0, displacement) along x and y.

    displacement: share of the square's side. ValueError for fewer than 3 points or a negative displacement.
    """
    if num_points < 3 or displacement < 0:
        raise ValueError(
            f"num_points is {num_points} and displacement {displacement}; a spline needs 3 points or more and a "
            "displacement of at least 0"
        )
    lines = max(_PUBLISHED_LINES, num_points)
    points = np.stack([rng.choice(lines, num_points, replace=False) for _ in range(2)], axis=1) / lines
    return fit_spline(points, points + rng.normal(0.0, displacement, points.shape))


def fit_spline(source: np.ndarray, result: np.ndarray) -> SplineWarp:
    """Return the spline that moves points `source` (N, 2) of the picture to `result` (N, 2), in shares of the side.

    ValueError when the points in the result lie on one line or on one another: no single spline does that.
    """
    number = len(result)
    system = np.zeros((number + 3, number + 3))
    system[:number, :number] = _kernel(result, result)
    system[:number, number] = system[number, :number] = 1
    system[:number, number + 1 :] = result
    system[number + 1 :, :number] = result.T
    shifts = np.zeros((number + 3, 2))
    shifts[:number] = source - result
    # Not by LAPACK: its last digits depend on the number of its threads, and these spin when they are done.
    is_solved, weights = cv2.solve(system, shifts, flags=cv2.DECOMP_LU)
    if not is_solved or len(np.unique(result, axis=0)) < number or _on_one_line(result):
        raise ValueError(
            f"no spline takes these {number} control points: in the result they lie on one line or on one another"
        )
    return SplineWarp(control_points=result, weights=weights)


def _on_one_line(points: np.ndarray) -> bool:
    """True when the points (N, 2) spread along one direction alone, as far as float64 can tell."""
    x, y = (points - points.mean(0)).T
    return bool((x @ x) * (y @ y) - (x @ y) ** 2 <= 1e-12 * (x @ x + y @ y) ** 2)


def _kernel(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """r^2 log r of the distances between points (P, 2) and centres (N, 2), float64 (P, N)."""
    squared = np.square(points[:, :1] - centres[:, 0])
    squared += np.square(points[:, 1:] - centres[:, 1])
    np.maximum(squared, 1e-30, out=squared)
    logarithm = np.log(squared)
    logarithm *= squared
    logarithm *= 0.5
    return logarithm
