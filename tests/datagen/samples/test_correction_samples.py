"""Samples of a correcting network: geometry, the object, what takes part, and the published numbers."""

import dataclasses

import numpy as np
import pytest
import torch
from vosforge.datagen.augmentation.colour import JitterRange
from vosforge.datagen.compositing.stills import CorpusStills, Still
from vosforge.datagen.corpus.reader import Corpus
from vosforge.datagen.corpus.shards import DamagedFile
from vosforge.datagen.samples.corrections import CorrectionPart, StillCorrectionSettings, sample_still_correction
from vosforge.datagen.samples.loader import collate, make_loader

SMALL = StillCorrectionSettings(crop_size=96)
FIXED = dataclasses.replace(
    SMALL,
    scale=(1, 1),
    several_scale=(1, 1),
    rotation_degrees=0,
    shear_degrees=0,
    flip_probability=0,
    greyscale_probability=0,
    jitter=JitterRange(),
)
COLOURS = {1: (220, 30, 30), 2: (30, 200, 40), 3: (30, 40, 230)}


def boxes(places: dict[int, tuple[int, int, int, int]], height=96, width=144) -> Still:
    """A grey picture with a coloured box (top, left, bottom, right) for each id; 255 is left grey."""
    rgb, ids = np.full((height, width, 3), 128, np.uint8), np.zeros((height, width), np.uint8)
    for number, (top, left, bottom, right) in places.items():
        ids[top:bottom, left:right] = number
        rgb[top:bottom, left:right] = COLOURS.get(number, (128, 128, 128))
    return Still(name="boxes", rgb=rgb, ids=ids)


ONE = boxes({1: (20, 40, 76, 104)})
TWO = boxes({1: (20, 30, 60, 66), 2: (30, 78, 84, 116)})


def draw(still, settings=SMALL, seed=0):
    return sample_still_correction(np.random.default_rng(seed), still, settings)


def draws(still, settings=SMALL, num=30):
    return [draw(still, settings, seed) for seed in range(num)]


def test_the_defaults_are_the_published_ones():
    settings = StillCorrectionSettings()
    assert (settings.crop_size, settings.scale, settings.several_scale) == (480, (0.8, 1.25), (0.8, 1.0))
    assert (settings.rotation_degrees, settings.shear_degrees, settings.flip_probability) == (20, 10, 0.5)
    assert settings.jitter == JitterRange(brightness=0.1, contrast=0.03, saturation=0.03)
    assert (settings.greyscale_probability, settings.from_zero_probability) == (0.05, 0.33)
    assert (settings.other_probability, settings.other_scribbles_probability, settings.other_iou) == (0.75, 0.5, 0.6)


def test_a_sample_is_a_function_of_the_state_of_the_generator():
    first, second, other = draw(TWO, seed=3), draw(TWO, seed=3), draw(TWO, seed=4)
    for name in first.BATCHED:
        assert np.array_equal(getattr(first, name), getattr(second, name)), name
    assert not np.array_equal(first.rgb, other.rgb)


def test_labels_lie_where_the_picture_shows_the_object():
    for sample in draws(TWO, dataclasses.replace(SMALL, greyscale_probability=0)):
        hue = sample.rgb[sample.labels == 1].astype(int).mean(axis=0).argmax()
        assert hue == {1: 0, 2: 1}[sample.object_id]
        own = np.delete(sample.rgb.astype(int), hue, axis=2).max(axis=2) + 60 < sample.rgb[..., hue]
        # Along the edges colours mix.
        assert np.count_nonzero(own != (sample.labels == 1)) < 0.06 * np.count_nonzero(own)


def test_scribbles_say_object_on_it_and_not_off_it():
    for sample in draws(TWO):
        true_mask = sample.labels == 1
        assert not (sample.positive & ~true_mask).any() and not (sample.negative & true_mask).any()
        assert bool(sample.kinds) == bool(sample.positive.any() or sample.negative.any())


def test_first_rounds_have_no_mask_and_later_ones_a_wrong_one():
    first = draws(ONE, dataclasses.replace(SMALL, from_zero_probability=1), 10)
    assert not any(sample.current_mask.any() for sample in first)
    assert all(sample.positive.any() for sample in first)
    later = draws(ONE, dataclasses.replace(SMALL, from_zero_probability=0), 10)
    ious = [iou(sample.current_mask, sample.labels == 1) for sample in later]
    assert max(ious) < 0.96 and np.mean(ious) > 0.3


def test_either_object_is_drawn_and_the_other_takes_part():
    settings = dataclasses.replace(FIXED, short_side=96, from_zero_probability=0, other_probability=1)
    lending = draws(TWO, dataclasses.replace(settings, other_scribbles_probability=1))
    assert {sample.object_id for sample in lending} == {1, 2}
    is_lent = ["other-object" in sample.kinds for sample in lending]
    assert np.mean(is_lent) > 0.8
    for sample, lent in zip(lending, is_lent, strict=True):
        if lent:
            assert (sample.negative & other_object(sample)).any()
    mixed_up = draws(TWO, dataclasses.replace(settings, other_scribbles_probability=0))
    assert np.mean([(sample.current_mask & other_object(sample)).any() for sample in mixed_up]) > 0.9


def test_an_object_of_a_few_pixels_is_drawn_only_where_there_is_no_larger_one():
    settings = dataclasses.replace(FIXED, max_redraws=0)
    small = {2: (40, 70, 46, 75)}
    assert {sample.object_id for sample in draws(boxes({1: (20, 50, 76, 66)} | small), settings)} <= {1, 2}
    shown = [sample for sample in draws(boxes({1: (20, 50, 76, 66)} | small), settings) if (sample.labels == 1).any()]
    assert {sample.object_id for sample in shown} == {1}
    alone = [sample for sample in draws(boxes(small), settings) if sample.object_id]
    assert {sample.object_id for sample in alone} == {2}


def test_a_still_without_objects_gives_a_background_sample():
    for sample in draws(boxes({255: (0, 0, 20, 144)}), num=5):
        assert sample.object_id == 0
        assert not (sample.labels == 1).any() and not sample.current_mask.any() and not sample.positive.any()


def test_pixels_to_be_ignored_stay_so():
    still = boxes({1: (20, 40, 76, 104), 255: (80, 0, 96, 144)})
    for sample in draws(still, FIXED, 10):
        assert set(np.unique(sample.labels)) <= {0, 1, 255}
        assert (sample.labels == 255).any()
    assert 255 not in np.concatenate([sample.labels for sample in draws(ONE, num=5)])


def test_a_longer_short_side_keeps_the_scale_of_the_still():
    whole = boxes({1: (40, 60, 56, 84)})
    at_scale = dataclasses.replace(FIXED, crop_size=64, short_side=96, min_object_area=0)
    areas = [np.count_nonzero(sample.labels == 1) for sample in draws(whole, at_scale)]
    assert max(areas) == 16 * 24 and min(areas) < 16 * 24
    shrunk = dataclasses.replace(FIXED, crop_size=64, min_object_area=0)
    areas = [np.count_nonzero(sample.labels == 1) for sample in draws(whole, shrunk)]
    assert max(areas) == pytest.approx(16 * 24 * (64 / 96) ** 2, rel=0.1)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"crop_size": 100}, "multiple of 16"),
        ({"short_side": 64}, "at least crop_size, 96"),
        ({"scale": (1.2, 0.8)}, "scale"),
        ({"flip_probability": 1.5}, "flip_probability"),
        ({"from_zero_probability": -1}, "from_zero_probability"),
        ({"max_redraws": -1}, "max_redraws"),
    ],
)
def test_settings_out_of_range_are_named(changes, words):
    with pytest.raises(ValueError, match=words):
        dataclasses.replace(SMALL, **changes)


def test_a_batch_holds_what_the_step_needs():
    batch = collate(draws(TWO, num=3))
    assert batch["rgb"].shape == (3, 3, 96, 96) and batch["rgb"].max() <= 1
    for name in ("current_mask", "positive", "negative"):
        assert batch[name].dtype == torch.float32 and batch[name].shape == (3, 96, 96)
        assert set(batch[name].unique().tolist()) <= {0.0, 1.0}
    assert batch["labels"].dtype == torch.int64
    assert batch["key"] == ["boxes"] * 3


def test_batches_of_a_corpus_do_not_depend_on_workers_or_where_a_run_goes_on(tiny_corpus):
    def batches(**options):
        part = CorrectionPart(CorpusStills(Corpus.open(tiny_corpus)), settings=dataclasses.replace(SMALL, crop_size=64))
        return list(make_loader([part], seed=5, batch_size=2, max_jump=lambda step: 1, num_steps=3, **options))

    whole, resumed, parallel = batches(), batches(start_step=2), batches(num_workers=1)
    assert [torch.equal(one["rgb"], two["rgb"]) for one, two in zip(whole, parallel, strict=True)] == [True] * 3
    for name in ("rgb", "current_mask", "positive", "negative", "labels", "number"):
        assert torch.equal(whole[2][name], resumed[0][name]), name


def test_fetching_once_gives_the_same_samples(tiny_corpus):
    part = CorrectionPart(CorpusStills(Corpus.open(tiny_corpus)), settings=SMALL)
    drawn, fetched = part.sample(np.random.default_rng(1), 0, 1), part.fetch(0)(np.random.default_rng(1), 1)
    assert np.array_equal(drawn.rgb, fetched.rgb) and np.array_equal(drawn.current_mask, fetched.current_mask)


def test_a_still_that_cannot_be_read_is_named():
    class Broken:
        def __len__(self):
            return 1

        def read(self, rng, number):
            raise ValueError("no picture")

        def name(self, number):
            return "torn.jpg"

    with pytest.raises(DamagedFile, match="no picture") as caught:
        CorrectionPart(Broken(), settings=SMALL).sample(np.random.default_rng(0), 0, 1)
    assert caught.value.name == "torn.jpg"


def other_object(sample) -> np.ndarray:
    """The pixels in the colour of the object of TWO that is not the sample's."""
    hue = {1: 1, 2: 0}[sample.object_id]
    return sample.rgb[..., hue].astype(int) > np.delete(sample.rgb.astype(int), hue, axis=2).max(axis=2) + 60


def iou(first: np.ndarray, second: np.ndarray) -> float:
    return np.count_nonzero(first & second) / np.count_nonzero(first | second)


def test_no_negative_scribble_lies_on_pixels_to_be_ignored():
    still = boxes({255: (0, 0, 96, 144), 1: (20, 40, 76, 104), 0: (0, 60, 20, 84)})
    for settings in (FIXED, dataclasses.replace(FIXED, from_zero_probability=1)):
        for sample in draws(still, settings):
            assert not (sample.negative & (sample.labels == 255)).any()
            assert bool(sample.kinds) == bool(sample.positive.any() or sample.negative.any())
    later = draws(still, dataclasses.replace(FIXED, from_zero_probability=0))
    assert any((sample.current_mask & (sample.labels == 255)).any() for sample in later), "no cut at the outline"


def test_the_only_object_of_a_still_may_have_any_size():
    still, at = boxes({1: (40, 60, 48, 68)}), dataclasses.replace(FIXED, short_side=96, min_object_area=80.0**2)
    matrices = [draw(still, dataclasses.replace(at, max_redraws=n), seed=4).rgb for n in (0, 5)]
    assert np.array_equal(*matrices), "no crop is drawn again"
