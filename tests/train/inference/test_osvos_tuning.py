from types import SimpleNamespace

import numpy as np
import pytest
import torch
from vosforge.models.osvos import SIZES, OSVOSNetwork
from vosforge.train.inference import osvos_tuning
from vosforge.train.inference.osvos_tuning import Example, TuningSettings, probability_of_frame, tuned
from vosforge.train.losses import class_balanced_cross_entropy

QUICK = TuningSettings(
    iterations=60, batch_size=2, optimiser="adam", learning_rate=1e-2, reduction="mean", scale=(1, 1), weight_decay=0
)


@pytest.fixture
def parent():
    torch.manual_seed(0)
    return OSVOSNetwork(SIZES["tiny"]).eval()


def frame(left, side=48, width=64):
    """A red square on green; its mask."""
    mask = np.zeros((side, width), bool)
    mask[12:36, left : left + 20] = True
    rgb = np.where(mask[..., None], np.array([200, 40, 40], np.uint8), np.array([40, 160, 60], np.uint8))
    return Example(rgb=rgb, mask=mask)


def iou(one, other):
    return (one & other).sum() / max(1, (one | other).sum())


def test_a_tuned_network_finds_the_object_in_another_frame(parent):
    network = tuned(parent, [frame(8)], QUICK)
    other = frame(36)
    assert iou(probability_of_frame(network, other.rgb, QUICK) > 0.5, other.mask) > 0.8
    assert iou(probability_of_frame(parent, other.rgb, QUICK) > 0.5, other.mask) < 0.5


def test_tuning_leaves_the_parent_and_repeats_itself(parent):
    before = {name: value.clone() for name, value in parent.state_dict().items()}
    settings = TuningSettings(iterations=3, batch_size=2, optimiser="adam", learning_rate=1e-3, reduction="mean")
    one, two = (tuned(parent, [frame(8), frame(30)], settings).state_dict() for _ in range(2))
    assert all(torch.equal(value, parent.state_dict()[name]) for name, value in before.items())
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert any(not torch.equal(one[name], before[name]) for name in one)


def test_without_iterations_the_parent_answers(parent):
    rgb = frame(8).rgb
    network = tuned(parent, [frame(8)], TuningSettings(iterations=0))
    answers = [probability_of_frame(one, rgb, TuningSettings(short_side=32)) for one in (parent, network)]
    assert np.array_equal(*answers) and answers[0].shape == rgb.shape[:2]


def test_a_pixel_is_the_objects_from_the_threshold_on(parent):
    rgb = frame(8).rgb
    with torch.inference_mode():
        log_odds = parent(torch.from_numpy(rgb).permute(2, 0, 1)[None] / 255)[-1][0, 0].numpy()
    threshold = 1 / (1 + np.exp(-np.median(log_odds)))
    found = probability_of_frame(parent, rgb, TuningSettings(threshold=threshold))
    assert np.allclose(np.log(found / (1 - found)), log_odds - np.median(log_odds), atol=1e-4)
    assert np.array_equal(found > 0.5, log_odds > np.median(log_odds))


def test_published_tuning_is_sgd_of_the_sum():
    settings = TuningSettings()
    assert (settings.iterations, settings.optimiser, settings.learning_rate, settings.reduction) == (
        500,
        "sgd",
        1e-8,
        "sum",
    )
    assert settings.threshold == 0.8


def test_an_update_by_sgd_goes_down_the_summed_loss_by_the_shares_of_each_layer(parent, monkeypatch):
    rng = np.random.default_rng(0)
    crop = SimpleNamespace(
        rgb=rng.integers(0, 256, (32, 32, 3), np.uint8), labels=lambda: np.pad(np.ones((12, 12), np.int64), 10)
    )
    monkeypatch.setattr(osvos_tuning, "draw_object_crop", lambda *_: crop)
    settings = TuningSettings(iterations=1, batch_size=1, learning_rate=1e-4)
    moved = dict(tuned(parent, [frame(8)], settings).named_parameters())
    answer = parent(torch.from_numpy(crop.rgb).permute(2, 0, 1)[None] / 255)[-1]
    class_balanced_cross_entropy(answer, torch.from_numpy(crop.labels())[None], "sum").backward()
    for name, weight in parent.named_parameters():
        if weight.grad is None:
            assert name.startswith("score"), "only the fused answer learns"
            continue
        share = (0.01 if name.startswith("fuse") else 1) * (2 if name.endswith("bias") else 1)
        decay = 0 if name.endswith("bias") else 2e-4 * weight.detach()
        expected = -1e-4 * share * (weight.grad + decay)
        assert torch.allclose(moved[name].detach() - weight.detach(), expected, rtol=1e-3, atol=1e-7), name
        assert expected.abs().max() > 1e-6, name


def test_tuning_without_a_mask_or_with_wrong_numbers_is_refused(parent):
    with pytest.raises(ValueError, match="no frame to tune"):
        tuned(parent, [], QUICK)
    with pytest.raises(ValueError, match="iterations of tuning are -1"):
        TuningSettings(iterations=-1)
    with pytest.raises(ValueError, match="give a number between 0 and 1"):
        TuningSettings(threshold=1.0)
