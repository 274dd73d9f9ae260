import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from vosforge.models.aggregate import aggregate_logits, hard_labels, soft_aggregate

probabilities = st.lists(st.floats(0, 1, width=32), min_size=1, max_size=5)


@settings(max_examples=50, deadline=None)
@given(probabilities)
def test_soft_aggregation_sums_to_one(values):
    result = soft_aggregate(torch.tensor(values)[:, None])
    assert result.shape == (len(values) + 1, 1)
    assert torch.isfinite(result).all()
    assert abs(result.sum().item() - 1) < 1e-5


@settings(max_examples=50, deadline=None)
@given(probabilities)
def test_order_of_objects_is_the_order_of_probabilities(values):
    objects = soft_aggregate(torch.tensor(values)[:, None])[1:, 0]
    for a, p in zip(objects, values, strict=True):
        for b, q in zip(objects, values, strict=True):
            assert p <= q or a >= b


def test_certain_object_takes_the_pixel_and_none_leaves_background():
    result = soft_aggregate(torch.tensor([[1.0, 0.0], [0.0, 0.0]]))
    assert result[1, 0] > 0.99 and result[0, 1] > 0.99


def test_log_odds_of_one_object_are_its_own():
    p = torch.tensor([[0.2, 0.7]])
    logits = aggregate_logits(p)
    assert torch.allclose(logits[1], torch.logit(p[0]), atol=1e-5)
    assert torch.allclose(logits[0], torch.logit(1 - p[0]), atol=1e-5)


def test_dimension_of_the_objects_is_chosen():
    p = torch.rand(4, 2, 3, 3)
    assert torch.allclose(soft_aggregate(p, dim=1), soft_aggregate(p.transpose(0, 1)).transpose(0, 1))


def test_saturated_bfloat16_probabilities_stay_finite():
    assert torch.isfinite(aggregate_logits(torch.tensor([[1.0, 0.0]], dtype=torch.bfloat16))).all()


def test_doubles_are_not_rounded():
    p = torch.tensor([[0.3], [0.6]], dtype=torch.float64)
    result = soft_aggregate(p)
    odds = torch.tensor([0.28 / 0.72, 0.3 / 0.7, 0.6 / 0.4], dtype=torch.float64)
    assert result.dtype == torch.float64
    assert torch.allclose(result[:, 0], odds / odds.sum(), atol=1e-14, rtol=0)


def test_the_label_is_that_of_the_largest_share_and_the_rest_is_background():
    masks = torch.tensor([[0.6, 0.3, 0.0, 0.4], [0.1, 0.6, 0.2, 0.1]])
    assert hard_labels(masks).tolist() == [1, 2, 0, 0]
    assert hard_labels(masks[None], dim=1).tolist() == [[1, 2, 0, 0]]
