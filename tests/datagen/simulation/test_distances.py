import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage
from vosforge.datagen.simulation.distances import distance_inside, squared_distance

MASKS = arrays(bool, st.tuples(st.integers(1, 24), st.integers(1, 24)))


@given(mask=MASKS)
def test_squared_distance_is_exact(mask):
    mask = np.pad(mask, 1)
    squared = squared_distance(mask)
    assert squared.dtype == np.int32
    assert np.array_equal(squared, np.rint(ndimage.distance_transform_edt(mask) ** 2))
    assert np.array_equal(distance_inside(mask).astype(float) ** 2 > 24.9, squared >= 25)


def test_a_long_way_is_exact_too_wherever_the_array_lies():
    mask = np.ones((3, 1000), np.uint8)
    mask[:, 0] = 0
    wanted = np.broadcast_to(np.arange(1000) ** 2, mask.shape)
    for offset in range(8):
        memory = np.zeros(mask.size + 8, np.uint8)
        moved = memory[offset : offset + mask.size].reshape(mask.shape)
        moved[:] = mask
        assert np.array_equal(squared_distance(moved), wanted)
    assert np.array_equal(distance_inside(mask)[0], np.arange(1000, dtype=np.float32))


def test_a_mask_of_the_whole_picture_is_far_from_everything():
    assert (squared_distance(np.ones((4, 5), bool)) == 2**30).all()


def test_a_single_column_is_a_picture_too():
    assert squared_distance(np.array([[1], [1], [0], [1]], np.uint8)).ravel().tolist() == [4, 1, 0, 1]
