from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from vosforge.datagen.augmentation.colour import JitterRange
from vosforge.datagen.corpus.reader import Corpus
from vosforge.datagen.samples.loader import make_loader
from vosforge.datagen.samples.tracklets import TrackletPart, TrackletSettings, draw_neighbours, sample_tracklet

PLAIN = TrackletSettings(
    crop_size=64,
    num_frames=4,
    short_side=None,
    reverse_probability=0.0,
    flip_probability=0.0,
    clip_jitter=JitterRange(),
    rotation_degrees=0.0,
    shear_degrees=0.0,
    scale=(1.0, 1.0),
    min_object_area=0.0,
)


@given(
    st.integers(1, 60), st.integers(1, 9), st.integers(0, 5), st.integers(1, 9), st.booleans(), st.integers(0, 2**32)
)
def test_frames_are_in_order_on_one_side_of_the_first_where_the_clip_is_long_enough(
    clip_frames, num_frames, more, max_jump, backwards, seed
):
    window = num_frames - 1 + more
    settings = replace(PLAIN, num_frames=num_frames, window=window, reverse_probability=float(backwards))
    frames = np.array(draw_neighbours(np.random.default_rng(seed), clip_frames, settings, max_jump))
    assert len(frames) == num_frames and frames.min() >= 0 and frames.max() < clip_frames
    steps = np.diff(frames) * (-1 if backwards else 1)
    if clip_frames >= num_frames:
        assert (steps > 0).all() and steps.sum() <= max_jump * window
    elif clip_frames > 1:
        assert (np.abs(steps) == 1).all()


def test_consecutive_frames_are_one_jump_apart_each():
    rng = np.random.default_rng(0)
    drawn = {tuple(np.diff(draw_neighbours(rng, 40, PLAIN, 3))) for _ in range(100)}
    assert drawn == {(1, 1, 1), (2, 2, 2), (3, 3, 3)}


def test_drawn_neighbours_are_some_of_the_window():
    settings = replace(PLAIN, num_frames=5, window=7)
    rng = np.random.default_rng(0)
    drawn = [draw_neighbours(rng, 40, settings, 1) for _ in range(300)]
    offsets = {number - frames[0] for frames in drawn for number in frames[1:]}
    assert offsets == set(range(1, 8))
    assert {frames[0] for frames in drawn} >= set(range(33))


def test_a_short_clip_goes_to_and_fro():
    settings = replace(PLAIN, num_frames=7)
    assert draw_neighbours(np.random.default_rng(0), 3, settings, 5) == (0, 1, 2, 1, 0, 1, 2)
    assert draw_neighbours(np.random.default_rng(0), 1, replace(PLAIN, num_frames=1), 5) == (0,)


def test_labels_are_one_object_of_the_clip_as_stored(tiny_corpus):
    corpus = Corpus.open(tiny_corpus)
    key = corpus.split("train")[0].key
    for seed in range(5):
        sample = sample_tracklet(np.random.default_rng(seed), corpus, key, 2, PLAIN)
        assert sample.rgb.shape == (4, 64, 64, 3) and sample.labels.shape == (4, 64, 64)
        assert sample.object_id > 0 and (sample.labels[0] == 1).any()
        for t, rgb, labels in zip(sample.frames, sample.rgb, sample.labels, strict=True):
            stored_rgb, stored_ids = corpus.read_frame(key, t)
            # The frames are 64 lines high: the crop is a window of whole pixels but for a part of one.
            wanted = (stored_ids == sample.object_id).astype(np.uint8) * 1
            wanted[stored_ids == 255] = 255
            scores = [(labels == wanted[:, x : x + 64]).mean() for x in range(stored_ids.shape[1] - 63)]
            assert max(scores) == 1.0
            x = int(np.argmax(scores))
            assert np.abs(rgb.astype(int) - stored_rgb[:, x : x + 64]).mean() < 30


def test_object_shows_in_the_first_frame_or_all_is_background(tiny_corpus):
    corpus = Corpus.open(tiny_corpus)
    key = corpus.split("train")[0].key
    found = sample_tracklet(np.random.default_rng(0), corpus, key, 1, PLAIN)
    assert (found.labels[0] == 1).sum() > 0
    impossible = replace(PLAIN, min_object_area=1e9)
    nothing = sample_tracklet(np.random.default_rng(0), corpus, key, 1, impossible)
    assert nothing.object_id == 0 and not (nothing.labels == 1).any() and nothing.selector.tolist() == [1.0]


def test_one_affine_map_moves_all_frames_alike_and_own_maps_do_not(tiny_corpus):
    corpus = Corpus.open(tiny_corpus)
    key = corpus.split("train")[0].key
    still = replace(PLAIN, num_frames=2, rotation_degrees=40.0, scale=(0.7, 1.3))

    class Frozen:
        def annotated_frames(self, _):
            return corpus.annotated_frames(key)

        def read_frame(self, _, t):
            return corpus.read_frame(key, 0)

    same = sample_tracklet(np.random.default_rng(2), Frozen(), key, 1, still)
    assert (same.rgb[0] == same.rgb[1]).all()
    own = sample_tracklet(np.random.default_rng(2), Frozen(), key, 1, replace(still, frame_rotation_degrees=20.0))
    assert (own.rgb[0] != own.rgb[1]).any()


def test_part_gives_the_same_sample_by_frame_and_by_clip_and_batches(tiny_corpus):
    part = TrackletPart(Corpus.open(tiny_corpus), settings=replace(PLAIN, crop_size=32))
    one = part.sample(np.random.default_rng(5), 1, 2)
    other = part.fetch(1)(np.random.default_rng(5), 2)
    assert (one.rgb == other.rgb).all() and (one.labels == other.labels).all() and one.frames == other.frames
    batch = next(make_loader([part], seed=0, batch_size=3, max_jump=lambda _: 2, num_steps=1))
    assert batch["rgb"].shape == (3, 4, 3, 32, 32) and batch["rgb"].dtype == torch.float32
    assert batch["labels"].shape == (3, 4, 32, 32) and batch["labels"].dtype == torch.int64
    assert batch["selector"].tolist() == [[1.0]] * 3
    assert batch["frames"].shape == (3, 4) and batch["object_id"].shape == (3,)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"crop_size": 40}, "multiple of 16"),
        ({"num_frames": 0}, "num_frames is 0"),
        ({"window": 2}, "give 3 or more"),
        ({"short_side": 48}, "at least crop_size"),
        ({"flip_probability": 2.0}, "flip_probability"),
        ({"shear_degrees": 90.0}, "shear_degrees is 90.0, it must be from 0 to 80"),
        ({"frame_rotation_degrees": -1.0}, "frame_rotation_degrees is -1.0, it must be at least 0"),
        ({"max_resamples": -1}, "max_resamples is -1, it must be at least 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        replace(PLAIN, **wrong)
