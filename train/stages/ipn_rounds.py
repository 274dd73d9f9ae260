"""Rounds of interaction and propagation in training (Oh et al., CVPR 2019, Sec. 3.4), with an update at every mask.

B batch, N frames, H W pixels, S side of the region of interest.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...datagen.corpus.records import IGNORE_ID
from ...datagen.simulation.regions import require_limits
from ...datagen.simulation.scribbles.iterated_opening import OpeningSettings, opened_scribbles
from ...datagen.simulation.scribbles.scribble_mixture import UserInput
from ...models.ipn import NEUTRAL, IPNNetwork, IPNPrediction
from ...models.roi import RoiRule, guidance_box, roi_align, roi_labels, roi_paste
from ..losses import bootstrapped_cross_entropy, mean_iou
from ..stage import Scheduled, Stage, StepResult
from ..step_draws import drawn_number

# The first round always has a scribble, however small the object.
_FIRST_SCRIBBLES = OpeningSettings(allow_none=False)
_LATER_SCRIBBLES = OpeningSettings()
# Strides 1, 4, 8, 16 and 32.
_MAX_SCALES = 5


def ipn_step(
    network: IPNNetwork,
    batch: Mapping[str, Any],
    rng: np.random.Generator,
    scheduled: Scheduled,
    *,
    num_frames: tuple[int, int] = (4, 8),
    longest_from: float = 80 / 290,
    num_rounds: tuple[int, int] = (2, 3),
    more_rounds_from: int = 7,
    scale_weights: tuple[float, ...] = (1.0,),
    roi_scale: float = 2.0,
    round_neighbour: bool = True,
) -> Iterator[StepResult]:
    """Go through rounds of simulated interaction; yields a result at every predicted mask.

    batch: rgb (B, T, 3, H, W), labels (B, T, H, W) in which 1 is the object and 255 is ignored, number (B,). In a round
    a user marks errors of one frame of each sample, the interaction network segments it, and the propagation network
    carries its mask to both ends of the clip. Masks and features go on without gradients. What a user draws is by the
    state of rng and the sample's number alone.
    num_frames: N at the start and the end, the last of the T frames; it grows evenly until the share `longest_from` of
    the run. num_rounds: of clips shorter than `more_rounds_from` frames, and of the others. scale_weights: of the loss
    at strides 1, 4, 8, 16 and 32. roi_scale: see `RoiRule`. round_neighbour: the propagation network gets its
    neighbour's mask as 0 or 1, as the published code has it. predicted, in the last result: (B, N, H, W).
    """
    length = min(frames_at(scheduled.position, num_frames, longest_from), batch["rgb"].shape[1])
    rounds = num_rounds[1] if length >= more_rounds_from else num_rounds[0]
    work = _Work(network, batch, length, scheduled, scale_weights, RoiRule(scale=roi_scale))
    drawn = drawn_number(rng)
    users = [
        SimulatedUser(drawn, int(number), truth) for number, truth in zip(batch["number"], work.truths, strict=True)
    ]
    aggregated = None
    for round_number in range(rounds):
        marks = [
            user.mark(masks if round_number else None) for user, masks in zip(users, work.estimates(), strict=True)
        ]
        frames = [mark.frame for mark in marks]
        said, result = work.interact(frames, [mark.drawn for mark in marks])
        yield result
        current = said.features.detach()
        orders = [outward(frame, length) for frame in frames]
        for turn in range(length - 1):
            reference = network.propagation.reference(current, aggregated)
            result = work.propagate([order[turn] for order in orders], reference, round_neighbour)
            if round_number == rounds - 1 and turn == length - 2:
                result = StepResult(loss=result.loss, metrics=result.metrics, predicted=(work.masks > 0.5).long())
            yield result
        with torch.no_grad():
            aggregated = network.propagation.reference(current, aggregated)


def check_rounds(stage: Stage, samples: Any, settings: Mapping[str, Any]) -> None:
    """Raise ValueError unless the samples, with these settings, serve `ipn_step` with its own."""
    require_limits(0, 1, longest_from=settings["longest_from"])
    last = frames_at(1.0, settings["num_frames"], settings["longest_from"])
    if samples.num_frames != last:
        raise ValueError(
            f"num_frames ends at {last}, but samples have {samples.num_frames} frames; let it end there, or set "
            f"sample_settings.num_frames={last}"
        )
    if min(settings["num_rounds"]) < 1:
        raise ValueError(f"num_rounds is {settings['num_rounds']}; give two positive numbers")
    weights = settings["scale_weights"]
    if not 1 <= len(weights) <= _MAX_SCALES or not all(0 <= one < np.inf for one in weights) or not any(weights):
        raise ValueError(f"scale_weights are {weights}; give 1 to {_MAX_SCALES} numbers of 0 or more, not all 0")
    try:
        RoiRule(scale=settings["roi_scale"])
    except ValueError as error:
        raise ValueError(f"roi_scale: {error}") from error


def frames_at(position: float, num_frames: tuple[int, int], longest_from: float) -> int:
    """Return N when the share `position` of the run is done: each length from the first to the last as long."""
    first, last = num_frames
    if not 2 <= first <= last:
        raise ValueError(f"num_frames is {num_frames}; give (first, last) with 2 <= first <= last")
    # The last length begins at `longest_from`, so the ones before share what lies before it.
    return last if position >= longest_from else first + int(position / longest_from * (last - first))


def outward(frame: int, num_frames: int) -> list[tuple[int, int]]:
    """Return (frame, its neighbour that was segmented before) from a frame forward, then backward."""
    ahead = [(t, t - 1) for t in range(frame + 1, num_frames)]
    return ahead + [(t, t + 1) for t in range(frame - 1, -1, -1)]


@dataclass(frozen=True, kw_only=True)
class Mark:
    """The frame that a user chose, and what the user drew on it."""

    frame: int
    drawn: UserInput


class SimulatedUser:
    """A user of one sample: marks a frame that shows the object, then frames with errors, others where there are.

    truth: uint8 (N, H, W), 1 on the object, 255 unknown.
    """

    def __init__(self, drawn: int, number: int, truth: np.ndarray) -> None:
        self._rng = np.random.default_rng([drawn, number])
        self._true, self._known = truth == 1, truth != IGNORE_ID
        self._marked: set[int] = set()

    def mark(self, masks: np.ndarray | None) -> Mark:
        """Choose a frame and scribble on it; masks: bool (N, H, W), None in the first round."""
        wanted = self._true if masks is None else (self._true != masks) & self._known
        shown = np.flatnonzero(wanted.any(axis=(1, 2)))
        fresh = [t for t in shown if t not in self._marked]
        choice = fresh or list(shown) or range(len(wanted))
        frame = int(choice[int(self._rng.integers(len(choice)))])
        self._marked.add(frame)
        current = None if masks is None else masks[frame] & self._known[frame]
        settings = _FIRST_SCRIBBLES if masks is None else _LATER_SCRIBBLES
        return Mark(frame=frame, drawn=opened_scribbles(self._rng, self._true[frame], current, settings))


class _Work:
    """The masks of a batch as they are now, and what the networks do with them.

    masks: (B, N, H, W), `NEUTRAL` where there is none yet.
    """

    def __init__(
        self,
        network: IPNNetwork,
        batch: Mapping[str, Any],
        length: int,
        scheduled: Scheduled,
        scale_weights: Sequence[float],
        rule: RoiRule,
    ) -> None:
        labels = batch["labels"][:, -length:]
        self._network, self._rgb, self._scheduled = network, batch["rgb"][:, -length:], scheduled
        self._weights, self._rule, self._side = scale_weights, rule, network.size.roi_side
        # Of several objects the first is meant.
        self._labels = labels.where((labels == 1) | (labels == IGNORE_ID), 0)
        self.truths = self._labels.to(torch.uint8).cpu().numpy()
        self.masks = torch.full(labels.shape, NEUTRAL, dtype=self._rgb.dtype, device=self._rgb.device)
        self._rows = torch.arange(len(labels), device=labels.device)

    def estimates(self) -> np.ndarray:
        """The masks as 0 or 1, bool (B, N, H, W)."""
        return (self.masks > 0.5).cpu().numpy()

    def interact(self, frames: list[int], drawn: list[UserInput]) -> tuple[IPNPrediction, StepResult]:
        """Segment one frame of each sample from what its user drew."""
        strokes = [np.stack([one.positive, one.negative]) for one in drawn]
        maps = torch.from_numpy(np.stack(strokes)).to(self.masks)
        places = torch.tensor(frames, device=self.masks.device)
        given = torch.cat([self.masks[self._rows, places][:, None], maps], dim=1)
        rgb, boxes, aligned = self._region(places, given)
        said = self._network.interaction(rgb, *aligned.split(1, dim=1), num_coarse=self._num_coarse)
        # A user without an error to mark asks for nothing: published as a weight of the sample.
        asked = maps.flatten(1).any(dim=1)
        return said, self._result("interaction", said, places, boxes, asked)

    def propagate(self, turns: list[tuple[int, int]], reference: Tensor, round_neighbour: bool) -> StepResult:
        """Segment one frame of each sample from the one beside it; turns: (frame, neighbour) of each."""
        places, neighbours = torch.tensor(turns, device=self.masks.device).T
        beside = self.masks[self._rows, neighbours]
        beside = beside.round() if round_neighbour else beside
        given = torch.stack([self.masks[self._rows, places], beside], dim=1)
        rgb, boxes, aligned = self._region(places, given)
        said = self._network.propagation(rgb, *aligned.split(1, dim=1), reference, num_coarse=self._num_coarse)
        return self._result("propagation", said, places, boxes, torch.ones_like(places, dtype=torch.bool))

    @property
    def _num_coarse(self) -> int:
        return len(self._weights) - 1

    def _region(self, places: Tensor, given: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Warp the frames and what is given (B, C, H, W) to the regions of the latter; the boxes stand in between."""
        boxes = guidance_box(given, self._side, self._rule)
        rgb = roi_align(self._rgb[self._rows, places], boxes, self._side)
        return rgb, boxes, roi_align(given, boxes, self._side)

    def _result(self, kind: str, said: IPNPrediction, places: Tensor, boxes: Tensor, asked: Tensor) -> StepResult:
        """Keep the masks, and return loss and scores of those that were asked for."""
        labels = self._labels[self._rows, places]
        exists = torch.ones(len(labels), 1, device=labels.device)
        loss = torch.zeros((), device=labels.device)
        for weight, logits in zip(self._weights, (said.logits, *said.coarse), strict=True):
            truth = roi_labels(labels, boxes, logits.shape[-1], outside=IGNORE_ID)
            truth = truth.where(asked[:, None, None], IGNORE_ID)
            loss = loss + weight * bootstrapped_cross_entropy(logits, truth, exists, self._scheduled.kept_fraction)
        with torch.no_grad():
            pasted = roi_paste(said.probability.detach(), boxes, labels.shape[-2:])[:, 0]
            self.masks[self._rows, places] = pasted.to(self.masks.dtype)
            iou = mean_iou((pasted > 0.5).long(), labels, exists)
        return StepResult(loss=loss, metrics={"iou": iou, f"iou_{kind}": iou}, predicted=None)
