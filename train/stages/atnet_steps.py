"""Steps of ATNet's two stages (Heo, Koh, Kim, ECCV 2020, Sec. 3.4). B batch, T frames, H W pixels."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ...datagen.corpus.records import IGNORE_ID
from ...datagen.simulation.mask_deformation import DeformationSettings
from ...datagen.simulation.regions import require_limits
from ...datagen.simulation.robot.robot import RobotSettings
from ...datagen.simulation.scribbles.annotated_input import AnnotatedInputSettings, sample_annotated_input
from ...models.atnet import Annotation, ATNetwork
from ...models.dropout import set_dropout_keys
from ..losses import class_balanced_cross_entropy, mean_iou
from ..stage import Scheduled, Stage, StepResult
from ..step_draws import drawn_number, sample_keys


def annotation_step(
    network: ATNetwork, batch: Mapping[str, Any], rng: np.random.Generator, scheduled: Scheduled, **user: Any
) -> StepResult:
    """Teach A-Net to segment one object from what a user gives.

    batch: rgb (B, T, 3, H, W) in [0, 1], labels (B, T, H, W) in {0, 1, 255}, selector (B, 1), number (B,), see
    `Tracklet`; of T frames the first counts. user: of `AnnotatedInputSettings`; what is drawn depends on rng and the
    sample's number alone, as does the dropout. predicted is (B, 1, H, W).
    """
    rgb, labels = batch["rgb"][:, 0], batch["labels"][:, 0]
    set_dropout_keys(network, sample_keys(rng, batch["number"]))
    maps = annotated_inputs(rng, batch, _settings(user))
    logits = network.annotation(rgb, *maps).logits
    loss = class_balanced_cross_entropy(logits, labels, "mean")
    with torch.no_grad():
        predicted = (logits[:, 0] > 0).long()
        metrics = {"loss": loss.detach(), "iou": mean_iou(predicted, labels, batch["selector"])}
    return StepResult(loss=loss, metrics=metrics, predicted=predicted[:, None])


def transfer_step(
    network: ATNetwork,
    batch: Mapping[str, Any],
    rng: np.random.Generator,
    scheduled: Scheduled,
    *,
    local_weight: float = 0.1,
    **user: Any,
) -> StepResult:
    """Teach T-Net to carry an object from an annotated frame through T - 1 target frames, one after another.

    batch, user: as `annotation_step`; the first frame is the annotated one, which A-Net segments as it was trained:
    the stage keeps it frozen. Each target frame is given what the frame before it got, detached (ours; not stated).
    Loss: class-balanced cross-entropy plus local_weight times the squared error of local transfer's map, both averaged
    over the target frames. predicted is (B, T - 1, H, W).
    """
    rgb, labels, selector = batch["rgb"], batch["labels"], batch["selector"]
    set_dropout_keys(network, sample_keys(rng, batch["number"]))
    maps = annotated_inputs(rng, batch, _settings(user))
    with torch.no_grad():
        annotation: Annotation = network.annotation(rgb[:, 0], *maps)
    net = network.transfer
    objects = [net.object_features(annotation)]
    # One pass over all frames of a clip: batch statistics are those of annotated and target frames together.
    frames = net.encode(rgb.flatten(0, 1))
    frames = [frames.rows(slice(t, None, rgb.shape[1])) for t in range(rgb.shape[1])]
    mask, terms, predicted = annotation.logits.sigmoid(), [], []
    for t in range(1, len(frames)):
        result = net(frames[t], [frames[0].f16], objects, frames[t - 1].f4, mask)
        mask = result.logits.detach().sigmoid()
        balanced = class_balanced_cross_entropy(result.logits, labels[:, t], "mean")
        terms.append(torch.stack([balanced, local_map_error(result.local_map, labels[:, t])]))
        predicted.append((result.logits[:, 0] > 0).long())
    balanced, local = torch.stack(terms).mean(dim=0)
    loss = balanced + local_weight * local
    with torch.no_grad():
        found = [mean_iou(one, labels[:, t], selector) for t, one in enumerate(predicted, start=1)]
        metrics = {
            "loss": loss.detach(),
            "iou": torch.stack(found).mean(),
            "iou_annotated": mean_iou((annotation.logits[:, 0] > 0).long(), labels[:, 0], selector),
            "local_error": local.detach(),
        }
    return StepResult(loss=loss, metrics=metrics, predicted=torch.stack(predicted, dim=1))


def check_annotation(stage: Stage, samples: Any, settings: Mapping[str, Any]) -> None:
    """Raise ValueError unless the samples, with these settings, serve `annotation_step` with its own."""
    if samples.num_frames != 1:
        raise ValueError(f"sample_settings.num_frames is {samples.num_frames}; A-Net learns from single frames, give 1")
    if "annotation" in stage.frozen:
        raise ValueError(f"frozen is {', '.join(stage.frozen)}; this stage trains annotation, leave it out")
    _settings(settings)


def check_transfer(stage: Stage, samples: Any, settings: Mapping[str, Any]) -> None:
    """Raise ValueError unless the samples, with these settings, serve `transfer_step` with its own."""
    if samples.num_frames < 2:
        raise ValueError(
            f"sample_settings.num_frames is {samples.num_frames}; T-Net carries an object on, give 2 or more"
        )
    if "annotation" not in stage.frozen:
        raise ValueError(f"frozen is {', '.join(stage.frozen) or 'nothing'}; T-Net learns beside annotation as it is")
    require_limits(0, local_weight=settings["local_weight"])
    _settings({name: value for name, value in settings.items() if name != "local_weight"})


def local_map_error(local_map: Tensor, labels: Tensor) -> Tensor:
    """Mean squared error of local transfer's map against the truth at stride 4, over each sample, then the samples.

    local_map (B, 1, H/4, W/4); labels (B, H, W) in {0, 1, 255}: a cell counts by its share of pixels with a label.
    """
    known = F.avg_pool2d((labels != IGNORE_ID).to(local_map.dtype)[:, None], 4)
    inside = F.avg_pool2d((labels == 1).to(local_map.dtype)[:, None], 4)
    # The share of the object among the labelled pixels of a cell; where there are none it counts nothing.
    squared = known * (local_map - inside / known.clamp(min=1 / 16)).square()
    return (squared.flatten(1).sum(dim=1) / known.flatten(1).sum(dim=1).clamp(min=1)).mean()


def annotated_inputs(
    rng: np.random.Generator, batch: Mapping[str, Any], settings: AnnotatedInputSettings
) -> tuple[Tensor, Tensor, Tensor]:
    """Simulate the user of the first frame of each sample: mask, positive and negative, each (B, 1, H, W) in [0, 1]."""
    drawn, found = drawn_number(rng), []
    for labels, number in zip(batch["labels"][:, 0].cpu().numpy(), batch["number"].tolist(), strict=True):
        own = np.random.default_rng(np.random.SeedSequence(drawn, spawn_key=(number,)))
        maps = sample_annotated_input(own, labels == 1, labels == IGNORE_ID, settings)
        found.append(np.stack([maps.mask, maps.positive, maps.negative]))
    stacked = torch.from_numpy(np.stack(found)).to(batch["rgb"].device)
    return stacked[:, 0:1], stacked[:, 1:2], stacked[:, 2:3]


def _settings(user: Mapping[str, Any]) -> AnnotatedInputSettings:
    """The settings of the user from a stage's step settings, where nested ones are plain mappings."""
    kinds = {"deformation": DeformationSettings, "robot": RobotSettings}
    return AnnotatedInputSettings(
        **{name: kinds[name](**value) if isinstance(value, Mapping) else value for name, value in user.items()}
    )
