"""What fusion is worth: two interactions in a sequence, and what becomes of the frames between them.

A first frame is given its true masks, which are propagated everywhere; then a second one is. Its masks are propagated
back towards the first frame, and in each frame between the two a method decides between the old masks and the new ones
(MiVOS, CVPR 2021, Sec. 3.3). T frames, N objects, H W pixels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from ....datagen.corpus.records import IGNORE_ID
from ....models.aggregate import hard_labels, soft_aggregate
from ....models.fusion import FusionNetwork
from ....models.propagation import PropagationNetwork
from ...inference.fusion import Interaction, attention_cells, blend_linearly, fused_logits, memorize_interaction
from ...inference.geometry import FrameGeometry
from ...inference.propagation import PropagationSettings, ids_of, propagate_soft
from ..errors import EvaluationError
from ..metrics import measures, region_similarity
from ..sequences import AnnotatedSequence

PREVIOUS, NEW, LINEAR = "previous masks", "new masks", "linear blending"
PLAIN_METHODS = (PREVIOUS, NEW, LINEAR)
FIRSTS = (0.0, 0.5, 1.0)


@dataclass(frozen=True, kw_only=True)
class FusionGainSettings:
    """Where the interactions are, and how masks are propagated.

    firsts: places of the first interaction as fractions of the sequence, each for a pair of its own. second: "worst",
    the frame in which the first interaction's masks have the lowest mean J, as a user would choose, or "farthest", the
    end of the sequence that is farther away. min_area: pixels that an object must show in the first frame.
    attention_top_k: see `attention_cells`.
    """

    propagation: PropagationSettings
    firsts: tuple[float, ...] = FIRSTS
    second: Literal["worst", "farthest"] = "worst"
    min_area: int = 100
    attention_top_k: int | None = None

    def __post_init__(self) -> None:
        if not self.firsts or not all(0 <= place <= 1 for place in self.firsts):
            raise EvaluationError(f"the first interactions are at {list(self.firsts)}; give fractions from 0 to 1")
        if self.min_area < 1:
            raise EvaluationError(f"min_area is {self.min_area}; give 1 pixel or more")
        if self.attention_top_k is not None and self.attention_top_k < 0:
            raise EvaluationError(f"attention_top_k is {self.attention_top_k}; give 1 or more, or 0 for all cells")
        if self.second not in ("worst", "farthest"):
            raise EvaluationError(f"the second interaction is at {self.second!r}; choose 'worst' or 'farthest'")


@dataclass(frozen=True, kw_only=True)
class PairScores:
    """One pair of interactions. scores: method -> object id -> (mean J, mean F) over the frames between the two.

    by_frame: method -> the J of each of these frames, the mean over the objects; first to second by time.
    """

    sequence: str
    first: int
    second: int
    scores: Mapping[str, Mapping[int, tuple[float, float]]]
    by_frame: Mapping[str, Mapping[int, float]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class FusedFrame:
    """What the methods made of frame t: method -> ids uint8 (H, W); first and second are the interacted frames."""

    t: int
    first: int
    second: int
    ids: Mapping[str, np.ndarray]


def interacted_pairs(
    propagation: PropagationNetwork,
    fusions: Mapping[str, FusionNetwork],
    sequence: AnnotatedSequence,
    settings: FusionGainSettings,
) -> Iterator[tuple[PairScores, list[FusedFrame]]]:
    """Yield the scores of each pair of interactions in a sequence, and the frames between them by time.

    fusions: label -> network, methods beside `PLAIN_METHODS`. A first frame that shows no object, and a pair without a
    frame between its two, are passed over. Networks must be in evaluation mode, on the device of the settings.
    """
    places = [round(place * (sequence.num_frames - 1)) for place in settings.firsts]
    for first in dict.fromkeys(places):
        truth = sequence.read_truth(first)
        areas = np.bincount(truth.ravel(), minlength=256)
        ids = [i for i in ids_of(truth) if areas[i] >= settings.min_area]
        if not ids:
            continue
        masks = _propagate_everywhere(propagation, sequence, first, ids, settings)
        second = _second_frame(sequence, first, ids, masks, settings.second)
        if second is None:
            continue
        frames = list(_fused_frames(propagation, fusions, sequence, (first, second), ids, masks, settings))
        yield _scored(sequence, first, second, ids, frames), frames


def summarise_pairs(pairs: Sequence[PairScores]) -> dict[str, dict[str, Any]]:
    """Method -> J and F, means over all objects of all pairs, and over how many objects J rises above linear blending.

    EvaluationError when there is no pair.
    """
    if not pairs:
        raise EvaluationError(
            "no sequence has two interactions with frames between them and an object in the first; give longer "
            "sequences, or a smaller --min-area"
        )
    found = {}
    for method in pairs[0].scores:
        rows = np.array([values for pair in pairs for values in pair.scores[method].values()])
        linear = np.array([value for pair in pairs for value, _ in pair.scores[LINEAR].values()])
        found[method] = {
            "J": float(rows[:, 0].mean()),
            "F": float(rows[:, 1].mean()),
            "better_than_linear": float((rows[:, 0] > linear).mean()),
            "worse_than_linear": float((rows[:, 0] < linear).mean()),
            "objects": len(rows),
        }
    return found


def _propagate_everywhere(
    propagation: PropagationNetwork,
    sequence: AnnotatedSequence,
    first: int,
    ids: Sequence[int],
    settings: FusionGainSettings,
) -> np.ndarray:
    """Soft masks of all frames from one interaction: float16 (T, N, H, W)."""
    truth = sequence.read_truth(first)
    masks = np.zeros((sequence.num_frames, len(ids), *truth.shape), np.float16)
    for times in (range(first, sequence.num_frames), range(first, -1, -1)):
        frames = (sequence.read_frame(t) for t in times)
        for t, soft in zip(
            times, propagate_soft(propagation, frames, truth, settings.propagation, ids=ids), strict=True
        ):
            masks[t] = soft[1:].cpu().numpy()
    return masks


def _second_frame(
    sequence: AnnotatedSequence, first: int, ids: Sequence[int], masks: np.ndarray, rule: str
) -> int | None:
    """The frame of the second interaction, at least two away from the first; None when there is none."""
    candidates = [t for t in range(sequence.num_frames) if abs(t - first) > 1]
    if not candidates:
        return None
    if rule == "farthest":
        return max(candidates, key=lambda t: (abs(t - first), -t))
    quality = {}
    for t in candidates:
        labels, found = sequence.read_labels(t), _hard(torch.from_numpy(masks[t]).float(), ids)
        found[labels == IGNORE_ID] = 0
        seen = [region_similarity(labels == i, found == i) for i in ids if np.any(labels == i)]
        if seen:
            quality[t] = float(np.mean(seen))
    # Of frames that are equally bad (all lost) the farthest: it leaves the most between the two.
    return min(quality, key=lambda t: (quality[t], -abs(t - first))) if quality else None


def _fused_frames(
    propagation: PropagationNetwork,
    fusions: Mapping[str, FusionNetwork],
    sequence: AnnotatedSequence,
    pair: tuple[int, int],
    ids: Sequence[int],
    masks: np.ndarray,
    settings: FusionGainSettings,
) -> Iterator[FusedFrame]:
    """Propagate the second interaction towards the first, and let every method decide in each frame between them."""
    first, second = pair
    device = torch.device(settings.propagation.device)
    geometry = FrameGeometry.of(*masks.shape[-2:], settings.propagation.short_side)
    truth = sequence.read_truth(second)

    def picture(t: int) -> Tensor:
        return geometry.enter_picture(sequence.read_frame(t), propagation.mean)

    def entered(soft: np.ndarray) -> Tensor:
        return geometry.enter(torch.from_numpy(soft).to(device).float()[None])

    with torch.inference_mode():
        after = np.stack([truth == i for i in ids])
        interaction = memorize_interaction(propagation, picture(second), entered(masks[second]), entered(after))
    step = 1 if first > second else -1
    times = range(second, first, step)
    # Each interacted frame is in memory, as in the published session.
    certain = [(sequence.read_frame(first), sequence.read_truth(first))]
    frames = (sequence.read_frame(t) for t in times)
    softs = propagate_soft(propagation, frames, truth, settings.propagation, ids=ids, certain=certain)
    for t, soft in zip(times, softs, strict=True):
        if t == second:
            continue
        with torch.inference_mode():
            previous, new = torch.from_numpy(masks[t]).to(device).float(), soft[1:]
            distances = torch.tensor([[abs(t - first), abs(t - second)]], device=device) / abs(second - first)
            chosen = {PREVIOUS: previous, NEW: new, LINEAR: blend_linearly(previous[None], new[None], distances)[0]}
            found = {method: _hard(probabilities, ids) for method, probabilities in chosen.items()}
            if fusions:
                rgb = picture(t)
                key = propagation.query_key(rgb)
                given = rgb, geometry.enter(previous[None]), geometry.enter(new[None]), distances
                for label, network in fusions.items():
                    cells = attention_cells(network, settings.attention_top_k)
                    found[label] = _fused(network, interaction, key, given, geometry, ids, cells)
        yield FusedFrame(t=t, first=first, second=second, ids=found)


def _fused(
    network: FusionNetwork,
    interaction: Interaction,
    query_key: Tensor,
    given: tuple[Tensor, Tensor, Tensor, Tensor],
    geometry: FrameGeometry,
    ids: Sequence[int],
    top_k: int | None,
) -> np.ndarray:
    logits = fused_logits(network, interaction, query_key, *given, top_k)
    return _hard(soft_aggregate(geometry.leave(logits.sigmoid())[0])[1:], ids)


def _hard(probabilities: Tensor, ids: Sequence[int]) -> np.ndarray:
    """The ids uint8 (H, W) of soft masks (N, H, W) that leave the rest to the background."""
    return np.array([0, *ids], np.uint8)[hard_labels(probabilities).cpu().numpy()]


def _scored(
    sequence: AnnotatedSequence, first: int, second: int, ids: Sequence[int], frames: list[FusedFrame]
) -> PairScores:
    frames.sort(key=lambda frame: frame.t)
    labels = [sequence.read_labels(frame.t) for frame in frames]
    scores, by_frame = {}, {}
    for method in frames[0].ids:
        rows = [measures(true, frame.ids[method], ids) for true, frame in zip(labels, frames, strict=True)]
        scores[method] = {i: tuple(float(value) for value in np.mean([row[i] for row in rows], axis=0)) for i in ids}
        by_frame[method] = {
            frame.t: float(np.mean([region for region, _ in row.values()]))
            for frame, row in zip(frames, rows, strict=True)
        }
    return PairScores(sequence=sequence.name, first=first, second=second, scores=scores, by_frame=by_frame)
