"""The geometry of one view of a picture: an affine matrix, then a spline; for pixels, masks and points alike.

Views are sampled from a table: the part of the picture that they show, enlarged twice by bicubic interpolation, which
serves all frames of a sequence; it is then sampled bilinearly. A test holds the result to direct bicubic sampling.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from .affine import (
    FROM_CENTRES,
    TO_CENTRES,
    average_blocks,
    inverse_matrix,
    shown_box,
    shrink_factors,
    transform_points,
    translation_matrix,
)
from .buffers import Buffers
from .spline_warp import GridMap, SplineWarp

TABLE_SCALE = 2


@dataclass(frozen=True, kw_only=True)
class Warp:
    """How a picture comes to lie in a square: through `matrix` (3, 3), and bent there by `spline`.

    Coordinates are continuous pixels (see affine.py).
    """

    matrix: np.ndarray
    spline: SplineWarp | None = None

    def result_points(self, points: np.ndarray, size: int) -> np.ndarray:
        """Return where points (P, 2) of the picture lie in the square of size x size pixels."""
        moved = transform_points(self.matrix, points)
        return moved if self.spline is None else self.spline.result_points(moved, size)

    def source_points(self, points: np.ndarray, size: int) -> np.ndarray:
        """Return where points (P, 2) of the square come from in the picture."""
        bent = points if self.spline is None else self.spline.source_points(points, size)
        return transform_points(inverse_matrix(self.matrix), bent)


@dataclass(frozen=True, kw_only=True)
class View:
    """A picture under a warp: rgb uint8 (S, S, 3) and one uint8 (S, S) for each mask that was given, soft at edges.

    mean: float64 (3,), the mean colour.
    """

    rgb: np.ndarray
    masks: tuple[np.ndarray, ...]
    mean: np.ndarray


def warp_views(
    rgb: np.ndarray,
    masks: Sequence[np.ndarray],
    warps: Sequence[Warp],
    size: int,
    *,
    border: tuple[int, int, int] | None,
    recolour: Callable[[np.ndarray], np.ndarray] | None = None,
    table_scale: int = TABLE_SCALE,
    buffers: Buffers | None = None,
) -> Iterator[View]:
    """Yield the picture and its masks under each warp, one after another.

    rgb: uint8 (H, W, 3). masks: uint8 (H, W), 0 outside and 255 inside. border: colour of what lies outside the
    picture, None to mirror it; masks are 0 there, or mirrored too. Where the warps shrink by 2 or more, blocks of whole
    pixels are averaged first. recolour: applied once to the part of the picture that is seen, before it is sampled.
    table_scale: how much the table is enlarged; 1 samples the picture itself by OpenCV's bicubic interpolation.
    buffers: memory to be used again; a view then lasts until the next one is asked for.
    """
    grids = [None if warp.spline is None else warp.spline.sampling_map(size) for warp in warps]
    inverses = [inverse_matrix(warp.matrix) for warp in warps]
    sources = [
        inverse if grid is None else grid.transformed(inverse) for inverse, grid in zip(inverses, grids, strict=True)
    ]
    factors = np.min([shrink_factors(warp.matrix) for warp in warps], axis=0)
    box = shown_box(_outline(sources, size), rgb.shape[:2], factors)
    if box is None:
        empty = np.full((size, size, 3), (0, 0, 0) if border is None else border, np.uint8)
        for _ in warps:
            empties = [empty[..., 0] * 0] * (len(masks) - 1)
            yield _view([cv2.merge([empty, empty[..., 0] * 0]) if masks else empty, *empties], buffers)
        return
    left, top, right, bottom = box
    to_table = np.diag([table_scale / factors[0], table_scale / factors[1], 1.0]) @ translation_matrix(-left, -top)
    part = np.s_[top:bottom, left:right]
    rgb = rgb[part] if recolour is None else recolour(rgb[part])
    groups = [(cv2.merge([rgb, masks[0][part]]) if masks else rgb, border and (*border, 0))]
    groups += [(mask[part], border and (0, 0, 0, 0)) for mask in masks[1:]]
    tables = []
    for number, (image, border_values) in enumerate(groups):
        table = average_blocks(np.ascontiguousarray(image), tuple(factors))
        if table_scale > 1:
            height, width, *channels = table.shape
            width, height = table_scale * width, table_scale * height
            room = _take(buffers, f"table {number}", (height, width, *channels))
            table = cv2.resize(table, (width, height), room, interpolation=cv2.INTER_CUBIC)
        tables.append((table, border_values))
    method = cv2.INTER_LINEAR if table_scale > 1 else cv2.INTER_CUBIC
    for source in sources:
        images = []
        for number, (table, values) in enumerate(tables):
            room = _take(buffers, f"sampled {number}", (size, size, *table.shape[2:]))
            images.append(_sample(table, source, to_table, room, method, values))
        yield _view(images, buffers)


def _outline(sources: Sequence[np.ndarray | GridMap], size: int) -> np.ndarray:
    """Points (P, 2) of the picture around all that its views show."""
    corners = np.array([[0.0, 0], [size, 0], [0, size], [size, size]])
    return np.concatenate(
        [source.outline() if isinstance(source, GridMap) else transform_points(source, corners) for source in sources]
    )


def _sample(
    table: np.ndarray,
    source: np.ndarray | GridMap,
    to_table: np.ndarray,
    out: np.ndarray,
    method: int,
    border: tuple[int, int, int, int] | None,
) -> np.ndarray:
    outside = {"borderMode": cv2.BORDER_CONSTANT, "borderValue": border}
    if border is None:
        outside = {"borderMode": cv2.BORDER_REFLECT_101}
    if isinstance(source, GridMap):
        maps = source.transformed(TO_CENTRES @ to_table).maps()
        return cv2.remap(table, *maps, method, out, **outside)
    inverse = TO_CENTRES @ to_table @ source @ FROM_CENTRES
    return cv2.warpAffine(table, inverse[:2], out.shape[:2], out, flags=method | cv2.WARP_INVERSE_MAP, **outside)


def _view(images: Sequence[np.ndarray], buffers: Buffers | None) -> View:
    first, *others = images
    mean = np.array(cv2.mean(first)[:3])
    if first.shape[2] == 3:
        return View(rgb=first, masks=(), mean=mean)
    rgb = cv2.cvtColor(first, cv2.COLOR_RGBA2RGB, _take(buffers, "rgb", (*first.shape[:2], 3)))
    mask = cv2.extractChannel(first, 3, _take(buffers, "mask", first.shape[:2]))
    return View(rgb=rgb, masks=(mask, *others), mean=mean)


def _take(buffers: Buffers | None, name: str, shape: tuple[int, ...]) -> np.ndarray:
    return np.empty(shape, np.uint8) if buffers is None else buffers.take(name, shape)
