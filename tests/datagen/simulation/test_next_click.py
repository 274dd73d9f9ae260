import numpy as np
from hypothesis import given, settings
from mask_worlds import box, disc, mask_pairs
from scipy.ndimage import distance_transform_edt
from vosforge.datagen.simulation.clicks.clicks import Click
from vosforge.datagen.simulation.clicks.next_click import next_click

QUICK = settings(max_examples=80, deadline=None)
EMPTY = np.zeros((40, 60), bool)


def slow_depth(region: np.ndarray) -> np.ndarray:
    return distance_transform_edt(np.pad(region, 1))[1:-1, 1:-1]


@given(pair=mask_pairs())
@QUICK
def test_click_is_the_deepest_error(pair):
    true_mask, predicted = pair
    missing, wrong = slow_depth(true_mask & ~predicted), slow_depth(predicted & ~true_mask)
    click = next_click(true_mask, predicted)
    if click is None:
        assert (true_mask == predicted).all()
        return
    depth = missing if click.positive else wrong
    assert click.positive == (missing.max() > wrong.max() + 1e-4)
    row, column = click.pixel
    assert depth[row, column] >= depth.max() - 1e-4
    assert not (depth.ravel()[: row * depth.shape[1] + column] > depth.max() - 1e-4).any()


@given(pair=mask_pairs(max_side=16))
@QUICK
def test_each_error_pixel_is_clicked_once_and_then_there_is_none(pair):
    true_mask, predicted = pair
    clicks = []
    while (click := next_click(true_mask, predicted, clicks)) is not None:
        assert click.positive == true_mask[click.pixel]
        clicks.append(click)
    assert len({c.pixel for c in clicks}) == len(clicks) == np.count_nonzero(true_mask ^ predicted)


@given(pair=mask_pairs())
@QUICK
def test_transposed_masks_have_a_click_as_deep(pair):
    true_mask, predicted = pair
    click, other = next_click(true_mask, predicted), next_click(true_mask.T.copy(), predicted.T.copy())
    assert (click is None) == (other is None)
    if click is not None:
        depth = slow_depth(true_mask & ~predicted if click.positive else predicted & ~true_mask)
        assert click.positive == other.positive
        assert abs(depth[click.pixel] - depth[other.pixel[::-1]]) < 1e-4


def test_first_click_on_an_object_is_its_middle():
    assert next_click(disc(41, 12, 20, 17), np.zeros((41, 41), bool)) == Click(x=17.5, y=20.5, positive=True)


def test_border_of_the_picture_is_a_boundary():
    assert next_click(box(40, 60, 0, 0, 9, 60), EMPTY).pixel[0] == 4


def test_larger_error_wins_and_a_tie_is_negative():
    true_mask = box(40, 60, 5, 5, 16, 16)
    assert not next_click(true_mask, box(40, 60, 5, 25, 18, 38)).positive
    assert next_click(true_mask, box(40, 60, 5, 25, 14, 34)).positive
    assert not next_click(true_mask, box(40, 60, 5, 25, 16, 36)).positive


def test_ignored_pixels_are_no_errors():
    true_mask, ignored = box(40, 60, 5, 5, 30, 30), box(40, 60, 0, 0, 40, 25)
    assert next_click(true_mask, EMPTY, ignore_mask=ignored).pixel[1] >= 25
    assert next_click(true_mask, EMPTY, ignore_mask=~EMPTY) is None


def test_click_on_an_object_twice_as_large_is_twice_as_far():
    small = disc(60, 12, 20, 31)
    large = np.kron(small, np.ones((2, 2), bool))
    clicks = [next_click(mask, np.zeros_like(mask)) for mask in (small, large)]
    assert abs(clicks[1].x - 2 * clicks[0].x) <= 1 and abs(clicks[1].y - 2 * clicks[0].y) <= 1
