import dataclasses

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from vosforge.datagen.augmentation.affine import (
    BORDER_RGB,
    CropBox,
    crop_matrix,
    draw_crop,
    draw_rotation_shear,
    flip_matrix,
    inverse_matrix,
    translation_matrix,
    warp_ids,
    warp_rgb,
)
from vosforge.datagen.augmentation.colour import ColourChange, JitterRange, change_colour, draw_jitter
from vosforge.datagen.augmentation.spline_warp import draw_spline
from vosforge.datagen.corpus.labels import labels_of
from vosforge.datagen.corpus.reader import Corpus
from vosforge.datagen.samples.triplets import TripletSettings, draw_frames, sample_triplet, usable_objects

PLAIN = TripletSettings(
    crop_size=64,
    area_scale=(1.0, 1.0),
    aspect_ratio=(1.0, 1.0),
    flip_probability=0.0,
    greyscale_probability=0.0,
    clip_jitter=JitterRange(),
    frame_jitter=JitterRange(),
    rotation_degrees=0.0,
    shear_degrees=0.0,
)


@given(st.integers(3, 200), st.integers(1, 60), st.integers(0, 2**32))
def test_three_frames_are_different_in_order_and_near(num_frames, max_jump, seed):
    frames = draw_frames(np.random.default_rng(seed), num_frames, max_jump)
    first, second, third = frames if frames[0] < frames[1] else frames[::-1]
    assert 0 <= first < second < third < num_frames
    assert second - first <= max_jump + 1 and third - second <= max_jump + 1


@pytest.mark.parametrize(("num_frames", "max_jump"), [(160, 5), (24, 25), (8, 5), (3, 5)])
def test_frames_of_the_whole_clip_are_drawn_in_both_directions(num_frames, max_jump):
    rng = np.random.default_rng(0)
    drawn = np.array([draw_frames(rng, num_frames, max_jump) for _ in range(4000)])
    # The published cap leaves out the last frames, half a jump of them.
    assert set(drawn.ravel()) >= set(range(num_frames - min(max_jump, num_frames // 2) // 2))
    assert 0.45 < (drawn[:, 0] < drawn[:, 1]).mean() < 0.55
    if num_frames > 3:
        assert len(np.unique(drawn[:, 1])) > num_frames // 2


@pytest.mark.parametrize(("num_frames", "max_jump"), [(2, 5), (10, 0)])
def test_too_few_frames_or_no_jump_is_refused(num_frames, max_jump):
    with pytest.raises(ValueError, match=f"{num_frames} and {max_jump}"):
        draw_frames(np.random.default_rng(0), num_frames, max_jump)


def ids_with_areas(areas: list[list[int]]) -> np.ndarray:
    """Three frames of 384x384 in which object n covers areas[frame][n - 1] pixels."""
    ids = np.zeros((3, 384 * 384), np.uint8)
    for frame, frame_areas in enumerate(areas):
        start = 0
        for number, area in enumerate(frame_areas, start=1):
            ids[frame, start : start + area] = number
            start += area
    return ids.reshape(3, 384, 384)


def test_the_rule_for_objects_is_the_published_one():
    settings = TripletSettings()
    # above 10^2 and (above 30^2, or below 20^2 in both other frames)
    ids = ids_with_areas([[100, 101, 101, 901, 900], [0, 399, 0, 5000, 0], [0, 0, 400, 0, 400]])
    assert usable_objects(ids, settings).tolist() == [2, 4]
    without = dataclasses.replace(settings, drop_growing_objects=False)
    assert usable_objects(ids, without).tolist() == [2, 3, 4, 5]


def test_ignored_pixels_are_no_object():
    ids = np.full((3, 64, 64), 255, np.uint8)
    assert usable_objects(ids, PLAIN).tolist() == []


class VoidClip:
    def annotated_frames(self, key):
        return np.arange(3)

    def read_frame(self, key, t):
        ids = np.zeros((96, 96), np.uint8)
        ids[30:60, 30:60], ids[60:] = 1, 255
        return np.zeros((96, 96, 3), np.uint8), ids


def test_ignored_pixels_stay_so_in_the_labels():
    triplet = sample_triplet(np.random.default_rng(0), VoidClip(), "x", 1, dataclasses.replace(PLAIN, crop_size=96))
    assert {1, 255} <= set(np.unique(triplet.labels)) <= {0, 1, 255} and triplet.object_ids == (1,)


@pytest.mark.parametrize("crop_size", [64, 192, 384])
def test_triplets_have_the_promised_shapes_and_repeat(tiny_corpus, crop_size):
    corpus, settings = Corpus.open(tiny_corpus), TripletSettings(crop_size=crop_size)
    for seed in range(4):
        triplet, same = (
            sample_triplet(np.random.default_rng(seed), corpus, "tiny-000001", 5, settings) for _ in range(2)
        )
        assert triplet.rgb.shape == (3, crop_size, crop_size, 3) and triplet.rgb.dtype == np.uint8
        assert triplet.labels.shape == (3, crop_size, crop_size) and triplet.labels.max() <= 2
        assert np.array_equal(triplet.rgb, same.rgb) and np.array_equal(triplet.labels, same.labels)
        assert len(triplet.object_ids) == triplet.selector.sum() or triplet.object_ids == ()
        assert len(set(triplet.frames)) == 3


def test_labels_name_the_chosen_objects_in_every_frame(tiny_corpus):
    corpus = Corpus.open(tiny_corpus)
    settings = dataclasses.replace(PLAIN, drop_growing_objects=False, aspect_ratio=(1.5, 1.5), min_object_area=1)
    chosen = set()
    for seed in range(12):
        triplet = sample_triplet(np.random.default_rng(seed), corpus, "tiny-000001", 5, settings)
        chosen.add(triplet.object_ids)
        for t, labels in zip(triplet.frames, triplet.labels, strict=True):
            ids = warp_ids(
                corpus.read_ids("tiny-000001", t), crop_matrix(CropBox(left=0, top=0, width=96, height=64), 64), 64
            )
            for label, object_id in enumerate(triplet.object_ids, start=1):
                assert np.array_equal(labels == label, ids == object_id)
    assert len(chosen) > 3


def test_a_clip_without_a_usable_object_trains_background(tiny_corpus):
    settings = dataclasses.replace(PLAIN, min_object_area=1e9)
    triplet = sample_triplet(np.random.default_rng(0), Corpus.open(tiny_corpus), "tiny-000000", 5, settings)
    assert triplet.labels.max() == 0 and triplet.selector.tolist() == [1, 0] and triplet.object_ids == ()


def test_crops_fit_the_frame_and_cover_the_range():
    rng = np.random.default_rng(0)
    boxes = [draw_crop(rng, 256, 384, (0.25, 1.0), (3 / 4, 4 / 3)) for _ in range(500)]
    shares = np.array([box.width * box.height / (256 * 384) for box in boxes])
    assert all(b.left >= 0 and b.top >= 0 and b.left + b.width <= 384 and b.top + b.height <= 256 for b in boxes)
    assert 0.24 < shares.min() < 0.35 and 0.7 < shares.max() <= 1.0
    assert max(b.left for b in boxes) > 100 and max(b.top for b in boxes) > 60


def test_a_whole_crop_of_its_own_size_changes_nothing():
    rgb = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    matrix = crop_matrix(CropBox(left=0, top=0, width=64, height=64), 64)
    assert np.array_equal(warp_rgb(rgb, matrix, 64), rgb)
    assert np.array_equal(warp_rgb(rgb, flip_matrix(64) @ matrix, 64), rgb[:, ::-1])
    assert np.array_equal(warp_ids(rgb[..., 0], flip_matrix(64) @ matrix, 64), rgb[:, ::-1, 0])


@pytest.mark.parametrize("source", [(64, 96), (128, 192), (500, 750)])
def test_picture_and_ids_stay_aligned_under_every_transform(source):
    # The ids are painted into the picture; after the warp the picture must still say the ids.
    height, width = source
    rows, columns = np.mgrid[:height, :width]
    inside = ((columns - 0.55 * width) ** 2 + (rows - 0.45 * height) ** 2) < (0.3 * height) ** 2
    ids, rgb = inside.astype(np.uint8), np.repeat(np.where(inside, 255, 0).astype(np.uint8)[..., None], 3, axis=2)
    rng = np.random.default_rng(1)
    for _ in range(20):
        matrix = crop_matrix(draw_crop(rng, height, width, (0.25, 1.0), (3 / 4, 4 / 3)), 64)
        matrix = draw_rotation_shear(rng, 15, 10, 64) @ flip_matrix(64) @ matrix
        warped, warped_ids = warp_rgb(rgb, matrix, 64)[..., 0], warp_ids(ids, matrix, 64)
        # Compared where the border of the frame plays no part; half a pixel of shift would break 2 % or more.
        seen = warp_ids(np.full(source, 1, np.uint8), matrix, 64) == 1
        wrong = ((warped > 127) != (warped_ids == 1))[seen]
        assert wrong.mean() < 0.01


def test_warp_then_unwarp_gives_the_ids_back():
    ids = np.zeros((64, 64), np.uint8)
    ids[20:44, 24:40] = 3
    matrix = draw_rotation_shear(np.random.default_rng(3), 15, 10, 64)
    back = warp_ids(warp_ids(ids, matrix, 64), np.linalg.inv(matrix), 64)
    assert (back != ids).mean() < 0.02 and set(np.unique(back)) == {0, 3}


def test_outside_of_the_frame_is_mean_colour_and_background():
    rgb, ids = np.full((64, 64, 3), 9, np.uint8), np.ones((64, 64), np.uint8)
    shifted = np.array([[1.0, 0, 32], [0, 1, 0], [0, 0, 1]])
    assert warp_rgb(rgb, shifted, 64)[10, 10].tolist() == list(BORDER_RGB)
    assert warp_ids(ids, shifted, 64)[:, :32].max() == 0 and warp_ids(ids, shifted, 64)[:, 32:].min() == 1


def test_the_inverse_undoes():
    rng = np.random.default_rng(0)
    for _ in range(20):
        matrix = draw_rotation_shear(rng, 180, 40, 64) @ np.diag([*rng.uniform(0.1, 9, 2), 1.0])
        assert np.allclose(inverse_matrix(matrix), np.linalg.inv(matrix), rtol=1e-12, atol=1e-13)
    with pytest.raises(ZeroDivisionError):
        inverse_matrix(np.diag([1.0, 0, 1]))


@pytest.mark.parametrize("source", [(64, 96), (256, 384), (500, 750)])
@pytest.mark.parametrize("hue", [0.0, 0.1])
def test_the_part_that_is_seen_has_the_colours_of_the_whole(source, hue):
    height, width = source
    rng = np.random.default_rng(2)
    rgb = cv2.resize(rng.integers(0, 256, (12, 18, 3), np.uint8), (width, height), interpolation=cv2.INTER_CUBIC)
    limits = JitterRange(brightness=0.3, contrast=0.3, saturation=0.6, hue=hue)
    for _ in range(20):
        matrix = crop_matrix(draw_crop(rng, height, width, (0.1, 1.0), (3 / 4, 4 / 3)), 64)
        matrix = draw_rotation_shear(rng, 15, 10, 64) @ matrix
        changes = draw_jitter(rng, limits), draw_jitter(rng, JitterRange(contrast=0.02)), ColourChange(saturation=0.5)
        ours, whole = warp_rgb(rgb, matrix, 64, *changes), warp_rgb(change_colour(rgb, *changes), matrix, 64)
        # After a turn of hue the mean comes from a few pixels of the picture.
        assert np.abs(ours.astype(int) - whole).max() <= (1 if hue else 0)


def test_no_change_of_colours_reaches_the_border():
    rgb, bright = np.full((64, 64, 3), 100, np.uint8), ColourChange(brightness=1.5, hue=0.2)
    half = warp_rgb(rgb, translation_matrix(32, 0), 64, bright)
    assert (half[:, :32] == BORDER_RGB).all() and (half[:, 32:] == 150).all()
    assert (warp_rgb(rgb, translation_matrix(200, 0), 64, bright) == BORDER_RGB).all()


def test_no_sample_wakes_a_thread_of_the_linear_algebra(tiny_corpus, monkeypatch):
    def wake(*_arguments):
        raise AssertionError("OpenBLAS solves this with threads that spin on")

    for name in ("inv", "solve", "lstsq", "svd"):
        monkeypatch.setattr(np.linalg, name, wake)
    sample_triplet(np.random.default_rng(0), Corpus.open(tiny_corpus), "tiny-000001", 5, TripletSettings(crop_size=64))
    draw_spline(np.random.default_rng(0))


def test_labels_count_the_chosen_objects_and_keep_what_is_ignored():
    ids = np.array([[0, 3, 5], [7, 255, 5]], np.uint8)
    assert labels_of(ids, [5, 3]).tolist() == [[0, 2, 1], [0, 255, 1]]
    assert labels_of(ids, []).tolist() == [[0, 0, 0], [0, 255, 0]]


def test_strong_shrinking_averages_instead_of_picking():
    noise = np.random.default_rng(0).integers(0, 256, (512, 512, 3), dtype=np.uint8)
    small = warp_rgb(noise, crop_matrix(CropBox(left=0, top=0, width=512, height=512), 64), 64)
    assert small.std() < 15 and abs(small.mean() - noise.mean()) < 1


def test_colour_changes_do_what_they_say():
    rgb = np.random.default_rng(0).integers(60, 160, (8, 8, 3), dtype=np.uint8)
    assert np.array_equal(change_colour(rgb), rgb)
    assert np.allclose(change_colour(rgb, ColourChange(brightness=1.2)), rgb * 1.2, atol=0.51)
    grey = change_colour(rgb, ColourChange(saturation=0))
    assert np.array_equal(grey[..., 0], grey[..., 1]) and np.array_equal(grey[..., 0], grey[..., 2])
    flat = change_colour(rgb, ColourChange(contrast=0))
    assert np.ptp(flat) == 0 and abs(flat.mean() - (rgb @ [0.299, 0.587, 0.114]).mean()) < 1
    drawn = [draw_jitter(np.random.default_rng(i), JitterRange(brightness=0.1)) for i in range(200)]
    assert 0.9 <= min(c.brightness for c in drawn) < 0.92 and {c.contrast for c in drawn} == {1.0}


@pytest.mark.parametrize(
    "wrong",
    [
        {"crop_size": 100},
        {"area_scale": (0.5, 0.2)},
        {"aspect_ratio": (0.0, 1.0)},
        {"max_resamples": -3},
        {"flip_probability": 7.0},
        {"greyscale_probability": -0.1},
        {"shear_degrees": 90.0},
        {"rotation_degrees": float("nan")},
        {"min_object_area": -5.0},
        {"large_object_area": float("inf")},
        {"grown_object_area": -1.0},
    ],
)
def test_wrong_triplet_settings_are_named(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        TripletSettings(**wrong)
