"""Masks as whole numbers, one bit a pixel: a shift moves the picture, so a dilation by a disk is a few dozen shifts.

H, W pixels; r radius. Arithmetic on a number of H * W bits takes microseconds where the same on an array of bytes takes
a tenth of a millisecond: a dilation by the disk of radius 8 at 854x480 took 0.18 ms, with OpenCV 1.3 ms.
"""

from __future__ import annotations

import functools
import itertools
import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class BitGrid:
    """How the pixels of masks (H, W) lie in a number: row by row from the highest bit on, zeros behind each row.

    reach: the farthest a shift may carry a pixel to the side; the zeros keep it from entering another row.
    """

    height: int
    width: int
    reach: int

    @property
    def stride(self) -> int:
        """Bits from one row to the next, whole bytes."""
        return -(-(self.width + max(self.reach, 1)) // 8) * 8

    def pack(self, mask: np.ndarray) -> int:
        """The number of a bool or uint8 mask (H, W); all values but 0 are True."""
        rows = np.zeros((self.height, self.stride // 8), np.uint8)
        packed = np.packbits(mask, axis=1)
        rows[:, : packed.shape[1]] = packed
        return int.from_bytes(rows.tobytes(), "big")

    def boundary(self, mask: int) -> int:
        """Pixels that differ from their right, lower or lower-right neighbour (see `metrics.boundary_map`)."""
        below = mask << self.stride
        beside = (mask ^ (mask << 1)) | self._above_last_row(mask ^ (below << 1))
        return (beside & _pixels(self, 1)) | (self._above_last_row(mask ^ below) & _pixels(self, 0))

    def dilate(self, mask: int, radius: int) -> int:
        """Pixels at most `radius` away from one of the mask; what is carried over the edges lies outside the pixels.

        radius: 1 to `reach`.
        """
        steps = disk_steps(radius)
        if steps is None:
            return self._dilate_by_rows(mask, radius)
        # All moves go up and none is lost at the lower edge; at the end all come down again.
        up = self.stride
        grown = mask | (mask << (up - 1)) | (mask << up) | (mask << (up + 1)) | (mask << (2 * up))
        for across, rows in steps:
            grown |= grown << (rows * up + across)
        return grown >> (radius * up)

    def _dilate_by_rows(self, mask: int, radius: int) -> int:
        """The disk as a run of pixels for each of its 2 r + 1 rows."""
        widths = [math.isqrt(radius**2 - row**2) for row in range(radius + 1)]
        runs, run, width = {}, mask, 0
        for wanted in sorted(set(widths)):
            while width < wanted:
                # A run twice as far to either side still meets itself.
                step = min(wanted - width, 2 * width + 1)
                run |= (run << step) | (run >> step)
                width += step
            runs[wanted] = run
        dilated = runs[radius]
        for row in range(1, radius + 1):
            run, shift = runs[widths[row]], row * self.stride
            dilated |= (run << shift) | (run >> shift)
        return dilated

    def _above_last_row(self, mask: int) -> int:
        return mask >> self.stride << self.stride


@functools.lru_cache(maxsize=16)
def _pixels(grid: BitGrid, but_columns: int) -> int:
    """All pixels of the grid without its last `but_columns` columns."""
    width = grid.width - but_columns
    row = ((1 << width) - 1) << (grid.stride - width)
    return int.from_bytes(row.to_bytes(grid.stride // 8, "big") * grid.height, "big")


@functools.lru_cache(maxsize=16)
def disk_steps(radius: int) -> tuple[tuple[int, int], ...] | None:
    """Steps (pixels to the left, rows up) that grow a pixel with its four neighbours to the disk; None where none do.

    The disk is a polygon whose corners are pixels, alike on all sides, and so the sum of its own edges: to grow by
    an edge is one step. The sum may lack pixels inside, so it is compared with the disk; it is whole for radius 8,
    that of 480p. Half as many shifts as by rows.
    """
    steps = _edges(radius)
    if (1, 1) not in steps or (-1, 1) not in steps:
        return None
    # Two diagonal steps leave out their centre; the pixel with its neighbours stands for them.
    steps.remove((1, 1))
    steps.remove((-1, 1))
    grown = {(0, 0), (-1, 1), (0, 1), (1, 1), (0, 2)}
    for across, rows in steps:
        grown |= {(x + across, y + rows) for x, y in grown}
    span = range(-radius, radius + 1)
    disk = {(x, y + radius) for x in span for y in span if x * x + y * y <= radius * radius}
    return tuple(steps) if grown == disk else None


def _edges(radius: int) -> list[tuple[int, int]]:
    """The edges of the disk's convex outline from its lowest pixel up, both sides, as shortest steps between pixels."""
    corners: list[tuple[int, int]] = []
    for y in range(-radius, 1):
        corner = (math.isqrt(radius**2 - y**2), y)
        while len(corners) > 1 and _turn(corners[-2], corners[-1], corner) <= 0:
            corners.pop()
        corners.append(corner)
    edges = []
    for (x0, y0), (x1, y1) in itertools.pairwise(corners):
        times = math.gcd(x1 - x0, y1 - y0)
        across, rows = (x1 - x0) // times, (y1 - y0) // times
        edges += [(across, rows), (-across, rows)] * times
    return edges


def _turn(a: tuple[int, int], b: tuple[int, int], c: tuple[int, int]) -> int:
    """Above 0 where the way from a over b to c turns counter-clockwise."""
    return (b[0] - a[0]) * (c[1] - b[1]) - (b[1] - a[1]) * (c[0] - b[0])
