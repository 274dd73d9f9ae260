import numpy as np
import pytest
from vosforge.datagen.simulation.robot.strokes import Stroke
from vosforge.datagen.simulation.scribbles.annotated_input import (
    AnnotatedInputSettings,
    sample_annotated_input,
    scribble_maps,
)


@pytest.fixture
def square():
    mask = np.zeros((60, 80), bool)
    mask[20:40, 30:60] = True
    return mask


def line(object_id, y, x=(0.1, 0.9)):
    return Stroke(object_id=object_id, path=np.array([[x[0], y], [x[1], y]]))


def drawn(rng, mask, first, **settings):
    chosen = AnnotatedInputSettings(first_round_probability=float(first), **settings)
    return sample_annotated_input(rng, mask, settings=chosen)


def test_first_round_is_neutral_and_has_no_negative_map(square):
    maps = scribble_maps([line(1, 0.5), line(0, 0.1), line(2, 0.9)], 1, None, *square.shape)
    assert (maps.mask == 0.5).all() and not maps.negative.any()
    assert maps.positive[29, 40] > 0.5 and not maps.positive[:20].any()
    assert all(x.dtype == np.float32 and x.shape == square.shape for x in vars(maps).values())


def test_negative_strokes_count_within_the_previous_mask_only(square):
    maps = scribble_maps([line(0, 0.5), line(2, 0.6), line(2, 0.1)], 1, square, *square.shape)
    assert np.array_equal(maps.mask, square.astype(np.float32))
    assert not maps.positive.any()
    # The blur may carry a line two pixels over the edge of the mask.
    reach = np.pad(square, 2)
    near = np.any([reach[dy : dy + 60, dx : dx + 80] for dy in range(5) for dx in range(5)], axis=0)
    assert maps.negative[29, 45] > 0 and maps.negative[35, 45] > 0 and not maps.negative[~near].any()


def test_lines_are_five_pixels_wide_and_blurred(square):
    column = scribble_maps([line(1, 0.5)], 1, None, *square.shape).positive[:, 40]
    assert list(np.flatnonzero(column)) == list(range(25, 34))  # 5 pixels about row 29, and 2 of blur on both sides
    assert column[29] == pytest.approx(1) and (np.diff(column[25:30]) > 0).all()


def test_points_of_a_first_round_lie_on_the_object(square):
    for seed in range(20):
        maps = drawn(np.random.default_rng(seed), square, first=True, pixels_per_point=(100, 3000))
        peaks = maps.positive > 0.99  # the blur of a lone point of 5 pixels leaves its middle whole nowhere else
        assert maps.positive.any() and (maps.mask == 0.5).all()
        reach = np.zeros_like(square)
        reach[16:44, 26:64] = True
        assert not maps.positive[~reach].any() and not peaks[~square].any()


def test_smaller_numbers_of_pixels_a_point_give_more_points(square):
    def covered(pixels):
        return drawn(np.random.default_rng(0), square, first=True, pixels_per_point=(pixels, pixels)).positive.sum()

    assert covered(20) > 2 * covered(600) > 0


def test_first_rounds_may_be_strokes_of_the_robot(square):
    def first(seed, share):
        rng = np.random.default_rng(seed)
        return drawn(rng, square, first=True, pixels_per_point=(20, 20), first_stroke_probability=share)

    for seed in range(5):
        maps = first(seed, 1.0)
        line, points = np.count_nonzero(maps.positive), np.count_nonzero(first(seed, 0.0).positive)
        assert 0 < line < 0.7 * points and (maps.mask == 0.5).all() and not maps.negative.any()
        # The middle of a line lies on the object; its width and the blur reach four pixels over the edge.
        reach = np.zeros_like(square)
        reach[16:44, 26:64] = True
        assert not maps.positive[~reach].any()
    # Where the robot has no place for a line there are points.
    speck = np.zeros_like(square)
    speck[30:32, 40:42] = True
    assert drawn(np.random.default_rng(0), speck, first=True, first_stroke_probability=1.0).positive.any()


def test_strokes_in_a_share_of_the_first_rounds(square):
    rng = np.random.default_rng(1)
    settings = {"pixels_per_point": (20, 20), "first_stroke_probability": 0.5}
    areas = np.array([np.count_nonzero(drawn(rng, square, True, **settings).positive) for _ in range(60)])
    share = np.mean(areas < 0.7 * areas.max())
    assert 0.3 < share < 0.7
    with pytest.raises(ValueError, match="first_stroke_probability"):
        AnnotatedInputSettings(first_stroke_probability=1.5)


def test_later_rounds_deform_the_mask_and_the_robot_corrects_it(square):
    rng = np.random.default_rng(4)
    found = [drawn(rng, square, first=False) for _ in range(12)]
    assert all(set(np.unique(maps.mask)) == {0, 1} for maps in found)
    assert any((maps.mask != square).any() for maps in found)
    assert any(maps.positive.any() for maps in found) and any(maps.negative.any() for maps in found)


def test_nobody_draws_where_the_truth_is_unknown(square):
    ignored = ~square
    chosen = AnnotatedInputSettings(first_round_probability=0.0)
    for seed in range(8):
        maps = sample_annotated_input(np.random.default_rng(seed), square, ignored, chosen)
        assert not maps.negative.any()


def test_empty_object_has_neither_points_nor_strokes():
    empty = np.zeros((32, 32), bool)
    for first in (True, False):
        maps = drawn(np.random.default_rng(0), empty, first)
        assert not maps.positive.any() and not maps.negative.any()


def test_same_generator_state_gives_the_same_input(square):
    one, other = (drawn(np.random.default_rng(7), square, first=False) for _ in range(2))
    assert all(np.array_equal(x, y) for x, y in zip(vars(one).values(), vars(other).values(), strict=True))
