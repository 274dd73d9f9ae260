"""Masks as whole numbers: packing, boundaries, disks."""

import numpy as np
import pytest
from vosforge.train.evaluation.bit_masks import BitGrid, disk_steps
from vosforge.train.evaluation.metrics import boundary_map


def unpacked(grid: BitGrid, number: int) -> np.ndarray:
    """The pixels of a number, bool (H, W); what lies beside them is left out."""
    bits = grid.stride * grid.height
    content = (number & ((1 << bits) - 1)).to_bytes(bits // 8, "big")
    rows = np.unpackbits(np.frombuffer(content, np.uint8)).reshape(grid.height, grid.stride)
    return rows[:, : grid.width].astype(bool)


def disk_around(shape: tuple[int, int], row: int, column: int, radius: int) -> np.ndarray:
    rows, columns = np.indices(shape)
    return (rows - row) ** 2 + (columns - column) ** 2 <= radius**2


@pytest.fixture
def mask():
    return np.random.default_rng(0).random((23, 37)) > 0.6


def test_packing_keeps_every_pixel(mask):
    grid = BitGrid(*mask.shape, 8)
    assert grid.pack(mask).bit_count() == mask.sum()
    np.testing.assert_array_equal(unpacked(grid, grid.pack(mask)), mask)
    assert grid.pack(mask) == grid.pack(mask.astype(np.uint8) * 255)


def test_boundary_is_that_of_the_picture(mask):
    grid = BitGrid(*mask.shape, 3)
    boundary = grid.boundary(grid.pack(mask))
    np.testing.assert_array_equal(unpacked(grid, boundary), boundary_map(mask))
    assert boundary.bit_count() == boundary_map(mask).sum()


@pytest.mark.parametrize("radius", [1, 2, 3, 4, 5, 8, 11, 18])
@pytest.mark.parametrize("place", [(15, 22), (0, 0), (30, 44), (0, 44), (29, 1)])
def test_a_pixel_grows_to_a_disk_and_into_no_other_row(radius, place):
    mask = np.zeros((31, 45), bool)
    mask[place] = True
    grid = BitGrid(*mask.shape, radius)
    grown = unpacked(grid, grid.dilate(grid.pack(mask), radius))
    np.testing.assert_array_equal(grown, disk_around(mask.shape, *place, radius))


def test_radius_of_480p_takes_the_short_way_and_others_may_not():
    assert len(disk_steps(8)) == 8
    assert disk_steps(7) is None
