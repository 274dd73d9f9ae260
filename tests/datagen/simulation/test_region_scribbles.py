import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from mask_worlds import SEEDS, box, disc, masks
from vosforge.datagen.simulation.morphology import ellipse, erode_disc
from vosforge.datagen.simulation.scribbles.region_scribbles import (
    KINDS,
    RegionScribbleSettings,
    bezier_scribble,
    boundary_scribble,
    free_curves,
    region_scribbles,
    thinning_scribble,
)

QUICK = settings(max_examples=40, deadline=None)
WHOLE_LINES = RegionScribbleSettings(num_gaps=0)


def three_curves(rng, region, settings=WHOLE_LINES):
    return free_curves(rng, region, 3, settings)


def both_kinds(rng, region, settings=WHOLE_LINES):
    return region_scribbles(rng, region, settings)[0]


SCRIBBLES = [boundary_scribble, thinning_scribble, bezier_scribble, three_curves, both_kinds]


@pytest.mark.parametrize("scribble", SCRIBBLES)
@given(region=masks(), seed=SEEDS)
@QUICK
def test_scribble_stays_inside_its_region(scribble, region, seed):
    drawn = scribble(np.random.default_rng(seed), region)
    assert drawn.shape == region.shape and drawn.dtype == bool
    assert not (drawn & ~region).any()


@pytest.mark.parametrize("scribble", SCRIBBLES)
@given(region=masks(), seed=SEEDS)
@QUICK
def test_published_scribble_leaves_its_region_by_three_pixels_at_most(scribble, region, seed):
    drawn = scribble(np.random.default_rng(seed), region, RegionScribbleSettings(keep_inside=False))
    if region.any():
        distance = cv2.distanceTransform((~region).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        assert not drawn.any() or distance[drawn].max() <= 3 * np.sqrt(2)
    else:
        assert not drawn.any()


@pytest.mark.parametrize("scribble", SCRIBBLES)
@given(region=masks(), seed=SEEDS)
@QUICK
def test_identical_seeds_give_identical_scribbles_and_leave_the_region_alone(scribble, region, seed):
    before = region.copy()
    first, second = (scribble(np.random.default_rng(seed), region) for _ in range(2))
    assert (first == second).all() and (region == before).all()


@given(region=masks(), seed=SEEDS)
@QUICK
def test_only_an_empty_region_has_no_curve_and_no_middle_line(region, seed):
    for scribble in (bezier_scribble, thinning_scribble):
        assert scribble(np.random.default_rng(seed), region, WHOLE_LINES).any() == region.any()


@given(region=masks(), seed=SEEDS)
@QUICK
def test_kinds_are_stated_exactly_when_something_is_drawn(region, seed):
    drawn, kinds = region_scribbles(np.random.default_rng(seed), region)
    assert drawn.any() == bool(kinds) and set(kinds) <= set(KINDS)


@pytest.mark.parametrize("region", [box(60, 60, 30, 30, 31, 31), box(60, 60, 30, 5, 31, 55)])
def test_region_that_the_opening_removes_has_no_scribble(region):
    for seed in range(20):
        drawn, kinds = region_scribbles(np.random.default_rng(seed), region)
        assert not drawn.any() and kinds == ()


def test_small_component_is_left_out_and_large_one_is_not():
    region = box(100, 100, 10, 10, 60, 60) | box(100, 100, 80, 80, 89, 89)
    settings = RegionScribbleSettings(
        opening_size=(5, 5), min_area=(99, 99), kind_probabilities=(0, 0, 1), second_kind_probability=0
    )
    for seed in range(20):
        drawn, kinds = region_scribbles(np.random.default_rng(seed), region, settings)
        assert kinds == ("bezier",) and drawn[:60, :60].any() and not drawn[75:, 75:].any()


def test_kinds_come_as_often_as_published():
    region = disc(64, 28)
    drawn = [
        region_scribbles(np.random.default_rng(seed), region, RegionScribbleSettings(boundary_size=(3, 5), num_gaps=0))[
            1
        ]
        for seed in range(600)
    ]
    assert 0.25 < np.mean([len(kinds) == 2 for kinds in drawn]) < 0.35
    shares = [np.mean([kinds[0] == kind for kinds in drawn]) for kind in KINDS]
    assert np.allclose(shares, [0.33, 0.33, 0.34], atol=0.07)


def test_boundary_scribble_runs_at_the_depth_of_its_erosion():
    region = disc(101, 40)
    drawn = boundary_scribble(
        np.random.default_rng(0), region, RegionScribbleSettings(boundary_size=(21, 21), num_gaps=0)
    )
    rows, columns = np.nonzero(drawn)
    radius = np.hypot(rows - 50, columns - 50)
    assert radius.min() > 27 and radius.max() < 32
    assert cv2.connectedComponents(drawn.astype(np.uint8))[0] == 2


def test_middle_line_of_a_bar_is_a_line_three_pixels_thick():
    drawn = thinning_scribble(np.random.default_rng(0), box(60, 120, 20, 10, 41, 110), WHOLE_LINES)
    assert (drawn[:, 30:90].sum(axis=0) == 3).all()
    assert drawn[29:32, 30:90].all()


def test_gaps_only_take_pixels_away():
    region = disc(120, 55)
    for scribble in (boundary_scribble, thinning_scribble):
        whole = scribble(np.random.default_rng(4), region, RegionScribbleSettings(num_gaps=0))
        cut = [scribble(np.random.default_rng(4), region, RegionScribbleSettings(num_gaps=num)) for num in (1, 4, 16)]
        sizes = [np.count_nonzero(lines) for lines in (whole, *cut)]
        assert all(not (lines & ~whole).any() for lines in cut)
        assert sizes[0] >= sizes[1] >= sizes[3] and sizes[3] < sizes[0]


@given(region=masks(), seed=SEEDS)
@QUICK
def test_boundary_of_the_transposed_region_is_the_transposed_boundary(region, seed):
    settings = RegionScribbleSettings(num_gaps=0, boundary_size=(3, 3))
    drawn = boundary_scribble(np.random.default_rng(seed), region, settings)
    transposed = boundary_scribble(np.random.default_rng(seed), np.ascontiguousarray(region.T), settings)
    assert (drawn == transposed.T).all()


@pytest.mark.parametrize("size", [9, 18, 49])
def test_large_kernels_treat_rows_and_columns_alike_to_a_pixel(size):
    region = box(130, 200, 0, 20, 90, 100) | box(130, 200, 30, 80, 120, 190)
    settings = RegionScribbleSettings(num_gaps=0, boundary_size=(size, size))
    drawn, transposed = (
        boundary_scribble(np.random.default_rng(0), np.ascontiguousarray(r), settings) for r in (region, region.T)
    )
    near = cv2.dilate(transposed.T.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    assert drawn.any() and not (drawn & ~near).any()


def test_middle_line_of_a_region_twice_as_large_is_twice_as_long():
    small = box(80, 160, 30, 20, 51, 140)
    large = np.kron(small, np.ones((2, 2), bool))
    lengths = [
        np.count_nonzero(thinning_scribble(np.random.default_rng(0), region, WHOLE_LINES)) for region in (small, large)
    ]
    assert 1.8 < lengths[1] / lengths[0] < 2.2


def test_longest_curve_of_ten_is_longer_than_a_free_one():
    region = disc(100, 45)
    one_curve = RegionScribbleSettings(num_curves=(1, 1))
    longest = [np.count_nonzero(bezier_scribble(np.random.default_rng(s), region, one_curve)) for s in range(60)]
    free = [np.count_nonzero(free_curves(np.random.default_rng(s), region, 1)) for s in range(60)]
    assert np.mean(longest) > 1.3 * np.mean(free)


@pytest.mark.parametrize("size", [17, 24, 31, 49])
def test_erosion_on_a_distance_map_is_that_of_the_ellipse_to_a_pixel(size):
    mask = (disc(160, 60) | box(160, 160, 60, 0, 130, 160)).astype(np.uint8)
    exact, quick = cv2.erode(mask, ellipse(size, size)), erode_disc(mask, size)
    thin = cv2.erode(exact, np.ones((3, 3), np.uint8))
    wide = cv2.dilate(exact, np.ones((3, 3), np.uint8))
    assert not (thin & ~quick & 1).any() and not (quick & ~wide & 1).any()


@pytest.mark.parametrize("scribble", SCRIBBLES)
@given(region=masks(max_side=30), seed=SEEDS)
@QUICK
def test_scribble_moves_with_its_region(scribble, region, seed):
    """What lies far off in a larger picture changes nothing, though work is done in the region's box."""
    small, large = np.pad(region, 20), np.pad(region, ((20, 90), (50, 70)))
    drawn = [scribble(np.random.default_rng(seed), picture, WHOLE_LINES) for picture in (small, large)]
    assert (drawn[1][20:, 50:][: region.shape[0], : region.shape[1]] == drawn[0][20:-20, 20:-20]).all()


def test_region_that_touches_the_border_has_no_boundary_there():
    region = box(60, 60, 0, 0, 60, 30)
    drawn = boundary_scribble(
        np.random.default_rng(0), region, RegionScribbleSettings(boundary_size=(5, 5), num_gaps=0)
    )
    assert not drawn[:, :20].any() and (drawn[:, 25:30].sum(axis=1) > 0).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"opening_size": (9, 5)}, "opening_size"),
        ({"kind_probabilities": (0.5, 0.5, 0.5)}, "sum to 1"),
        ({"second_kind_probability": 1.5}, "second_kind_probability is 1.5"),
        ({"gap_size": (5, 50)}, "gap_size"),
        ({"num_candidates": 0}, "num_candidates"),
    ],
)
def test_wrong_setting_is_named(changes, message):
    with pytest.raises(ValueError, match=message):
        RegionScribbleSettings(**changes)


@pytest.mark.parametrize("region", [np.zeros((4, 4), np.uint8), np.zeros(4, bool), np.zeros((0, 4), bool), [[True]]])
def test_what_is_no_mask_is_refused_by_name(region):
    with pytest.raises(ValueError, match="region must be a boolean mask"):
        bezier_scribble(np.random.default_rng(0), region)
