"""The answer of a step that segments one object a sample. B batch, H W pixels."""

import torch
from torch import Tensor

from ...models.aggregate import aggregate_logits, most_likely
from ..losses import bootstrapped_cross_entropy, mean_iou
from ..stage import StepResult


def object_result(logits: Tensor, labels: Tensor, kept_fraction: float, before: Tensor | None = None) -> StepResult:
    """Return loss, scores and prediction of an object's logits x (B, 1, H, W), one of two classes.

    The other one, background, has 1 - sigmoid(x); their odds are shared out by soft aggregation, as everywhere. So the
    probability that the loss sees is sigmoid(2x). labels: (B, H, W) in {0, 1, 255}. kept_fraction: see
    `bootstrapped_cross_entropy`. before: int64 (B, H, W), the mask that was corrected, for the metric iou_before.
    predicted is (B, 1, H, W).
    """
    log_odds = aggregate_logits(logits.sigmoid(), dim=1)
    exists = torch.ones(len(labels), 1, device=labels.device)
    loss = bootstrapped_cross_entropy(log_odds, labels, exists, kept_fraction)
    with torch.no_grad():
        predicted = most_likely(log_odds, dim=1)
        metrics = {"loss": loss.detach(), "iou": mean_iou(predicted, labels, exists)}
        if before is not None:
            metrics["iou_before"] = mean_iou(before, labels, exists)
    return StepResult(loss=loss, metrics=metrics, predicted=predicted[:, None])
