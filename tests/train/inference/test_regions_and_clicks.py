"""Corrections within a region of a frame, and clicks as disks."""

import numpy as np
import pytest
import torch
from session_world import ToySession, line_on
from toy_networks import BlockWorld, ToyS2M
from vosforge.datagen.simulation.clicks.clicks import Click
from vosforge.datagen.simulation.robot.strokes import Stroke
from vosforge.train.inference.geometry import FrameGeometry, Region
from vosforge.train.inference.interaction import InteractionSettings, correct_ids, draw_hints
from vosforge.train.inference.session.protocol import Clicks, Scribbles

HEIGHT, WIDTH = 48, 96
WHOLE = FrameGeometry.of(HEIGHT, WIDTH, None)


@pytest.fixture
def toy():
    return ToySession(BlockWorld(6, (4, 9)))


def frame_of_one_colour() -> np.ndarray:
    return np.full((HEIGHT, WIDTH, 3), (255, 0, 0), np.uint8)


def stroke(object_id: int, start: tuple[float, float], end: tuple[float, float]) -> Stroke:
    """A stroke between pixels (x, y)."""
    # A little more, as what is drawn is cut to whole pixels.
    return Stroke(object_id=object_id, path=(np.array([start, end]) + 1e-6) / (WIDTH - 1, HEIGHT - 1))


def test_nothing_outside_a_region_changes_nor_in_its_margin():
    region = Region(left=20, top=10, right=60, bottom=40)
    current = np.zeros((HEIGHT, WIDTH), np.uint8)
    current[:, 50:] = 7
    ids = correct_ids(
        ToyS2M(),
        frame_of_one_colour(),
        current,
        [stroke(5, (30, 20), (40, 20))],
        (5, 7),
        InteractionSettings(),
        region=region,
    )
    # The toy says that all it sees is object 5; three pixels along the sides stay.
    assert (ids[13:37, 23:57] == 5).all()
    outside = np.ones(ids.shape, bool)
    outside[13:37, 23:57] = False
    assert np.array_equal(ids[outside], current[outside])


def test_at_the_edge_of_the_frame_a_region_has_no_margin():
    region = Region(left=0, top=0, right=40, bottom=HEIGHT)
    given = ToyS2M(), frame_of_one_colour(), np.zeros((HEIGHT, WIDTH), np.uint8), [stroke(5, (9, 9), (9, 30))], (5,)
    ids = correct_ids(*given, InteractionSettings(), region=region)
    assert (ids[:, :37] == 5).all() and not ids[:, 37:].any()


def test_a_region_too_small_for_a_margin_is_taken_whole():
    region = Region(left=10, top=10, right=16, bottom=40)
    given = ToyS2M(), frame_of_one_colour(), np.zeros((HEIGHT, WIDTH), np.uint8), [stroke(5, (12, 20), (12, 30))], (5,)
    ids = correct_ids(*given, InteractionSettings(), region=region)
    assert (ids[10:40, 10:16] == 5).all() and np.count_nonzero(ids) == 180


def test_the_network_sees_the_region_alone():
    network, region = ToyS2M(), Region(left=20, top=10, right=60, bottom=40)
    current = np.zeros((HEIGHT, WIDTH), np.uint8)
    current[15:20, 25:30] = 5
    rgb = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    correct_ids(network, rgb, current, [stroke(5, (10, 12), (30, 12))], (5,), InteractionSettings(), region=region)
    (picture, mask, positive, negative) = network.calls[0]
    # 40x30 padded to 48x32: 4 columns left and right, 1 row above and below.
    assert picture.shape == (1, 3, 32, 48) and not negative.any()
    seen = torch.from_numpy(rgb[10:40, 20:60]).permute(2, 0, 1) / 255
    assert torch.allclose(picture[0, :, 1:31, 4:44], seen, atol=1e-6)
    assert mask[0, 0, 1:31, 4:44][5:10, 5:10].all() and mask.sum() == 25
    # The stroke enters from the left and ends at column 30, 3 pixels wide.
    assert positive[0, 0, 1:31, 4:44][1:4, :12].all() and positive.sum() == 3 * 12


def test_a_region_is_scaled_as_the_whole_frame_is():
    network, region = ToyS2M(), Region(left=20, top=10, right=60, bottom=40)
    given = frame_of_one_colour(), np.zeros((HEIGHT, WIDTH), np.uint8), [stroke(5, (30, 20), (40, 20))], (5,)
    correct_ids(network, *given, InteractionSettings(short_side=96), region=region)
    assert network.calls[0][0].shape == (1, 3, 64, 80)
    assert network.calls[0][2].amax(dim=3).sum() == 3  # the line keeps its width


def test_strokes_outside_the_region_change_nothing():
    network, region = ToyS2M(), Region(left=60, top=10, right=90, bottom=40)
    given = frame_of_one_colour(), np.zeros((HEIGHT, WIDTH), np.uint8), [stroke(5, (10, 20), (20, 20))], (5,)
    assert not correct_ids(network, *given, InteractionSettings(), region=region).any() and not network.calls


def test_work_in_one_region_is_the_base_of_the_next(toy):
    left, right = Region(left=0, top=0, right=48, bottom=48), Region(left=48, top=0, right=96, bottom=48)
    toy.session.interact(2, {9: line_on(toy.world, 2, 9)}, right)
    first = toy.session.masks(2)
    assert np.array_equal(first == 9, (toy.world.truth(2) == 9) & (np.arange(96) >= 48 + 3))
    toy.session.interact(2, {4: line_on(toy.world, 2, 4)}, left)
    second = toy.session.masks(2)
    assert np.array_equal(second[:, 45:], first[:, 45:])
    assert np.array_equal(second[:, :45] == 4, toy.world.truth(2)[:, :45] == 4)
    toy.session.undo()
    assert np.array_equal(toy.session.masks(2), first)


def test_a_free_hand_mask_keeps_to_the_region_too(toy):
    ids = toy.session.interact(0, {4: np.ones((48, 96), bool)}, Region(left=10, top=10, right=30, bottom=30))
    assert (ids[13:27, 13:27] == 4).all() and np.count_nonzero(ids) == 14 * 14


def test_a_region_that_is_none_is_refused():
    for wrong in ({"left": 5, "right": 5}, {"left": -1}, {"top": 9, "bottom": 3}):
        with pytest.raises(ValueError, match="give 0 <= left < right"):
            Region(**{"left": 0, "top": 0, "right": 8, "bottom": 8} | wrong)


def test_a_click_is_a_disk_on_its_object_and_beside_the_others():
    clicks = {5: [Click(x=20.5, y=10.5, positive=True), Click(x=60.5, y=30.5, positive=False)]}
    positive, negative = draw_hints([], clicks, (5, 7), WHOLE, InteractionSettings(click_radius=2))
    disk = np.array([[0, 0, 1, 0, 0], [0, 1, 1, 1, 0], [1, 1, 1, 1, 1], [0, 1, 1, 1, 0], [0, 0, 1, 0, 0]], bool)
    assert np.array_equal(positive[0, 8:13, 18:23], disk) and positive[0].sum() == disk.sum()
    assert not positive[1].any()
    assert np.array_equal(negative[1], positive[0])  # what is object 5 is not 7,
    assert np.array_equal(negative[0, 28:33, 58:63], disk) and negative[0].sum() == disk.sum()
    # and what is not 5 may be 7: the negative click tells 7 nothing.


def test_a_click_on_the_background_is_negative_for_all():
    positive, negative = draw_hints([], {0: [Click(x=9.5, y=9.5, positive=True)]}, (5, 7), WHOLE, InteractionSettings())
    assert not positive.any() and negative[0].any() and np.array_equal(negative[0], negative[1])
    with pytest.raises(ValueError, match="negative click is of the background"):
        draw_hints([], {0: [Click(x=9, y=9, positive=False)]}, (5,), WHOLE, InteractionSettings())


def test_clicks_lie_over_strokes_and_never_both_ways():
    clicks = {7: [Click(x=30.5, y=20.5, positive=True)]}
    positive, negative = draw_hints(
        [stroke(5, (10, 20), (50, 20))], clicks, (5, 7), WHOLE, InteractionSettings(click_radius=4)
    )
    assert not (positive & negative).any()
    assert positive[1, 20, 30] and negative[0, 20, 30] and not positive[0, 20, 30]
    assert positive[0, 20, 12] and negative[1, 20, 12]


@pytest.mark.parametrize("last_is_positive", [False, True])
def test_a_later_click_lies_over_an_earlier_one(last_is_positive):
    clicks = {5: [Click(x=30.5, y=20.5, positive=positive) for positive in (not last_is_positive, last_is_positive)]}
    positive, negative = draw_hints([], clicks, (5, 7), WHOLE, InteractionSettings())
    assert positive[0].any() == last_is_positive and negative[0].any() != last_is_positive


def test_the_object_that_is_clicked_last_lies_on_top(toy):
    click = Clicks(positive=((30.5, 20.5),))
    for object_id in (4, 9, 4):
        toy.session.interact(2, {object_id: click})
    (_, _, positive, negative) = toy.s2m.calls[-1]
    assert positive[0].any() and not positive[1].any() and torch.equal(positive[0], negative[1])


def test_clicks_are_scaled_with_the_frame_and_their_disks_are_not():
    geometry = FrameGeometry.of(HEIGHT, WIDTH, 96)
    drawn, _ = draw_hints([], {5: [Click(x=20, y=10, positive=True)]}, (5,), geometry, InteractionSettings())
    rows, columns = np.nonzero(drawn[0])
    assert rows.mean() + 0.5 == 20 and columns.mean() + 0.5 == 40 and np.ptp(rows) == 7


def test_clicks_correct_a_frame(toy):
    truth = toy.world.truth(2)
    rows, columns = np.nonzero(truth == 9)
    toy.session.interact(2, {9: Clicks(positive=((columns.mean() + 0.5, rows.mean() + 0.5),))})
    assert np.array_equal(toy.session.masks(2) == 9, truth == 9)
    toy.session.interact(2, {4: truth > 0})
    rows, columns = np.nonzero(truth == 9)
    ids = toy.session.interact(2, {4: Clicks(negative=((columns.mean() + 0.5, rows.mean() + 0.5),))})
    assert np.array_equal(ids == 4, truth == 4)


def test_clicks_and_strokes_add_up(toy):
    truth = toy.world.truth(2)
    rows, columns = np.nonzero(truth == 9)
    toy.session.interact(2, {9: Clicks(positive=((columns.mean() + 0.5, rows.mean() + 0.5),))})
    ids = toy.session.interact(2, {4: line_on(toy.world, 2, 4), 9: Clicks()})
    assert np.array_equal(ids, truth) and len(toy.s2m.calls) == 2


def test_scribbles_say_what_their_key_says(toy):
    strokes = line_on(toy.world, 2, 9).strokes
    ids = toy.session.interact(2, {4: Scribbles(strokes=strokes)})
    assert np.array_equal(ids == 4, toy.world.truth(2) == 9) and not (ids == 9).any()
