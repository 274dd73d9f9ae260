import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vosforge.datagen.simulation.clicks.click_maps import (
    DEXTR_SIGMA,
    disc_maps,
    gaussian_maps,
    sigma_of_fwhm,
    signed_gaussian_map,
)
from vosforge.datagen.simulation.clicks.clicks import Click

QUICK = settings(max_examples=40, deadline=None)
HEIGHT, WIDTH = 30, 44
CLICKS = st.lists(st.builds(Click, x=st.floats(-20, 60), y=st.floats(-20, 60), positive=st.booleans()), max_size=5)


def slow_gaussian(click: Click, sigma: float) -> np.ndarray:
    rows, columns = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    return np.exp(-((columns - click.x) ** 2 + (rows - click.y) ** 2) / (2 * sigma**2))


@given(clicks=CLICKS, sigma=st.floats(0.5, 8))
@QUICK
def test_signed_map_is_the_sum_of_all_gaussians(clicks, sigma):
    expected = sum(((1 if c.positive else -1) * slow_gaussian(c, sigma) for c in clicks), np.zeros((HEIGHT, WIDTH)))
    drawn = signed_gaussian_map(clicks, HEIGHT, WIDTH, sigma)
    assert drawn.dtype == np.float32 and np.allclose(drawn, expected, atol=1e-4)


@given(clicks=CLICKS, sigma=st.floats(0.5, 8))
@QUICK
def test_maps_apart_hold_the_nearest_click_of_their_sign(clicks, sigma):
    drawn = gaussian_maps(clicks, HEIGHT, WIDTH, sigma)
    for channel, positive in zip(drawn, (True, False), strict=True):
        near = [slow_gaussian(c, sigma) for c in clicks if c.positive == positive]
        assert np.allclose(channel, np.max(near, axis=0) if near else 0, atol=1e-4)


@given(clicks=CLICKS, radius=st.floats(0.5, 9))
@QUICK
def test_discs_cover_all_pixels_within_their_radius(clicks, radius):
    rows, columns = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    drawn = disc_maps(clicks, HEIGHT, WIDTH, radius)
    for channel, positive in zip(drawn, (True, False), strict=True):
        near = [(columns - c.x) ** 2 + (rows - c.y) ** 2 <= radius**2 for c in clicks if c.positive == positive]
        assert (channel == (np.any(near, axis=0) if near else False)).all()


def test_swapped_axes_swap_the_map():
    click, swapped = Click(x=9.5, y=4.5, positive=True), Click(x=4.5, y=9.5, positive=True)
    assert (signed_gaussian_map([click], 20, 20) == signed_gaussian_map([swapped], 20, 20).T).all()


def test_width_at_half_maximum_is_as_stated():
    assert pytest.approx(4.2466, abs=1e-4) == DEXTR_SIGMA
    drawn = signed_gaussian_map([Click(x=20.5, y=10.5, positive=True)], 21, 41, sigma_of_fwhm(10))
    assert drawn[10, 20] == 1 and drawn[10, 25] == pytest.approx(0.5, abs=1e-5)


def test_no_click_gives_empty_maps():
    assert not signed_gaussian_map([], 5, 6).any() and not disc_maps([], 5, 6).any()
    assert gaussian_maps([], 5, 6).shape == (2, 5, 6)


@pytest.mark.parametrize("draw", [signed_gaussian_map, gaussian_maps, disc_maps])
def test_width_of_nothing_is_refused(draw):
    with pytest.raises(ValueError, match="is 0; it must be above 0 pixels"):
        draw([Click(x=1, y=1, positive=True)], 5, 5, 0)
