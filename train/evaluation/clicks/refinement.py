"""Two experiments of Benard and Gygli (2017) on one video: OSVOS from clicks, and its worst frame under more clicks.

An object is clicked on in the first frame, OSVOS learns the mask and segments the video; beside it, from the true mask.
Then the worst frame is clicked on, beginning with OSVOS's mask, and OSVOS learns that frame too. T frames, H W pixels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ....datagen.corpus.records import IGNORE_ID
from ....datagen.simulation.clicks.next_click import next_click
from ..errors import EvaluationError
from ..jobs import frames_done
from ..metrics import region_similarity
from ..sequences import AnnotatedSequence
from .methods import MethodSpec, open_method
from .protocol import ClickMethod


@dataclass(frozen=True, kw_only=True)
class RefinementJob:
    """What all sequences share.

    clicker: the method that makes the first mask; refiners: those that refine the worst frame. osvos: checkpoint of the
    parent. first_clicks: clicks on the first frame. counts: numbers of clicks on the worst frame, ascending.
    """

    clicker: MethodSpec
    refiners: tuple[MethodSpec, ...]
    osvos: Path
    device: str
    iterations: int
    short_side: int | None
    first_clicks: int
    counts: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class RefinementRow:
    """One object. All numbers are J, means over the annotated frames after the first.

    first_mask: J of the clicked mask in the first frame. from_truth, from_clicks: of OSVOS tuned to the true mask and
    to the clicked one. worst_frame: of the latter, with `worst` as its J; refined: method -> clicks -> J there.
    after_refinement: of OSVOS tuned to both frames, the worst one as the first refiner left it.
    """

    sequence: str
    object_id: int
    first_mask: float
    from_truth: float
    from_clicks: float
    worst_frame: int
    worst: float
    refined: Mapping[str, Mapping[int, float]]
    after_refinement: float


def refine_sequence(job: RefinementJob, sequence: AnnotatedSequence) -> list[RefinementRow]:
    """Run both experiments on each object that the first frame shows; EvaluationError for files that cannot be used."""
    frames = [t for t in sequence.annotated_frames if t > 0]
    if not frames or 0 not in sequence.annotated_frames:
        raise EvaluationError(f"{sequence.name} has no annotated frame after an annotated first one; leave it out")
    shown = np.unique(sequence.read_truth(0))
    rows = [_refine_object(job, sequence, frames, int(object_id)) for object_id in shown if object_id]
    frames_done(sequence.num_frames)
    return rows


def clicked(
    method: ClickMethod,
    rgb: np.ndarray,
    labels: np.ndarray,
    object_id: int,
    start: np.ndarray,
    counts: Sequence[int],
) -> dict[int, np.ndarray]:
    """The masks, bool (H, W), after so many clicks, each on the middle of the largest error; `start` is given at first.

    labels: uint8 (H, W), the true ids, 255 ignored. Where nothing is left to click on, the mask stays.
    """
    truth, ignored = labels == object_id, labels == IGNORE_ID
    present, clicks, masks = start, [], {}
    for number in range(1, max(counts) + 1):
        click = next_click(truth, present, clicks, ignored)
        if click is not None:
            clicks.append(click)
            present = method(rgb, present, clicks)
        if number in counts:
            masks[number] = present
    return masks


def _refine_object(
    job: RefinementJob, sequence: AnnotatedSequence, frames: Sequence[int], object_id: int
) -> RefinementRow:
    from ...inference.osvos_tuning import Example, probability_of_frame, tuned, tuning_for
    from ..interactive.systems import load

    parent = load("osvos", job.osvos, job.device)
    settings = tuning_for(parent, iterations=job.iterations, short_side=job.short_side)
    labels = {t: sequence.read_labels(t) for t in (0, *frames)}

    def segmented(*examples: tuple[int, np.ndarray]) -> dict[int, np.ndarray]:
        known = [Example(rgb=sequence.read_frame(t), mask=mask) for t, mask in examples if mask.any()]
        network = tuned(parent, known, settings) if known else None
        given = dict(examples)
        return {
            t: given[t]
            if t in given
            else probability_of_frame(network, sequence.read_frame(t), settings) > 0.5
            if network is not None
            else np.zeros(labels[t].shape, bool)
            for t in frames
        }

    def score(t: int, mask: np.ndarray) -> float:
        counted = labels[t] != IGNORE_ID
        return float(region_similarity(labels[t] == object_id, mask & counted))

    def mean(masks: Mapping[int, np.ndarray]) -> float:
        return float(np.mean([score(t, mask) for t, mask in masks.items()]))

    empty = np.zeros(labels[0].shape, bool)
    first = clicked(open_method(job.clicker), sequence.read_frame(0), labels[0], object_id, empty, (job.first_clicks,))[
        job.first_clicks
    ]
    by_truth, by_clicks = segmented((0, labels[0] == object_id)), segmented((0, first))
    worst = min(frames, key=lambda t: score(t, by_clicks[t]))
    refined, corrected = {}, by_clicks[worst]
    for place, spec in enumerate(job.refiners):
        masks = clicked(
            open_method(spec), sequence.read_frame(worst), labels[worst], object_id, by_clicks[worst], job.counts
        )
        refined[spec.label] = {number: score(worst, mask) for number, mask in masks.items()}
        corrected = masks[max(job.counts)] if place == 0 else corrected
    return RefinementRow(
        sequence=sequence.name,
        object_id=object_id,
        first_mask=score(0, first),
        from_truth=mean(by_truth),
        from_clicks=mean(by_clicks),
        worst_frame=worst,
        worst=score(worst, by_clicks[worst]),
        refined=refined,
        after_refinement=mean(segmented((0, first), (worst, corrected))),
    )
