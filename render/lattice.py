"""Free-form deformation: a 3x3x3 lattice of control offsets over a model's box bends every point in it.

The deformation is the trivariate quadratic Bernstein form, so it is smooth and reproduces affine maps (Sederberg and
Parry, "Free-form deformation of solid geometric models", 1986). Shapes: V points, F frames, P control times; the 27
controls run x fastest, then y, then z, as in `DeformationSpec.lattice`.
"""

from __future__ import annotations

import numpy as np

from .trajectory import evaluate_path

CONTROLS = 27
LARGEST_STRAIN = 0.55
"""Largest length of a column of the displacement's gradient. Three columns below 1 / sqrt(3) have a norm below 1, so
the gradient of the deformed position cannot become singular: nothing folds over or turns inside out."""


class Lattice:
    """The lattice of one model over a clip.

    points: float (V, 3), the model at rest; offsets: float (P, 27, 3) at equally spaced control times, in the points'
    units. Between the control times they follow the polynomial of an object's path. Raises ValueError on another shape
    or on offsets that are not finite.
    """

    def __init__(self, points: np.ndarray, offsets: np.ndarray, num_frames: int) -> None:
        offsets = np.asarray(offsets, np.float64)
        if offsets.ndim != 3 or offsets.shape[1:] != (CONTROLS, 3) or not np.isfinite(offsets).all():
            raise ValueError(
                f"lattice offsets of shape {offsets.shape} cannot bend a model; give finite numbers of shape "
                f"(control times, {CONTROLS}, 3)"
            )
        points = np.asarray(points, np.float64)
        low, high = points.min(axis=0), points.max(axis=0)
        self._rest = points.astype(np.float32)
        self._weights = lattice_weights(points, low, high).astype(np.float32)
        frames = evaluate_path(offsets.reshape(len(offsets), -1), num_frames).reshape(-1, CONTROLS, 3)
        self.offsets = limit_strain(frames, high - low)

    def vertices(self, frame: int) -> np.ndarray:
        """The bent points in a frame, float32 (V, 3)."""
        return self._rest + self._weights @ self.offsets[frame].astype(np.float32)


def lattice_weights(points: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """How much each control moves each point, float64 (V, 27); every row sums to 1.

    points: float (V, 3) inside the box from `low` to `high`, float (3,). Along an axis without extent all points lie
    half-way.
    """
    extent = np.asarray(high, np.float64) - low
    u = np.where(extent > 0, (points - low) / np.where(extent > 0, extent, 1.0), 0.5)
    x, y, z = np.moveaxis(np.stack([(1 - u) ** 2, 2 * u * (1 - u), u**2]), 2, 0)
    return np.einsum("cv,bv,av->vcba", z, y, x).reshape(len(points), CONTROLS)


def limit_strain(offsets: np.ndarray, extent: np.ndarray) -> np.ndarray:
    """Shrink offsets along the axes on which they would fold the model.

    offsets: float (F, 27, 3); extent: float (3,), the sides of the box. Returns float64 (F, 27, 3). What varies along
    an axis is scaled towards its mean by one factor for the whole clip, so that motion stays smooth; a thin plate still
    bends as a sheet. Offsets below the limit are returned as they are.
    """
    grid = np.array(offsets, np.float64).reshape(-1, 3, 3, 3, 3)
    for axis, length in zip((3, 2, 1), extent, strict=True):
        steepest = 2.0 * np.linalg.norm(np.diff(grid, axis=axis), axis=-1).max()
        allowed = LARGEST_STRAIN * length
        if steepest > allowed:
            mean = grid.mean(axis=axis, keepdims=True)
            grid = mean + (grid - mean) * (allowed / steepest)
    return grid.reshape(-1, CONTROLS, 3)
