import numpy as np
import pytest
import torch
from vosforge.datagen.simulation.clicks.click_maps import DEXTR_SIGMA
from vosforge.datagen.simulation.clicks.clicks import Click
from vosforge.datagen.simulation.robot.strokes import Stroke
from vosforge.models.aggregate import aggregate_logits
from vosforge.models.click_net import SIZES, ClickNetwork
from vosforge.train.inference import click_interaction
from vosforge.train.inference.click_interaction import (
    ClickNetSettings,
    clamped,
    clicks_on_stroke,
    probability_of_clicks,
)
from vosforge.train.inference.dense_crf import DenseCRFSettings

ON, OFF = Click(x=10.5, y=20.5, positive=True), Click(x=30.5, y=5.5, positive=False)


@pytest.fixture
def network():
    torch.manual_seed(0)
    return ClickNetwork(SIZES["tiny"])


def frame(height=40, width=56):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8), np.zeros((height, width), bool)


def test_marked_pixels_are_as_the_user_said():
    probability = clamped(np.full((40, 56), 0.4), [ON, OFF], 2)
    assert probability[20, 10] == probability[20, 12] == 1 and probability[5, 30] == 0
    assert probability[20, 13] == pytest.approx(0.4) and (probability == 1).sum() == 13
    assert (clamped(np.full((40, 56), 0.4), [ON], 0) == 1).sum() == 1
    assert not (clamped(np.full((40, 56), 0.4), [ON], None) == 1).any()


def test_a_later_click_overrules_an_earlier_one():
    taken_back = Click(x=11.5, y=20.5, positive=False)
    assert clamped(np.full((40, 56), 0.4), [ON, taken_back], 2)[20, 10] == 0
    assert clamped(np.full((40, 56), 0.4), [taken_back, ON], 2)[20, 10] == 1


@pytest.mark.parametrize("kind", ["tiny", "tiny-distance"])
def test_answer_has_the_size_of_the_frame_and_keeps_the_clicks(kind):
    rgb, empty = frame()
    probability = probability_of_clicks(
        ClickNetwork(SIZES[kind]), rgb, empty, [ON, OFF], ClickNetSettings(short_side=32)
    )
    assert probability.shape == empty.shape and probability.dtype == np.float32
    assert probability[20, 10] == 1 and probability[5, 30] == 0 and 0 < probability[35, 50] < 1


def test_padding_and_scale_leave_the_click_where_it_is(network):
    """A network that answers with its click map shows where the clicks entered."""
    rgb, empty = frame(42, 60)

    class Echo(torch.nn.Module):
        size, normalise = network.size, network.normalise

        def __init__(self):
            super().__init__()
            self.scale = torch.nn.Parameter(torch.tensor(10.0))

        def forward(self, rgb, mask, clicks):
            return clicks * self.scale

    for short_side in (None, 84):
        settings = ClickNetSettings(short_side=short_side, clamp_radius=None, sigma=2)
        probability = probability_of_clicks(Echo(), rgb, empty, [ON], settings)
        assert np.unravel_index(probability.argmax(), empty.shape) == (20, 10)


def test_present_mask_and_clicks_change_the_answer(network):
    rgb, empty = frame()
    settings = ClickNetSettings(clamp_radius=None)
    whole = probability_of_clicks(network, rgb, ~empty, [ON], settings)
    assert not np.allclose(whole, probability_of_clicks(network, rgb, empty, [ON], settings))
    assert not np.allclose(whole, probability_of_clicks(network, rgb, ~empty, [OFF], settings))


def test_the_crf_comes_before_the_clicks_have_the_last_word(network):
    rgb, empty = frame()
    crf = DenseCRFSettings(engine="exact")
    refined = probability_of_clicks(network, rgb, empty, [ON, OFF], ClickNetSettings(crf=crf))
    plain = probability_of_clicks(network, rgb, empty, [ON, OFF], ClickNetSettings())
    assert not np.allclose(refined, plain) and refined[20, 10] == 1 and refined[5, 30] == 0


def test_the_crf_sees_the_probability_that_the_loss_saw(network, monkeypatch):
    rgb, empty = frame()
    plain = probability_of_clicks(network, rgb, empty, [ON], ClickNetSettings(clamp_radius=None))
    seen = []
    monkeypatch.setattr(click_interaction, "refine_mask", lambda given, *_: seen.append(given) or given)
    settings = ClickNetSettings(clamp_radius=None, crf=DenseCRFSettings())
    passed = probability_of_clicks(network, rgb, empty, [ON], settings)
    trained = aggregate_logits(torch.from_numpy(plain)[None]).softmax(dim=0)[1]
    assert np.allclose(seen[0], trained, atol=1e-5) and not np.allclose(seen[0], plain, atol=1e-3)
    assert np.allclose(passed, plain, atol=1e-5)
    monkeypatch.setattr(
        click_interaction, "refine_mask", lambda given, *_: np.where(given > 0.5, 1, 0).astype(np.float32)
    )
    assert set(np.unique(probability_of_clicks(network, rgb, empty, [ON], settings))) <= {0.0, 1.0}


def test_clicks_are_as_wide_as_in_training(network):
    rgb, empty = frame()
    given = []
    network.register_forward_pre_hook(lambda _, args: given.append(args[2]))
    for trained_with, sigma in (({}, None), ({"sigma": 9.0}, None), ({"sigma": 9.0}, DEXTR_SIGMA)):
        network.trained_with = trained_with
        probability_of_clicks(network, rgb, empty, [ON], ClickNetSettings(sigma=sigma))
    assert torch.equal(given[0], given[2]) and given[1].sum() > 2 * given[0].sum()


def test_a_stroke_becomes_clicks_along_it():
    clicks = clicks_on_stroke(Stroke(object_id=1, path=np.array([[0.0, 0.5], [1.0, 0.5]])), 41, 61, 20, True)
    assert [(click.x, click.y) for click in clicks] == [(0.5, 20.5), (20.5, 20.5), (40.5, 20.5), (60.5, 20.5)]
    assert all(click.positive for click in clicks)


def test_sizes_that_differ_are_refused(network):
    rgb, _ = frame()
    with pytest.raises(ValueError, match="must be of one frame"):
        probability_of_clicks(network, rgb, np.zeros((3, 3), bool), [ON], ClickNetSettings())
