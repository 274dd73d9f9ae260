"""Samples of clicks and of foregrounds: a still of two bars, one of them to be ignored in part."""

import numpy as np
import pytest
from vosforge.datagen.compositing.stills import Still
from vosforge.datagen.samples.click_samples import (
    MAX_CLICKS,
    ClickPart,
    ClickSampleSettings,
    click_table,
    clicks_of_table,
    sample_clicks,
)
from vosforge.datagen.samples.foregrounds import ForegroundPart, ForegroundSettings
from vosforge.datagen.samples.loader import collate
from vosforge.datagen.simulation.clicks.click_maps import distance_maps
from vosforge.datagen.simulation.clicks.clicks import Click

SETTINGS = ClickSampleSettings(crop_size=64, rotation_degrees=0, scale=(1, 1), several_scale=(1, 1))


def bars(ignored=False):
    ids = np.zeros((64, 64), np.uint8)
    ids[10:54, 8:28], ids[10:54, 36:56] = 1, 2
    if ignored:
        ids[:8] = 255
    rgb = np.repeat((ids[..., None] * 60).astype(np.uint8), 3, axis=2)
    return Still(name="bars", rgb=rgb, ids=ids)


class OneStill:
    def __len__(self):
        return 1

    def read(self, rng, number):
        return bars()

    def name(self, number):
        return "bars"

    def fingerprint(self):
        return "bars"


def test_positive_clicks_lie_on_the_object_and_negative_ones_beside_it():
    seen = set()
    for seed in range(20):
        sample = sample_clicks(np.random.default_rng(seed), bars(), SETTINGS)
        clicks = clicks_of_table(sample.clicks)
        assert all((sample.labels[click.pixel] == 1) == click.positive for click in clicks)
        seen |= {click.positive for click in clicks}
    assert seen == {True, False}


def test_no_negative_click_lies_on_pixels_that_are_ignored():
    for seed in range(20):
        sample = sample_clicks(np.random.default_rng(seed), bars(ignored=True), SETTINGS)
        assert (sample.labels == 255).any()
        assert all(sample.labels[click.pixel] != 255 for click in clicks_of_table(sample.clicks))


def test_the_same_state_draws_the_same_sample():
    one, two = (sample_clicks(np.random.default_rng(5), bars(), SETTINGS) for _ in range(2))
    assert np.array_equal(one.clicks, two.clicks) and np.array_equal(one.rgb, two.rgb)


def test_a_table_holds_clicks_in_order_and_stacks():
    clicks = (Click(x=3.5, y=1.5, positive=True), Click(x=2.5, y=9.5, positive=False))
    assert clicks_of_table(click_table(clicks)) == clicks
    assert clicks_of_table(click_table(clicks * MAX_CLICKS)) == (clicks * MAX_CLICKS)[:MAX_CLICKS]
    part = ClickPart(OneStill(), settings=SETTINGS)
    batch = collate([part.sample(np.random.default_rng(seed), 0, 1) for seed in range(3)])
    assert batch["clicks"].shape == (3, MAX_CLICKS, 3) and batch["rgb"].shape == (3, 3, 64, 64)


def test_a_still_without_objects_is_all_background_without_clicks():
    still = Still(name="empty", rgb=np.zeros((64, 64, 3), np.uint8), ids=np.zeros((64, 64), np.uint8))
    sample = sample_clicks(np.random.default_rng(0), still, SETTINGS)
    assert not sample.labels.any() and not sample.clicks.any() and sample.object_id == 0


@pytest.mark.parametrize(("objects", "least"), [("union", 1700), ("each", 800)])
def test_foregrounds_are_all_objects_or_one(objects, least):
    settings = ForegroundSettings(crop_size=64, rotation_degrees=0, scale=(1, 1), several_scale=(1, 1), objects=objects)
    sample = ForegroundPart(OneStill(), settings=settings).sample(np.random.default_rng(0), 0, 1)
    assert set(np.unique(sample.labels)) == {0, 1}
    assert least < (sample.labels == 1).sum() < 1.2 * least


def test_distance_maps_grow_from_the_clicks_of_their_sign():
    positive, negative = distance_maps([Click(x=2.5, y=1.5, positive=True)], 8, 16, truncation=10)
    assert positive[1, 2] == 0 and positive[1, 5] == pytest.approx(0.3) and positive[5, 5] == pytest.approx(0.5)
    assert positive[7, 15] == 1 and (negative == 1).all()
    with pytest.raises(ValueError, match="truncation is 0"):
        distance_maps([], 8, 8, truncation=0)
