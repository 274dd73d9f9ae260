"""Scribbles on a region of errors: along its boundary, along its middle, and Bezier curves through it.

After Cheng et al., "Modular Interactive Video Object Segmentation" (CVPR 2021), 3.1, and the published settings of its
Scribble-to-Mask network. All work in the region's box, so a small region in a large picture costs little.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from ..morphology import SQUARE_3, edit_rectangle, ellipse, erode_disc, error_kernel
from ..regions import (
    as_bytes,
    draw_pixels,
    draw_size,
    inner_box,
    region_box,
    require_masks,
    require_range,
    require_share,
)
from ..robot.skeleton import thin

KINDS = ("boundary", "thinning", "bezier")
_MARGIN = 5
"""Pixels around a box: the largest radius of what is cut from and grown around it."""
_MEASURE_POINTS = 64
"""Points at which a candidate curve is measured before only the longest are drawn."""
_KERNEL_SHAPES = 4


@dataclass(frozen=True, kw_only=True)
class RegionScribbleSettings:
    """Settings of the region procedure; the published values. Sizes and thickness in pixels, limits included.

    opening_size: the ellipse that opens the region first. min_area: a component below a number drawn anew for each,
    in pixels, is left out. kind_probabilities: of `KINDS`. second_kind_probability: of a second kind on one component.
    boundary_size: the ellipse that moves the boundary inwards. num_gaps and gap_size: rectangles in which a boundary
    or a middle line is eroded. num_curves: curves of one component, the longest of num_candidates.
    stray_size: the ellipse by which the region grows before it cuts the curves. keep_inside: cut every scribble to the
    region itself; False lets lines leave it by up to three pixels, as published.
    """

    opening_size: tuple[int, int] = (5, 19)
    min_area: tuple[int, int] = (10, 99)
    kind_probabilities: tuple[float, float, float] = (0.33, 0.33, 0.34)
    second_kind_probability: float = 0.3
    boundary_size: tuple[int, int] = (3, 49)
    num_gaps: int = 4
    gap_size: tuple[int, int] = (5, 9)
    num_curves: tuple[int, int] = (2, 3)
    num_candidates: int = 10
    curve_thickness: int = 3
    stray_size: tuple[int, int] = (3, 6)
    keep_inside: bool = True

    def __post_init__(self) -> None:
        for name in ("opening_size", "boundary_size", "stray_size", "num_curves"):
            require_range(name, getattr(self, name), 1)
        require_range("gap_size", self.gap_size, 2, 2 * _MARGIN)
        require_range("min_area", self.min_area, 0)
        require_share(second_kind_probability=self.second_kind_probability)
        if abs(sum(self.kind_probabilities) - 1) > 1e-6 or min(self.kind_probabilities) < 0:
            raise ValueError(f"kind_probabilities are {self.kind_probabilities}; they must be positive and sum to 1")
        if min(self.num_candidates, self.curve_thickness) < 1 or self.num_gaps < 0:
            raise ValueError("num_candidates and curve_thickness must be 1 or more, num_gaps 0 or more")


PUBLISHED = RegionScribbleSettings()


def region_scribbles(
    rng: np.random.Generator, region: np.ndarray, settings: RegionScribbleSettings = PUBLISHED
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Scribble on the connected components of the opened region.

    region: bool (H, W). Returns the scribbles, bool (H, W), and the kinds drawn, one for each scribble that has
    pixels. None are stated by an empty map and (): the region is empty, too thin for the opening, or too small.
    """
    require_masks(region=region)
    scribbles, kinds = np.zeros(region.shape, bool), []
    box = region_box(region, _MARGIN)
    if box is None:
        return scribbles, ()
    size = draw_size(rng, settings.opening_size)
    opened = cv2.morphologyEx(as_bytes(region[box]), cv2.MORPH_OPEN, ellipse(size, size))
    num_labels, labels, statistics, _ = cv2.connectedComponentsWithStats(opened, connectivity=8)
    for label in range(1, num_labels):
        left, top, width, height, area = statistics[label].tolist()
        if area < draw_size(rng, settings.min_area):
            continue
        around = (
            slice(max(top - _MARGIN, 0), min(top + height + _MARGIN, labels.shape[0])),
            slice(max(left - _MARGIN, 0), min(left + width + _MARGIN, labels.shape[1])),
        )
        component = labels[around] == label
        place = inner_box(box, around)
        num_kinds = 1 + int(rng.random() < settings.second_kind_probability)
        for kind in rng.choice(len(KINDS), size=num_kinds, p=settings.kind_probabilities):
            drawn = _DRAW[KINDS[kind]](rng, component, region[place], place, region.shape, settings)
            if drawn.any():
                kinds.append(KINDS[kind])
                scribbles[place] |= drawn
    return scribbles, tuple(kinds)


def boundary_scribble(
    rng: np.random.Generator, region: np.ndarray, settings: RegionScribbleSettings = PUBLISHED
) -> np.ndarray:
    """Scribble along the boundary of the whole region, moved inwards and with gaps; bool (H, W).

    region: bool (H, W). The result is empty where moving inwards or the gaps leave nothing.
    """
    return _draw_on_region(rng, region, settings, _boundary)


def thinning_scribble(
    rng: np.random.Generator, region: np.ndarray, settings: RegionScribbleSettings = PUBLISHED
) -> np.ndarray:
    """Scribble along the region's middle line, thinned after Zhang and Suen and with gaps; bool (H, W).

    region: bool (H, W). The result is empty where the region is empty or the gaps leave nothing.
    """
    return _draw_on_region(rng, region, settings, _thinning)


def bezier_scribble(
    rng: np.random.Generator, region: np.ndarray, settings: RegionScribbleSettings = PUBLISHED
) -> np.ndarray:
    """Scribble the longest of ten quadratic Bezier curves through pixels of the region; bool (H, W).

    region: bool (H, W). The result is empty only for an empty region.
    """
    return _draw_on_region(rng, region, settings, _bezier)


def free_curves(
    rng: np.random.Generator, region: np.ndarray, num: int, settings: RegionScribbleSettings = PUBLISHED
) -> np.ndarray:
    """Scribble `num` Bezier curves on the region as they come, not the longest of several; bool (H, W)."""

    def draw(rng, component, inside, place, shape, settings):
        return _curves(rng, component, inside, settings, num, num_candidates=num)

    return _draw_on_region(rng, region, settings, draw)


def _draw_on_region(rng, region, settings, draw) -> np.ndarray:
    require_masks(region=region)
    scribble, place = np.zeros(region.shape, bool), region_box(region, _MARGIN)
    if place is not None:
        scribble[place] = draw(rng, region[place], region[place], place, region.shape, settings)
    return scribble


# Each draws on `component`, bool (h, w), which lies at `place` in a picture of `shape`, and keeps inside `region`.


def _boundary(rng, component, region, place, shape, settings) -> np.ndarray:
    eroded = erode_disc(as_bytes(component), draw_size(rng, settings.boundary_size))
    line = cv2.morphologyEx(eroded, cv2.MORPH_GRADIENT, SQUARE_3)
    return _cut(_with_gaps(rng, line, place, shape, settings), region, settings)


def _thinning(rng, component, region, place, shape, settings) -> np.ndarray:
    line = cv2.dilate(as_bytes(thin(component, "zhang-suen")), SQUARE_3)
    return _cut(_with_gaps(rng, line, place, shape, settings), region, settings)


def _bezier(rng, component, region, place, shape, settings) -> np.ndarray:
    num = draw_size(rng, settings.num_curves)
    return _curves(rng, component, region, settings, num, max(num, settings.num_candidates))


_DRAW = {"boundary": _boundary, "thinning": _thinning, "bezier": _bezier}


def _cut(line: np.ndarray, region: np.ndarray, settings: RegionScribbleSettings) -> np.ndarray:
    return line.view(bool) & region if settings.keep_inside else line.view(bool)


def _with_gaps(rng, line: np.ndarray, place, shape, settings) -> np.ndarray:
    """Erode the line, uint8 (h, w) at `place`, in random rectangles of the whole picture."""
    for corner in rng.random((settings.num_gaps, 4)):
        kernel = error_kernel(int(rng.integers(_KERNEL_SHAPES)), draw_size(rng, settings.gap_size))
        left, top, right, bottom = edit_rectangle(*shape, corner)
        rows = slice(max(top - place[0].start, 0), max(bottom - place[0].start, 0))
        columns = slice(max(left - place[1].start, 0), max(right - place[1].start, 0))
        if line[rows, columns].size:
            line[rows, columns] = cv2.erode(line[rows, columns], kernel)
    return line


def _curves(rng, component, region, settings, num: int, num_candidates: int) -> np.ndarray:
    """Draw the `num` longest of the candidates."""
    size = draw_size(rng, settings.stray_size)
    allowed = cv2.dilate(as_bytes(component), ellipse(size, size))
    pixels = draw_pixels(rng, component, num_candidates * 3, replace=True)
    candidates = pixels.reshape(num_candidates, 3, 2).astype(np.float64)
    if num < num_candidates:
        candidates = candidates[np.argsort(-_length_inside(candidates, allowed), kind="stable")[:num]]
    drawn = np.zeros(component.shape, np.uint8)
    for control in candidates:
        path = np.rint(_bernstein(control, _points_to_draw(control))).astype(np.int32)
        cv2.polylines(drawn, [path], False, 1, settings.curve_thickness)
    return _cut(drawn & allowed, region, settings)


def _length_inside(candidates: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """Return the length in pixels that each curve has inside; candidates: float64 (C, 3, 2), allowed: uint8 (h, w)."""
    paths = _bernstein(candidates, _MEASURE_POINTS)
    columns, rows = np.rint(paths[..., 0]).astype(np.intp), np.rint(paths[..., 1]).astype(np.intp)
    inside = allowed[rows, columns]
    steps = np.linalg.norm(np.diff(paths, axis=1), axis=-1)
    return (steps * (inside[:, 1:] & inside[:, :-1])).sum(axis=1)


def _bernstein(control: np.ndarray, num_points: int) -> np.ndarray:
    """Return points of quadratic Bezier curves, float64 (..., num_points, 2); control: float64 (..., 3, 2)."""
    t = np.linspace(0, 1, num_points)
    return np.stack([(1 - t) ** 2, 2 * t * (1 - t), t**2], axis=1) @ control


def _points_to_draw(control: np.ndarray) -> int:
    """Return how many points draw a curve as well as the published 1024 do: one for each two pixels of its hull."""
    return 2 + int(np.abs(np.diff(control, axis=0)).sum() / 2)
