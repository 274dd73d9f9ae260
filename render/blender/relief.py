"""A normal map becomes the height field whose slopes it holds.

Tangent-space normals are (-dh/dx, -dh/dy, 1) normalised, x right, y up the picture. A texture that tiles is periodic,
so the least-squares height has a closed form in the Fourier domain (Frankot and Chellappa, PAMI 1988).
"""

from __future__ import annotations

import numpy as np

STEEPEST_SLOPE = 4.0
"""Slopes are cut here: normals that almost lie in the surface are rounding errors of 8 bits."""


def height_from_normals(normals: np.ndarray) -> np.ndarray:
    """Integrate a tiling normal map.

    normals: float (H, W, 3) in [0, 1], 0.5 is zero. Returns float32 (H, W), zero-mean, in lengths of the texture's
    width. Files disagree whether green points up (OpenGL) or down (DirectX) and do not say; but only one reading is the
    slope field of a surface, because such a field has no curl.
    """
    vectors = 2.0 * normals.astype(np.float64) - 1.0
    steepness = np.maximum(vectors[..., 2], 1.0 / STEEPEST_SLOPE)
    right = np.clip(-vectors[..., 0] / steepness, -STEEPEST_SLOPE, STEEPEST_SLOPE)
    up = np.clip(-vectors[..., 1] / steepness, -STEEPEST_SLOPE, STEEPEST_SLOPE)
    candidates = [_integrate(right, down) for down in (-up, up)]
    height, _ = min(candidates, key=lambda candidate: candidate[1])
    return (height / normals.shape[1]).astype(np.float32)


def _integrate(right: np.ndarray, down: np.ndarray) -> tuple[np.ndarray, float]:
    """The height in pixels whose slopes come closest, and the mean squared error that remains; rows run downwards."""
    rows, columns = right.shape
    u, v = 2j * np.pi * np.fft.fftfreq(columns)[None, :], 2j * np.pi * np.fft.fftfreq(rows)[:, None]
    slope_right, slope_down = np.fft.fft2(right), np.fft.fft2(down)
    power = (np.abs(u) ** 2 + np.abs(v) ** 2).copy()
    power[0, 0] = 1.0
    height = (np.conj(u) * slope_right + np.conj(v) * slope_down) / power
    height[0, 0] = 0.0
    curl = np.abs(u * slope_down - v * slope_right) ** 2 / power
    curl[0, 0] = 0.0
    return np.fft.ifft2(height).real, float(curl.mean())
