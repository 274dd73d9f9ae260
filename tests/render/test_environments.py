"""Procedural environments: maps of light that close around the horizon, repeat, and differ from one another."""

import numpy as np
import pytest
from vosforge.render.procedural.environments import ENVIRONMENT_FAMILIES, paint_environment

HEIGHT = 64
DAYLIGHT = ("clear_sky", "cloudy_sky", "courtyard", "overcast", "sunset")


def paint(family, seed=3):
    return paint_environment(family, np.random.default_rng(seed), HEIGHT)


@pytest.fixture(scope="module")
def maps():
    return {family: paint(family) for family in ENVIRONMENT_FAMILIES}


def test_every_environment_is_finite_positive_light_of_the_right_shape(maps):
    for family, radiance in maps.items():
        assert radiance.shape == (HEIGHT, 2 * HEIGHT, 3) and radiance.dtype == np.float32, family
        assert np.isfinite(radiance).all() and radiance.min() > 0, family


def test_the_same_draw_gives_the_same_bytes_and_another_draw_another_map(maps):
    for family, radiance in maps.items():
        assert np.array_equal(paint(family), radiance), family
        assert not np.array_equal(paint(family, seed=4), radiance), family


def test_left_and_right_edges_meet(maps):
    for family, radiance in maps.items():
        shown = np.log(radiance + 0.05).mean(axis=-1)
        seam = np.abs(shown[:, 0] - shown[:, -1]).mean()
        assert seam < 4 * np.abs(np.diff(shown, axis=1)).mean() + 0.03, family


def test_suns_and_lamps_outshine_a_display(maps):
    for family, radiance in maps.items():
        luminance = radiance.mean(axis=-1)
        if family == "overcast":
            assert luminance.max() < 8 * np.median(luminance), "a closed sky has no sun"
        else:
            assert luminance.max() > 8 * np.median(luminance), family


def test_under_the_sky_it_is_brighter_above_than_below(maps):
    for family in DAYLIGHT:
        luminance = np.minimum(maps[family].mean(axis=-1), 2.0)
        assert luminance[: HEIGHT // 2].mean() > 1.2 * luminance[HEIGHT // 2 :].mean(), family


def test_unknown_families_and_tiny_maps_are_refused():
    with pytest.raises(ValueError, match="clear_sky"):
        paint_environment("moon", np.random.default_rng(0), HEIGHT)
    with pytest.raises(ValueError, match="16"):
        paint_environment("studio", np.random.default_rng(0), 4)
