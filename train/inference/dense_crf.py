"""A fully connected conditional random field over a picture's pixels (Krahenbuhl and Koltun, NIPS 2011).

The energy of a labelling is the sum of -log P over the pixels and of two Potts terms over all pairs of pixels: one of
pixels that lie near each other in place and colour (appearance), one of those near in place (smoothness). Mean field
finds each pixel's probabilities. K classes, H W pixels.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

LARGEST_EXACT = 128 * 128
_ROWS_AT_ONCE = 512
_EPSILON = 1e-20


@dataclass(frozen=True, kw_only=True)
class DenseCRFSettings:
    """The values that the public library uses in its examples; Benard and Gygli (2017) state none.

    appearance_weight, smoothness_weight: of the two Potts terms. appearance_pixels, appearance_colour: standard
    deviations in pixels and in steps of 0..255. smoothness_pixels: the same of place alone. iterations: of mean field.
    clip: smallest probability that enters. engine: "lattice" is the library's fast approximation (the extra `crf`),
    "exact" sums over all pairs, which serves pictures up to 128x128 pixels.
    """

    appearance_weight: float = 10.0
    appearance_pixels: float = 80.0
    appearance_colour: float = 13.0
    smoothness_weight: float = 3.0
    smoothness_pixels: float = 3.0
    iterations: int = 5
    clip: float = 1e-5
    engine: Literal["lattice", "exact"] = "lattice"

    def __post_init__(self) -> None:
        for name in ("appearance_pixels", "appearance_colour", "smoothness_pixels"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}; give a standard deviation above 0")
        for name in ("appearance_weight", "smoothness_weight", "iterations"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}; give 0 or more")
        if not 0 < self.clip < 0.5:
            raise ValueError(f"clip is {self.clip}; give a probability above 0 and below 0.5")
        if self.engine not in ("lattice", "exact"):
            raise ValueError(f"engine is {self.engine!r}; choose 'lattice' or 'exact'")


def refine_mask(probability: np.ndarray, rgb: np.ndarray, settings: DenseCRFSettings) -> np.ndarray:
    """Return the probability of one object, float32 (H, W), after mean field; see `refine`."""
    return refine(np.stack([1 - probability, probability]), rgb, settings)[1]


def refine(probabilities: np.ndarray, rgb: np.ndarray, settings: DenseCRFSettings) -> np.ndarray:
    """Return the probabilities of the classes after mean field, float32 (K, H, W), summing to 1 over K.

    probabilities: float (K, H, W). rgb: uint8 (H, W, 3). ValueError for shapes that do not fit, a picture too large for
    the exact engine, or the library missing.
    """
    if probabilities.ndim != 3 or rgb.shape != (*probabilities.shape[1:], 3) or rgb.dtype != np.uint8:
        raise ValueError(
            f"probabilities are {probabilities.shape}, rgb {rgb.dtype} {rgb.shape}; give (K, H, W) and uint8 (H, W, 3)"
        )
    unary = -np.log(np.clip(probabilities, settings.clip, 1.0)).astype(np.float32)
    return (_by_lattice if settings.engine == "lattice" else _exactly)(unary, rgb, settings)


def is_lattice_installed() -> bool:
    """Whether the library of the engine "lattice" can be imported."""
    try:
        require_lattice()
    except ValueError:
        return False
    return True


def require_lattice() -> Any:
    """Return the library of the engine "lattice"; ValueError says how to install it where it is missing."""
    try:
        from pydensecrf import densecrf
    except ImportError as error:
        raise ValueError(
            "the dense CRF needs the package pydensecrf2: pip install '.[crf]' in a checkout; or leave the CRF out (a "
            "program may choose the engine 'exact' for small pictures)"
        ) from error
    return densecrf


def _by_lattice(unary: np.ndarray, rgb: np.ndarray, settings: DenseCRFSettings) -> np.ndarray:
    num_classes, height, width = unary.shape
    field = require_lattice().DenseCRF2D(width, height, num_classes)
    field.setUnaryEnergy(np.ascontiguousarray(unary.reshape(num_classes, -1)))
    # The library's own defaults: diagonal kernels, symmetric normalisation.
    if settings.smoothness_weight:
        field.addPairwiseGaussian(sxy=settings.smoothness_pixels, compat=settings.smoothness_weight)
    if settings.appearance_weight:
        field.addPairwiseBilateral(
            sxy=settings.appearance_pixels,
            srgb=settings.appearance_colour,
            rgbim=np.ascontiguousarray(rgb),
            compat=settings.appearance_weight,
        )
    return np.array(field.inference(settings.iterations), np.float32).reshape(unary.shape)


def _exactly(unary: np.ndarray, rgb: np.ndarray, settings: DenseCRFSettings) -> np.ndarray:
    num_classes, height, width = unary.shape
    if height * width > LARGEST_EXACT:
        raise ValueError(
            f"the exact engine compares all pairs of pixels, which is too much for {width}x{height}; give a picture of "
            f"up to {LARGEST_EXACT} pixels, or choose the engine 'lattice'"
        )
    rows, columns = np.divmod(np.arange(height * width), width)
    place = np.stack([columns, rows], axis=1).astype(np.float32)
    colour = rgb.reshape(-1, 3).astype(np.float32) / settings.appearance_colour
    terms = [
        (settings.smoothness_weight, place / settings.smoothness_pixels),
        (settings.appearance_weight, np.concatenate([place / settings.appearance_pixels, colour], axis=1)),
    ]
    terms = [(weight, features) for weight, features in terms if weight]
    ones = np.ones((height * width, 1), np.float32)
    norms = [1 / np.sqrt(_filtered(features, ones) + _EPSILON) for _, features in terms]
    energy = unary.reshape(num_classes, -1).T
    shares = _softmax(-energy)
    for _ in range(settings.iterations):
        potential = -energy
        for (weight, features), norm in zip(terms, norms, strict=True):
            # Potts: each pixel gains by what the pixels like it hold of the same class.
            potential = potential + weight * norm * _filtered(features, norm * shares)
        shares = _softmax(potential)
    return np.ascontiguousarray(shares.T, np.float32).reshape(unary.shape)


def _filtered(features: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Sums of the values (N, C), weighted by Gaussians of the distances between features (N, D), each its own too."""
    return np.concatenate([kernel @ values for kernel in _kernels(features)])


def _kernels(features: np.ndarray) -> Iterator[np.ndarray]:
    squares = np.square(features).sum(axis=1)
    for first in range(0, len(features), _ROWS_AT_ONCE):
        part = slice(first, first + _ROWS_AT_ONCE)
        distances = squares[part, None] + squares - 2 * features[part] @ features.T
        yield np.exp(-0.5 * np.maximum(distances, 0))


def _softmax(x: np.ndarray) -> np.ndarray:
    shares = np.exp(x - x.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)
