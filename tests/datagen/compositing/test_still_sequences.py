"""Sequences from stills: the published distribution, labels, pasted objects and what lies beyond."""

import dataclasses

import cv2
import numpy as np
import pytest
from vosforge.datagen.augmentation.colour import JitterRange
from vosforge.datagen.compositing.plan import draw_sequence
from vosforge.datagen.compositing.sequence import render_sequence, sample_sequence
from vosforge.datagen.compositing.settings import SequenceSettings
from vosforge.datagen.compositing.stills import Still

SMALL = SequenceSettings(size=96)
STILL_JITTERLESS = {"still_jitter": JitterRange(), "frame_jitter": JitterRange(), "greyscale_probability": 0.0}
FIXED = SequenceSettings(
    size=96,
    still_scale=(1, 1),
    frame_scale=(1, 1),
    rotation_degrees=0,
    shear_degrees=0,
    spline_probability=0,
    flip_probability=0,
    **STILL_JITTERLESS,
)


def square_still(colour=(220, 30, 30), ids=(1,), side=96, name="still"):
    """A grey picture with a coloured square for each id, side by side."""
    rgb, mask = np.full((side, side, 3), 90, np.uint8), np.zeros((side, side), np.uint8)
    for place, number in enumerate(ids):
        columns = slice(24 + 26 * place, 46 + 26 * place)
        rgb[30:60, columns], mask[30:60, columns] = np.array(colour) - 20 * place, number
    return Still(name=name, rgb=rgb, ids=mask)


class Stills:
    def __init__(self, *stills):
        self.stills = stills

    def __len__(self):
        return len(self.stills)

    def read(self, rng, number):
        return self.stills[number]

    def name(self, number):
        return self.stills[number].name

    def fingerprint(self):
        return "stills"


RED, GREEN = square_still(name="red"), square_still((20, 200, 40), name="green")
EVERYTHING = dataclasses.replace(
    SMALL,
    num_pasted=(1, 3),
    background_probability=0.5,
    region_probability=0.5,
    blur_probability=0.5,
    jpeg_probability=0.5,
    feather_pixels=1.0,
    num_frames=4,
)


def sample(settings, seed=0, stills=(RED, GREEN)):
    return sample_sequence(np.random.default_rng(seed), Stills(*stills), 0, settings)


def test_default_sequence_has_three_frames_and_one_label():
    sequence = sample(SequenceSettings())
    assert sequence.rgb.shape == (3, 384, 384, 3) and sequence.labels.shape == (3, 384, 384)
    assert sequence.rgb.dtype == sequence.labels.dtype == np.uint8 and sequence.selector.dtype == np.float32
    assert set(np.unique(sequence.labels)) == {0, 1} and sequence.selector.tolist() == [1, 0]
    assert (sequence.key, sequence.frames, sequence.object_ids) == ("red", (0, 1, 2), (1,))
    assert sequence.names == {1: "red"}


@pytest.mark.parametrize("settings", [SMALL, EVERYTHING], ids=["published", "everything"])
def test_same_seed_gives_the_same_sequence(settings):
    for seed in range(4):
        one, two = sample(settings, seed), sample(settings, seed)
        assert (one.rgb == two.rgb).all() and (one.ids == two.ids).all() and one.object_ids == two.object_ids
    assert (sample(settings, 1).rgb != sample(settings, 2).rgb).any()


def test_labels_lie_on_the_object():
    sequence = sample(dataclasses.replace(SMALL, **STILL_JITTERLESS), seed=5)
    reddish = sequence.rgb[..., 0].astype(int) - sequence.rgb[..., 1] > 95
    assert sequence.labels.any() and (reddish != (sequence.labels == 1)).mean() < 0.01


def test_points_of_the_still_stay_on_their_object():
    inside = np.array([[30.0, 36.0], [40.0, 50.0], [35.0, 45.0]])
    for seed in range(8):
        plan = draw_sequence(np.random.default_rng(seed), SMALL, RED)
        ids, tracks = render_sequence(plan, RED).ids, plan.track(inside)
        assert tracks.shape == (3, 3, 2)
        for frame, points in enumerate(tracks):
            for x, y in points[((points >= 0) & (points < 96)).all(1)]:
                assert ids[frame, int(y), int(x)] == 1


def test_points_of_a_pasted_object_stay_on_it_until_it_is_hidden():
    settings = dataclasses.replace(SMALL, num_pasted=(1, 1), min_visible_area=0)
    rows, columns = np.nonzero(cv2.erode(GREEN.ids, np.ones((7, 7), np.uint8)))
    points = np.stack([columns, rows], axis=1)[::17] + 0.5
    num_seen = 0
    for seed in range(12):
        sequence = sample(settings, seed)
        places, is_seen = sequence.track(points, 2)
        assert places.shape == (3, len(points), 2) and is_seen.shape == (3, len(points))
        inside = ((places >= 0) & (places < settings.size)).all(-1)
        for frame in range(3):
            # What is inside and not seen lies behind the other object.
            hidden = places[frame][inside[frame] & ~is_seen[frame]].astype(int)
            assert (sequence.ids[frame, hidden[:, 1], hidden[:, 0]] == 1).mean() > 0.9 if len(hidden) else True
        num_seen += is_seen.sum()
    assert num_seen > 100
    with pytest.raises(KeyError):
        sequence.track(points, 3)


def test_ignored_pixels_stay_so_under_objects_and_not_on_another_background():
    void = dataclasses.replace(RED, ids=RED.ids.copy())
    void.ids[:20] = 255
    sequence = sample(FIXED, stills=(void,))
    assert (sequence.labels == np.where(void.ids == 255, 255, void.ids > 0)).all()
    pasted = sample(dataclasses.replace(FIXED, num_pasted=(1, 1), pasted_size=(0.9, 0.9)), stills=(void, GREEN))
    assert (pasted.ids == 255).any() and ((pasted.ids == 255).sum() < (void.ids == 255).sum() * 3)
    assert ((pasted.labels == 255) == (pasted.ids == 255)).all()
    blue = Still(name="blue", rgb=np.full((50, 70, 3), (10, 20, 240), np.uint8), ids=np.zeros((50, 70), np.uint8))
    settings = dataclasses.replace(FIXED, background_probability=1.0)
    replaced = sample_sequence(np.random.default_rng(0), Stills(void), 0, settings, Stills(blue))
    assert not (replaced.ids == 255).any()


def test_one_sequence_does_not_change_another():
    one = sample(SMALL, 1)
    kept = one.rgb.copy(), one.ids.copy(), one.labels.copy()
    sample(SMALL, 2)
    assert all((was == now).all() for was, now in zip(kept, (one.rgb, one.ids, one.labels), strict=True))


def test_plan_without_any_motion_is_the_still():
    sequence = sample(FIXED)
    assert (np.abs(sequence.rgb.astype(int) - RED.rgb) > 40).mean() < 0.02
    assert (sequence.ids == RED.ids).all()


def test_published_geometry_has_its_distribution():
    settings = dataclasses.replace(SMALL, size=64)
    areas, flips, bends, turns = [], [], [], []
    for seed in range(400):
        plan = draw_sequence(np.random.default_rng(seed), settings, RED)
        linear = np.stack([warp.matrix[:2, :2] for warp in plan.still.warps])
        areas.append(np.linalg.det(linear))
        flips.append(np.linalg.det(linear[0]) < 0)
        bends += [warp.spline is not None for warp in plan.still.warps]
        turns += [np.degrees(np.arctan2(m[1, 0], abs(m[0, 0]))) for m in linear]
    scales = np.sqrt(np.abs(areas)) * 96 / 64
    assert np.mean(flips) == pytest.approx(0.5, abs=0.08) and np.mean(bends) == pytest.approx(0.33, abs=0.05)
    assert scales.min() >= 0.8 * 0.9 and scales.max() <= 1.5 * 1.1
    assert scales.mean() == pytest.approx(1.15, abs=0.03)
    assert (scales / scales.mean(1, keepdims=True)).std() == pytest.approx(0.2 / np.sqrt(12) * np.sqrt(2 / 3), rel=0.15)
    assert np.abs(turns).max() <= 20 and np.std(turns) == pytest.approx(40 / np.sqrt(12), rel=0.06)


def test_crop_lies_within_the_still_along_its_longer_side():
    wide = Still(name="wide", rgb=np.zeros((96, 192, 3), np.uint8), ids=np.zeros((96, 192), np.uint8))
    settings = dataclasses.replace(FIXED, num_frames=40)
    plan = draw_sequence(np.random.default_rng(0), settings, wide)
    left = [-warp.matrix[0, 2] for warp in plan.still.warps]
    assert 0 <= min(left) < 15 and 80 < max(left) <= 96
    assert all(warp.matrix[1, 2] == pytest.approx(0) for warp in plan.still.warps)


def test_still_without_objects_is_all_background():
    empty = dataclasses.replace(RED, ids=np.zeros_like(RED.ids))
    sequence = sample(SMALL, stills=(empty,))
    assert not sequence.labels.any() and sequence.object_ids == () and sequence.selector.tolist() == [1, 0]


def test_one_object_of_several_is_taken_unless_told_otherwise():
    still = square_still(ids=(9, 4))
    taken = {tuple(np.unique(sample(FIXED, seed, (still,)).ids)) for seed in range(6)}
    assert taken == {(0, 1)}
    both = sample(dataclasses.replace(FIXED, num_still_objects=2), stills=(still,))
    assert set(np.unique(both.ids)) == {0, 1, 2} and both.selector.tolist() == [1, 1]
    assert ((both.ids == 1) == (still.ids == 4)).all() and ((both.ids == 2) == (still.ids == 9)).all()


def test_pasted_objects_have_their_own_colour_where_their_ids_are():
    settings = dataclasses.replace(FIXED, num_pasted=(1, 1), edges="hard", pasted_spread=0.3)
    for seed in range(6):
        sequence = sample(settings, seed)
        assert sequence.names == {1: "red", 2: "green"}
        red, green = sequence.ids == 1, sequence.ids == 2
        kernel = np.ones((5, 5), np.uint8)
        for mask, channel in ((red, 0), (green, 1)):
            deep = np.stack([cv2.erode(frame.astype(np.uint8), kernel) for frame in mask]).astype(bool)
            assert (sequence.rgb[deep].argmax(-1) == channel).all()
        assert green.any()


def test_regions_take_the_place_of_objects_and_need_none():
    empty = square_still(ids=(), name="empty")
    settings = dataclasses.replace(FIXED, region_probability=1.0, num_pasted=(1, 1), edges="hard", behind_probability=0)
    for seed in range(5):
        sequence = sample(settings, seed, stills=(empty, GREEN))
        assert sequence.ids.any(), seed
        # The still's own region is not cut out: its picture is as it was, wherever nothing is pasted on it.
        assert (sequence.rgb[0][sequence.ids[0] != 2] == 90).all(), seed
    both = {
        tuple(sample(dataclasses.replace(FIXED, region_probability=0.5), seed).ids[0, 45, 25:45]) for seed in range(9)
    }
    assert (1,) * 20 in both and len(both) > 1, "some keep their objects, some do not"


def test_order_in_depth_is_the_same_in_every_frame():
    settings = dataclasses.replace(
        FIXED, num_pasted=(1, 1), pasted_spread=0.0, pasted_size=(0.9, 0.9), pasted_shift=0.0
    )
    orders = set()
    for seed in range(12):
        ids = sample(settings, seed).ids
        in_front = {int(frame[45, 35]) for frame in ids}
        assert len(in_front) == 1
        orders |= in_front
    assert orders == {1, 2}


def test_replaced_background_keeps_the_object_alone():
    blue = Still(name="blue", rgb=np.full((50, 70, 3), (10, 20, 240), np.uint8), ids=np.zeros((50, 70), np.uint8))
    settings = dataclasses.replace(FIXED, background_probability=1.0, edges="hard")
    sequence = sample_sequence(np.random.default_rng(0), Stills(RED), 0, settings, Stills(blue))
    assert np.abs(sequence.rgb[sequence.ids == 0].astype(int) - (10, 20, 240)).max() <= 2
    assert sequence.names == {1: "red"} and (sequence.ids == RED.ids).all()


def test_feathering_widens_the_edge_and_leaves_the_labels():
    blue = Still(name="blue", rgb=np.full((96, 96, 3), (0, 0, 255), np.uint8), ids=np.zeros((96, 96), np.uint8))

    def mixed(**edges):
        settings = dataclasses.replace(FIXED, background_probability=1.0, **edges)
        sequence = sample_sequence(np.random.default_rng(0), Stills(RED), 0, settings, Stills(blue))
        assert (sequence.ids == RED.ids).all()
        return ((sequence.rgb[..., 2] > 60) & (sequence.rgb[..., 2] < 225)).sum()

    assert mixed(edges="hard") == 0
    assert mixed(edges="soft", feather_pixels=3.0) > mixed(edges="soft", feather_pixels=1.0) > 0


def test_steady_motion_moves_evenly():
    settings = dataclasses.replace(SMALL, motion="steady", num_frames=6, spline_probability=0.0)
    plan = draw_sequence(np.random.default_rng(0), settings, RED)
    centre = plan.track(np.array([[48.0, 48.0]]))[:, 0]
    assert np.abs(np.diff(centre, 2, axis=0)).max() < 0.5


def test_objects_below_the_visible_area_get_no_label():
    tiny = dataclasses.replace(RED, ids=np.zeros_like(RED.ids))
    tiny.ids[40:42, 40:42] = 1
    settings = dataclasses.replace(FIXED, min_visible_area=10.0 * 16)
    assert sample(settings, stills=(tiny,)).object_ids == ()
    assert sample(dataclasses.replace(settings, min_visible_area=4.0), stills=(tiny,)).object_ids == (1,)


def test_redraws_find_an_object_that_most_crops_miss():
    wide = Still(name="wide", rgb=np.zeros((96, 300, 3), np.uint8), ids=np.zeros((96, 300), np.uint8))
    wide.ids[30:60, 10:60] = 1
    settings = dataclasses.replace(SMALL, min_visible_area=1000.0, max_redraws=30)
    found = [bool(sample(settings, seed, (wide,)).object_ids) for seed in range(5)]
    without = [
        bool(sample(dataclasses.replace(settings, max_redraws=0), seed, (wide,)).object_ids) for seed in range(5)
    ]
    assert all(found) and not all(without)


def test_two_labels_at_most_and_a_selector_for_the_second():
    settings = dataclasses.replace(FIXED, num_pasted=(3, 3), min_visible_area=1.0, pasted_spread=0.4)
    sequence = sample(settings)
    assert set(np.unique(sequence.labels)) <= {0, 1, 2} and sequence.selector.tolist() == [1, 1]
    for label, object_id in enumerate(sequence.object_ids, start=1):
        assert ((sequence.labels == label) == (sequence.ids == object_id)).all()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"still_scale": (1.5, 0.8)}, "still_scale"),
        ({"num_frames": 0}, "num_frames is 0"),
        ({"spline_probability": 1.2}, "spline_probability"),
        ({"edges": "round"}, "'soft' or 'hard'"),
        ({"jpeg_quality": (0, 50)}, "jpeg_quality"),
        ({"size": 8}, "size is 8"),
    ],
)
def test_wrong_settings_are_named(wrong, said):
    with pytest.raises(ValueError, match=said):
        SequenceSettings(**wrong)


def test_a_still_of_one_pixel_gives_a_sequence():
    still = Still(name="dot", rgb=np.full((1, 1, 3), 90, np.uint8), ids=np.ones((1, 1), np.uint8))
    sequence = sample_sequence(np.random.default_rng(0), Stills(still), 0, SequenceSettings(size=32))
    assert sequence.rgb.shape == (3, 32, 32, 3) and set(np.unique(sequence.labels)) <= {0, 1}


def test_labels_can_be_changed_without_changing_the_ids():
    sequence = sample(SequenceSettings(size=64))
    sequence.labels[:] = 0
    assert sequence.ids.any()


def test_more_objects_than_ids_are_refused():
    with pytest.raises(ValueError, match="together they may be 254"):
        SequenceSettings(num_still_objects=250, num_pasted=(0, 5))
