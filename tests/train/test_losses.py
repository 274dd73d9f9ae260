import pytest
import torch
from vosforge.train.losses import (
    bootstrapped_cross_entropy,
    class_balanced_cross_entropy,
    matching_loss,
    mean_iou,
)


@pytest.fixture
def scores():
    generator = torch.Generator().manual_seed(3)
    return torch.randn(2, 3, 8, 8, generator=generator), torch.randint(0, 2, (2, 8, 8), generator=generator)


def test_loss_of_all_pixels_is_cross_entropy(scores):
    log_odds, labels = scores
    loss = bootstrapped_cross_entropy(log_odds, labels, torch.ones(2, 2), 1.0)
    assert torch.allclose(loss, torch.nn.functional.cross_entropy(log_odds, labels))


def test_kept_fraction_means_the_hardest_pixels_of_each_sample(scores):
    log_odds, labels = scores
    pixels = torch.nn.functional.cross_entropy(log_odds, labels, reduction="none").flatten(1)
    hardest = pixels.sort(dim=1, descending=True).values[:, :16].mean()
    assert torch.allclose(bootstrapped_cross_entropy(log_odds, labels, torch.ones(2, 2), 0.25), hardest)


def test_missing_object_is_left_out_of_the_classes(scores):
    log_odds, labels = scores
    log_odds = log_odds.requires_grad_()
    loss = bootstrapped_cross_entropy(log_odds, labels, torch.tensor([[1.0, 0.0], [1.0, 0.0]]), 1.0)
    assert torch.allclose(loss, torch.nn.functional.cross_entropy(log_odds[:, :2], labels))
    loss.backward()
    assert torch.isfinite(log_odds.grad).all() and not log_odds.grad[:, 2].any()


def test_mean_iou_counts_existing_objects_only():
    labels = torch.zeros(1, 4, 4, dtype=torch.long)
    labels[0, :2] = 1
    predicted = labels.clone()
    predicted[0, 1] = 0
    assert mean_iou(predicted, labels, torch.tensor([[1.0, 0.0]])).item() == pytest.approx(0.5)
    assert mean_iou(labels, labels, torch.ones(1, 2)).item() == 1.0
    assert mean_iou(torch.zeros_like(labels), torch.zeros_like(labels), torch.ones(1, 2)).item() == 1.0


def test_ignored_pixels_have_no_loss_and_no_part_in_the_iou(scores):
    log_odds, labels = scores
    labels[:, 4:] = 255
    seen = torch.nn.functional.cross_entropy(log_odds[:, :, :4], labels[:, :4])
    assert torch.allclose(bootstrapped_cross_entropy(log_odds, labels, torch.ones(2, 2), 1.0), seen)
    predicted = labels.clone()
    predicted[:, 4:] = 1
    assert mean_iou(predicted, labels, torch.ones(2, 2)).item() == 1.0


def test_half_ignored_sample_has_the_loss_of_its_other_half_also_of_its_hardest_pixels(scores):
    log_odds, labels = scores
    labels[0, 4:] = 255
    for kept in (1.0, 0.5, 0.15, 0.001):
        alone = [
            bootstrapped_cross_entropy(log_odds[:1, :, :4], labels[:1, :4], torch.ones(1, 2), kept),
            bootstrapped_cross_entropy(log_odds[1:], labels[1:], torch.ones(1, 2), kept),
        ]
        together = bootstrapped_cross_entropy(log_odds, labels, torch.ones(2, 2), kept)
        assert together.item() == pytest.approx(sum(alone).item() / 2)


@pytest.mark.parametrize("kept", [1.0, 0.3])
def test_gradient_flows_to_the_kept_pixels_with_a_label_alone(scores, kept):
    log_odds, labels = scores
    log_odds = log_odds.requires_grad_()
    labels[0, 4:] = 255
    bootstrapped_cross_entropy(log_odds, labels, torch.ones(2, 2), kept).backward()
    moved = log_odds.grad.abs().sum(dim=1) > 0
    assert moved.sum(dim=(1, 2)).tolist() == [int(32 * kept), int(64 * kept)]
    assert not moved[0, 4:].any()


@pytest.mark.parametrize("kept", [1.0, 0.3])
def test_sample_without_labels_has_no_loss_and_no_gradient(scores, kept):
    log_odds, labels = scores
    log_odds = log_odds.requires_grad_()
    labels[0] = 255
    alone = bootstrapped_cross_entropy(log_odds[1:], labels[1:], torch.ones(1, 2), kept)
    loss = bootstrapped_cross_entropy(log_odds, labels, torch.ones(2, 2), kept)
    loss.backward()
    assert torch.allclose(loss, alone / 2)
    assert torch.isfinite(log_odds.grad).all() and not log_odds.grad[0].any()


def test_mean_iou_does_not_depend_on_how_a_batch_is_divided():
    labels = torch.zeros(4, 4, 4, dtype=torch.long)
    labels[0, :2], labels[0, 2:], labels[1, :2], labels[2, 2:] = 1, 2, 1, 2
    predicted = torch.where(labels == 2, 0, labels)
    exists = torch.ones(4, 2)
    means = [
        torch.stack(
            [mean_iou(*(part.split(size)[i] for part in (predicted, labels, exists))) for i in range(4 // size)]
        )
        for size in (4, 2, 1)
    ]
    # By sample: one object of two, the only one, the only one missed, none to find.
    assert [mean.mean().item() for mean in means] == [pytest.approx((0.5 + 1 + 0 + 1) / 4)] * 3


def test_matching_loss_is_the_cross_entropy_of_the_affinity_over_the_cells_that_match():
    keys = torch.eye(6).reshape(1, 6, 2, 3) * 6**0.5 * 4
    matches = torch.tensor([[0, 1, 2, 3, -1, -1]])
    loss, hits = matching_loss(keys, keys, matches)
    # Each cell is 16 * 6 / sqrt(6) like itself and 0 like the five others.
    assert hits == 1 and loss == pytest.approx(0, abs=1e-6)
    wrong, none = matching_loss(keys, keys, (matches + 1) % 6)
    assert none == 0 and wrong == pytest.approx(16 * 6**0.5, rel=1e-4)


def test_matching_loss_weighs_samples_alike_and_passes_over_those_without_matches():
    generator = torch.Generator().manual_seed(1)
    queries, keys = (torch.randn(2, 4, 2, 2, generator=generator, requires_grad=True) for _ in range(2))
    matches = torch.tensor([[0, 1, 2, 3], [-1, -1, 3, -1]])
    both, _ = matching_loss(queries, keys, matches)
    apart = [matching_loss(queries[i : i + 1], keys[i : i + 1], matches[i : i + 1])[0] for i in range(2)]
    assert torch.allclose(both, torch.stack(apart).mean())
    nothing, hits = matching_loss(queries, keys, torch.full((2, 4), -1))
    nothing.backward()
    assert nothing == hits == 0 and not queries.grad.any()


def test_class_balance_weighs_a_class_by_the_share_of_the_other():
    logits = torch.tensor([[[2.0, -1.0], [0.5, 3.0]]])
    labels = torch.tensor([[[1, 0], [0, 0]]])
    terms = torch.nn.functional.binary_cross_entropy_with_logits(logits, labels.float(), reduction="none")
    expected = 3 / 4 * terms[0, 0, 0] + 1 / 4 * (terms.sum() - terms[0, 0, 0])
    assert torch.allclose(class_balanced_cross_entropy(logits, labels), expected)
    assert torch.allclose(class_balanced_cross_entropy(logits, labels, "mean"), expected / 4)
    assert torch.allclose(class_balanced_cross_entropy(logits[:, None], labels), expected)


def test_class_balance_is_each_samples_own_and_passes_over_ignored_pixels():
    logits, labels = torch.randn(2, 6, 6), torch.randint(0, 2, (2, 6, 6))
    apart = [class_balanced_cross_entropy(logits[i : i + 1], labels[i : i + 1]) for i in range(2)]
    assert torch.allclose(class_balanced_cross_entropy(logits, labels), torch.stack(apart).mean())
    ignored = torch.cat([labels, torch.full((2, 1, 6), 255)], dim=1)
    wild = torch.cat([logits, torch.full((2, 1, 6), 9.0)], dim=1)
    for reduction in ("sum", "mean"):
        expected = class_balanced_cross_entropy(logits, labels, reduction)
        assert torch.allclose(class_balanced_cross_entropy(wild, ignored, reduction), expected)


def test_a_sample_of_one_class_weighs_nothing_in_the_balance():
    logits = torch.randn(1, 4, 4, requires_grad=True)
    loss = class_balanced_cross_entropy(logits, torch.zeros(1, 4, 4, dtype=torch.long))
    loss.backward()
    assert loss.item() == 0 and not logits.grad.any()
    nothing = class_balanced_cross_entropy(logits, torch.full((1, 4, 4), 255), "mean")
    assert nothing.item() == 0
    with pytest.raises(ValueError, match="reduction is 'max'"):
        class_balanced_cross_entropy(logits, torch.zeros(1, 4, 4), "max")
