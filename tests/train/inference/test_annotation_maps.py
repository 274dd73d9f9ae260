"""What A-Net is given: masks so far and maps of scribbles, object by object."""

import numpy as np
import pytest
import torch
from vosforge.datagen.simulation.clicks.clicks import Click
from vosforge.datagen.simulation.robot.strokes import Stroke
from vosforge.train.inference.annotation import annotation_maps, as_inputs
from vosforge.train.inference.geometry import FrameGeometry

SIZE = (40, 60)


@pytest.fixture
def geometry():
    return FrameGeometry.of(*SIZE, None)


@pytest.fixture
def base():
    ids = np.zeros(SIZE, np.uint8)
    ids[10:30, 10:40] = 5
    return ids


def line(object_id, y):
    return Stroke(object_id=object_id, path=np.array([[0.2, y], [0.8, y]]))


def test_an_object_that_is_drawn_for_the_first_time_has_a_neutral_mask(geometry):
    planes = annotation_maps(np.zeros(SIZE, np.uint8), [line(5, 0.5)], {}, (5, 7), geometry)
    mask, positive, negative = as_inputs(planes, geometry, torch.device("cpu"))
    rows, columns = slice(4, 44), slice(2, 62)  # padded to 48 x 64
    assert mask.shape == (2, 1, 48, 64)
    assert (mask[0, 0, rows, columns] == 0.5).all() and positive[0].max() > 0.9
    assert not negative.any()
    # Of object 7 nobody said anything: it is not in the frame.
    assert not planes[:, 1].any()


def test_a_later_round_has_the_hard_mask_and_denials_within_it(geometry, base):
    planes = annotation_maps(base, [line(0, 0.5), line(7, 0.9)], {}, (5, 7), geometry)
    assert np.array_equal(planes[0, 0], (base == 5) * 255)
    assert planes[2, 0][20, 30] > 200 and not planes[2, 0][36].any() and not planes[1, 0].any()
    assert (planes[0, 1] == 128).all() and planes[1, 1][35, 30] > 200 and not planes[2, 1].any()


def test_clicks_are_points_over_the_lines(geometry, base):
    clicks = {5: (Click(x=20.5, y=20.5, positive=False), Click(x=50.5, y=5.5, positive=True))}
    planes = annotation_maps(base, [line(5, 0.5)], clicks, (5,), geometry)
    # The same mean in both: where the click denies, the line no longer claims.
    assert planes[2, 0][20, 20] > 150 and planes[1, 0][20, 20] < planes[1, 0][20, 30]
    assert planes[1, 0][5, 50] > 150


def test_a_negative_click_says_nothing_of_other_objects(geometry, base):
    base = np.where(base == 5, 7, base).astype(np.uint8)
    planes = annotation_maps(base, [], {5: (Click(x=20.5, y=20.5, positive=False),)}, (5, 7), geometry)
    assert not planes[2].any() and np.array_equal(planes[0, 1], (base == 7) * 255)


def test_lines_keep_their_width_at_another_size(base):
    small = FrameGeometry.of(*SIZE, 20)
    planes = annotation_maps(base, [line(5, 0.5)], {}, (5,), small)
    assert planes.shape == (3, 1, 20, 30)
    assert len(np.flatnonzero(planes[1, 0][:, 15])) == 9  # 5 pixels and the blur of 2 on both sides
    assert planes[0, 0][10, 12] == 255 and planes[0, 0][2, 2] == 0
