"""Regions of random shape."""

import cv2
import numpy as np
import pytest
from vosforge.datagen.compositing.shapes import draw_region, with_region
from vosforge.datagen.compositing.stills import Still


def draw_many(number, height=120, width=160, size=(0.2, 0.9)):
    return [draw_region(np.random.default_rng(seed), height, width, size) for seed in range(number)]


def test_regions_are_one_piece_of_the_length_asked_for():
    lengths = []
    for region in draw_many(200, size=(0.3, 0.6)):
        assert region.shape == (120, 160) and region.dtype == bool and region.any()
        rows, columns = np.nonzero(region)
        at_border = rows.min() == 0 or columns.min() == 0 or rows.max() == 119 or columns.max() == 159
        if at_border:
            continue
        # The length is that before the turn: the largest width over all turns is it, or up to a half more (a diagonal).
        hull = cv2.convexHull(np.stack([columns, rows], 1).astype(np.int32))
        (_, _), sides, _ = cv2.minAreaRect(hull)
        lengths.append(max(sides) / 120)
        assert cv2.connectedComponents(region.view(np.uint8), connectivity=8)[0] <= 3
    assert len(lengths) > 40 and min(lengths) > 0.25 and max(lengths) < 0.9 and np.ptp(lengths) > 0.2


def test_same_rng_gives_the_same_region_and_others_differ():
    first, again = draw_many(5), draw_many(5)
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert len({region.tobytes() for region in first}) == 5


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 50), (16, 2000)])
def test_any_picture_has_a_region(height, width):
    assert all(region.any() for region in draw_many(20, height, width))


def test_with_region_keeps_the_picture_and_has_one_object():
    still = Still(name="s", rgb=np.zeros((40, 60, 3), np.uint8), ids=np.full((40, 60), 7, np.uint8))
    changed = with_region(np.random.default_rng(0), still, (0.5, 0.5))
    assert changed.name == "s" and changed.rgb is still.rgb and changed.object_ids().tolist() == [1]
    assert (still.ids == 7).all()
