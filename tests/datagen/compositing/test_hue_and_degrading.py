"""Hue in HSV, blur and the noise of JPEG."""

import colorsys

import cv2
import numpy as np
import pytest
from vosforge.datagen.augmentation.colour import ColourChange, JitterRange, change_colour, draw_jitter, turn_hue
from vosforge.datagen.augmentation.degrade import Blur, add_jpeg_noise, blur_picture, draw_blur, motion_kernel


def noise(height=24, width=24):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize("turns", [0.05, -0.05, 0.3, 0.5, -0.999, 1.25])
def test_hue_turns_as_in_exact_hsv(turns):
    rgb = noise()
    exact = []
    for pixel in rgb.reshape(-1, 3) / 255:
        hue, saturation, value = colorsys.rgb_to_hsv(*pixel)
        exact.append(colorsys.hsv_to_rgb((hue + turns) % 1, saturation, value))
    assert np.abs(turn_hue(rgb, turns).reshape(-1, 3) - 255 * np.array(exact)).max() < 0.51


def test_hue_keeps_greys_and_turns_back():
    greys = np.repeat(np.arange(256, dtype=np.uint8)[:, None, None], 3, axis=2)
    assert (turn_hue(greys, 0.3) == greys).all()
    assert np.abs(turn_hue(turn_hue(noise(), 0.2), -0.2).astype(int) - noise()).max() <= 2


def test_hue_of_a_strip_does_not_depend_on_the_rest():
    rgb = noise(300, 97)
    assert (turn_hue(rgb, 0.1)[150:180] == turn_hue(rgb[150:180], 0.1)).all()


def test_a_third_of_a_turn_makes_red_green():
    red = np.full((2, 2, 3), (200, 10, 10), np.uint8)
    assert (turn_hue(red, 1 / 3) == (10, 200, 10)).all()


def test_hue_between_two_changes_keeps_their_order():
    rgb, dark, turned = noise(), ColourChange(brightness=0.5), ColourChange(hue=0.25)
    assert np.abs(change_colour(rgb, dark, turned).astype(int) - turn_hue(change_colour(rgb, dark), 0.25)).max() <= 1
    assert (change_colour(rgb, turned, dark) == change_colour(turn_hue(rgb, 0.25), dark)).all()


def test_a_part_changes_as_its_whole_does():
    rgb, change = noise(), ColourChange(contrast=0.7, saturation=0.8, hue=0.1)
    mean = np.array(cv2.mean(rgb)[:3])
    assert (change_colour(rgb[4:9], change, mean=mean) == change_colour(rgb, change)[4:9]).all()


def test_hue_is_drawn_evenly_in_its_range_and_only_where_there_is_one():
    rng = np.random.default_rng(0)
    hues = [draw_jitter(rng, JitterRange(hue=0.05)).hue for _ in range(2000)]
    assert max(np.abs(hues)) <= 0.05 and np.std(hues) == pytest.approx(0.1 / np.sqrt(12), rel=0.05)
    one, two = np.random.default_rng(1), np.random.default_rng(1)
    assert draw_jitter(one, JitterRange(brightness=0.1)).hue == 0
    two.random(3)
    assert one.random() == two.random()


def test_jitter_out_of_range_is_refused():
    with pytest.raises(ValueError, match="hue of a jitter"):
        JitterRange(hue=0.7)
    with pytest.raises(ValueError, match="contrast"):
        JitterRange(contrast=-0.1)


def test_motion_kernel_sums_to_one_and_lies_along_its_angle():
    kernel = motion_kernel(Blur(length=9, angle_degrees=0))
    assert kernel.sum() == pytest.approx(1) and (kernel.sum(1) > 0.01).sum() == 1
    assert np.allclose(motion_kernel(Blur(length=9, angle_degrees=90)), kernel.T, atol=1e-6)
    assert np.allclose(kernel, kernel[::-1, ::-1], atol=1e-6)


def test_blur_keeps_flat_pictures_and_softens_edges():
    flat = np.full((20, 20, 3), 77, np.uint8)
    edge = np.zeros((20, 20, 3), np.uint8)
    edge[:, 10:] = 255
    for blur in (Blur(sigma=1.5), Blur(length=7, angle_degrees=10)):
        assert (blur_picture(flat, blur) == 77).all()
        assert np.abs(np.diff(blur_picture(edge, blur)[10, :, 0].astype(int))).max() < 130
    assert blur_picture(edge, Blur(sigma=0.2)) is edge


def test_blur_is_drawn_from_its_ranges():
    rng = np.random.default_rng(0)
    blurs = [draw_blur(rng, (0.4, 1.6), (3, 11), 0.25) for _ in range(400)]
    moving = [blur for blur in blurs if blur.length]
    assert 60 < len(moving) < 140
    assert all(3 <= blur.length <= 11 and not blur.sigma for blur in moving)
    assert all(0.4 <= blur.sigma <= 1.6 for blur in blurs if not blur.length)


def test_jpeg_noise_grows_as_quality_falls():
    rgb = cv2.resize(noise(8, 8), (64, 64), interpolation=cv2.INTER_CUBIC)
    errors = [np.abs(add_jpeg_noise(rgb, quality).astype(int) - rgb).mean() for quality in (95, 60, 20)]
    assert errors[0] < errors[1] < errors[2]
    with pytest.raises(ValueError, match="from 1 to 100"):
        add_jpeg_noise(rgb, 0)
