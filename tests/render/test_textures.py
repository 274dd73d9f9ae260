"""The procedural textures and backgrounds: repeatable, rich at every scale, and different from one another."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import pytest
from vosforge.render.procedural.painting import cells, fbm, grid, oklch_to_rgb, palette
from vosforge.render.procedural.textures import BACKGROUND_FAMILIES, TEXTURE_FAMILIES, paint_background, paint_texture

SEEDS = (0, 1, 2)


@cache
def texture(family: str, seed: int) -> np.ndarray:
    return paint_texture(family, np.random.default_rng(seed), 128)


@cache
def background(family: str, seed: int) -> np.ndarray:
    return paint_background(family, np.random.default_rng(seed), 192, 128)


def statistics(image: np.ndarray) -> np.ndarray:
    """Structure whatever the colours: histogram of grey, then gradient energy by scale and direction."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    grey = (grey - grey.mean()) / (grey.std() + 1)
    numbers = [*(np.percentile(grey, [2, 10, 25, 50, 75, 90, 98]) / 2)]
    for _ in range(4):
        dx, dy = np.diff(grey, axis=1)[:-1], np.diff(grey, axis=0)[:, :-1]
        strength = np.hypot(dx, dy)
        energy = strength.mean() + 1e-6
        numbers += [np.log(energy), (dx**2).mean() / (strength**2).mean(), np.percentile(strength, 95) / energy / 3]
        numbers.append(np.percentile(strength, 30) / energy)
        grey = cv2.pyrDown(grey)
    return np.array(numbers)


def nearest_other_family(pictures: dict[str, list[np.ndarray]]) -> tuple[float, str]:
    means = {family: np.mean([statistics(p) for p in images], axis=0) for family, images in pictures.items()}
    return min((float(np.abs(means[a] - means[b]).mean()), f"{a} ~ {b}") for a in means for b in means if a < b)


def test_there_are_enough_families():
    assert len(TEXTURE_FAMILIES) >= 12
    assert len(BACKGROUND_FAMILIES) >= 8


@pytest.mark.parametrize("family", TEXTURE_FAMILIES)
def test_a_texture_is_a_square_of_bytes_that_its_seed_decides(family: str):
    image = texture(family, 0)
    assert (image.shape, image.dtype) == ((128, 128, 3), np.uint8)
    assert image.tobytes() == paint_texture(family, np.random.default_rng(0), 128).tobytes()
    assert np.abs(image.astype(int) - texture(family, 1)).mean() > 8


@pytest.mark.parametrize("family", BACKGROUND_FAMILIES)
def test_a_background_is_a_picture_of_bytes_that_its_seed_decides(family: str):
    image = background(family, 0)
    assert (image.shape, image.dtype) == ((128, 192, 3), np.uint8)
    assert image.tobytes() == paint_background(family, np.random.default_rng(0), 192, 128).tobytes()
    assert np.abs(image.astype(int) - background(family, 1)).mean() > 8


@pytest.mark.parametrize("family", TEXTURE_FAMILIES)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_texture_has_structure_at_large_and_at_small_scale(family: str, seed: int):
    grey = cv2.cvtColor(texture(family, seed), cv2.COLOR_RGB2GRAY).astype(np.float32)
    coarse = cv2.resize(grey, (16, 16), interpolation=cv2.INTER_AREA)
    assert coarse.std() > 1.5
    assert (grey - cv2.GaussianBlur(grey, (0, 0), 3)).std() > 1.5


@pytest.mark.parametrize("family", BACKGROUND_FAMILIES)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_background_has_local_structure_nearly_everywhere(family: str, seed: int):
    grey = cv2.cvtColor(background(family, seed), cv2.COLOR_RGB2GRAY).astype(np.float32)
    tiles = grey.reshape(4, 32, 6, 32).std(axis=(1, 3))
    assert np.median(tiles) > 6
    assert (tiles > 1.5).mean() > 0.8
    assert 20 < grey.mean() < 235


def spread(pictures: dict[str, list[np.ndarray]]) -> tuple[float, float]:
    numbers = {family: [statistics(p) for p in images] for family, images in pictures.items()}
    gaps = [
        (a == b, float(np.abs(x - y).mean())) for a in numbers for b in numbers for x in numbers[a] for y in numbers[b]
    ]
    return np.mean([gap for same, gap in gaps if same and gap]), np.mean([gap for same, gap in gaps if not same])


def test_pictures_of_one_family_are_more_alike_than_those_of_two():
    for paint, families in ((texture, TEXTURE_FAMILIES), (background, BACKGROUND_FAMILIES)):
        within, between = spread({f: [paint(f, s) for s in SEEDS] for f in families})
        assert between > 1.5 * within


def test_texture_families_do_not_look_like_one_another():
    distance, pair = nearest_other_family({f: [texture(f, s) for s in SEEDS] for f in TEXTURE_FAMILIES})
    assert distance > 0.05, pair


def test_background_families_do_not_look_like_one_another():
    distance, pair = nearest_other_family({f: [background(f, s) for s in SEEDS] for f in BACKGROUND_FAMILIES})
    assert distance > 0.03, pair


def test_painting_does_not_depend_on_the_number_of_threads():
    before = cv2.getNumThreads()
    try:
        pictures = []
        for threads in (1, 2):
            cv2.setNumThreads(threads)
            pictures.append(paint_background("sea", np.random.default_rng(3), 256, 160).tobytes())
    finally:
        cv2.setNumThreads(before)
    assert pictures[0] == pictures[1]


def test_odd_sizes_are_painted():
    for family in BACKGROUND_FAMILIES:
        assert paint_background(family, np.random.default_rng(2), 65, 97).shape == (97, 65, 3)
    for family in TEXTURE_FAMILIES:
        assert paint_texture(family, np.random.default_rng(2), 33).shape == (33, 33, 3)


@pytest.mark.parametrize(
    "paint",
    [
        lambda f: paint_texture(f, np.random.default_rng(0), 64),
        lambda f: paint_background(f, np.random.default_rng(0), 64, 64),
    ],
)
def test_an_unknown_family_is_refused_by_name(paint):
    with pytest.raises(ValueError, match=r"unknown .* family 'lava'; choose one of"):
        paint("lava")


def test_a_picture_too_small_to_paint_is_refused():
    with pytest.raises(ValueError, match="too small"):
        paint_texture("wood", np.random.default_rng(0), 8)


def test_oklch_white_black_and_grey_come_out_neutral():
    colours = oklch_to_rgb(np.array([(1.0, 0, 0), (0.0, 0, 0), (0.6, 0, 123)]))
    np.testing.assert_allclose(colours[0], 1, atol=1e-3)
    np.testing.assert_allclose(colours[1], 0, atol=1e-3)
    assert np.ptp(colours[2]) < 1e-3


def test_a_palette_runs_from_dark_to_light_and_stays_in_range():
    for seed in range(20):
        colours = palette(np.random.default_rng(seed), 5)
        assert colours.min() >= 0 and colours.max() <= 1
        assert colours[0].mean() < colours[-1].mean()


def test_noise_fills_its_range_and_cells_are_nearest_first():
    field = fbm(np.random.default_rng(0), 64, 96, 5)
    assert (field.min(), field.max()) == (0, pytest.approx(1))
    first, second, label = cells(np.random.default_rng(0), *grid(64, 96), 6)
    assert (first <= second).all()
    assert 24 <= len(np.unique(label)) <= 48
