"""Two experiments of Benard and Gygli (2017) on one video: OSVOS from clicks, and its worst frame under more clicks.

An object is clicked on in the first frame, OSVOS learns the mask and segments the video; beside it, from the true mask.
Then the worst frame is clicked on, beginning with OSVOS's mask, and OSVOS learns that frame too. T frames, H W pixels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ....datagen.corpus.records import IGNORE_ID
from ....datagen.simulation.clicks.clicks import Click
from ....datagen.simulation.clicks.next_click import next_click
from ..errors import EvaluationError
from ..metrics import region_similarity
from ..sequences import AnnotatedSequence, read_frame_of_size, values_in
from .methods import MethodSpec, open_method
from .protocol import ClickMethod

if TYPE_CHECKING:
    from ....models.osvos import OSVOSNetwork
    from ...inference.osvos_tuning import TuningSettings

FROM_TRUTH, FROM_CLICKS, AFTER_REFINEMENT = "from_truth", "from_clicks", "after_refinement"
SEGMENTATIONS = (FROM_TRUTH, FROM_CLICKS, AFTER_REFINEMENT)
"""What OSVOS is tuned to: the true mask of the first frame, the clicked one, or that and the corrected worst frame."""


@dataclass(frozen=True, kw_only=True)
class RefinementSettings:
    """The experiment.

    clicker: the method that makes the first mask. refiners: those that correct the worst frame; the first one's answer
    is learnt. osvos: checkpoint of the parent, osvos_sha256: of that file. tuning: how it learns a video. first_clicks:
    clicks on the first frame. counts: numbers of clicks on the worst frame, ascending.
    """

    clicker: MethodSpec
    refiners: tuple[MethodSpec, ...]
    osvos: Path
    osvos_sha256: str
    device: str
    tuning: TuningSettings
    first_clicks: int
    counts: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class RefinementRow:
    """One object. All numbers are J.

    first_mask: of the clicked mask in the first frame. frames: the annotated ones after the first; by_frame: one of
    `SEGMENTATIONS` -> a value for each of them. worst_frame: where the segmentation from clicks is worst, with `worst`
    as its J; refined: method -> clicks -> J there.
    """

    sequence: str
    object_id: int
    first_mask: float
    frames: tuple[int, ...]
    by_frame: Mapping[str, tuple[float, ...]]
    worst_frame: int
    worst: float
    refined: Mapping[str, Mapping[int, float]]

    @property
    def name(self) -> str:
        """<sequence>-<object id>, unique in the set."""
        return f"{self.sequence}-{self.object_id}"

    def mean(self, segmentation: str) -> float:
        """The mean over `frames` of one of `SEGMENTATIONS`."""
        return float(np.mean(self.by_frame[segmentation]))


class Clicked(NamedTuple):
    """A mask, bool (H, W), and the clicks that made it of the one before them."""

    mask: np.ndarray
    clicks: tuple[Click, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class RefinedObject:
    """One object with its masks.

    first: of the first frame. worst: OSVOS's in the worst frame, bool (H, W). corrected: method -> number of clicks ->
    what they made of it.
    """

    row: RefinementRow
    first: Clicked
    worst: np.ndarray
    corrected: Mapping[str, Mapping[int, Clicked]]


def refined_objects(settings: RefinementSettings, sequence: AnnotatedSequence) -> Iterator[RefinedObject]:
    """Run both experiments on each object that the first frame shows; EvaluationError for files that cannot be used."""
    frames = tuple(t for t in sequence.annotated_frames if t > 0)
    if not frames or 0 not in sequence.annotated_frames:
        raise EvaluationError(f"{sequence.name} has no annotated frame after an annotated first one; leave it out")
    labels = {t: sequence.read_labels(t) for t in (0, *frames)}
    for object_id in values_in(labels[0]):
        if object_id not in (0, IGNORE_ID):
            yield _refined(settings, _ObjectInVideo(sequence=sequence, object_id=object_id, labels=labels))


def clicked(
    method: ClickMethod,
    rgb: np.ndarray,
    labels: np.ndarray,
    object_id: int,
    start: np.ndarray,
    counts: Sequence[int],
) -> dict[int, Clicked]:
    """The masks after so many clicks, each on the middle of the largest error; `start` is given at first.

    labels: uint8 (H, W), the true ids, 255 ignored. start: bool (H, W). Where nothing is left to click on, the mask
    stays, and there are fewer clicks.
    """
    truth, ignored = labels == object_id, labels == IGNORE_ID
    present, clicks, found = start, [], {}
    for number in range(1, max(counts) + 1):
        click = next_click(truth, present, clicks, ignored)
        if click is not None:
            clicks.append(click)
            present = method(rgb, present, clicks)
        if number in counts:
            found[number] = Clicked(present, tuple(clicks))
    return found


@dataclass(frozen=True, kw_only=True, eq=False)
class _ObjectInVideo:
    """labels: of the annotated frames, uint8 (H, W), 255 ignored."""

    sequence: AnnotatedSequence
    object_id: int
    labels: Mapping[int, np.ndarray]

    @property
    def frames(self) -> tuple[int, ...]:
        """The annotated frames after the first."""
        return tuple(t for t in self.labels if t)

    def frame(self, t: int) -> np.ndarray:
        """Frame t, uint8 (H, W, 3); EvaluationError when its size is not that of its labels."""
        return read_frame_of_size(self.sequence, t, self.labels[t].shape)

    def truth(self, t: int) -> np.ndarray:
        return self.labels[t] == self.object_id

    def score(self, t: int, mask: np.ndarray) -> float:
        """J of a mask, bool (H, W), without the ignored pixels."""
        return region_similarity(self.truth(t), mask & (self.labels[t] != IGNORE_ID))

    def segmented(
        self, parent: OSVOSNetwork, settings: TuningSettings, given: Mapping[int, np.ndarray]
    ) -> dict[int, np.ndarray]:
        """The masks of `frames` by OSVOS tuned to the given ones, bool (H, W), which stay as they are.

        An empty mask teaches nothing; where all are, so are the answers.
        """
        from ...inference.osvos_tuning import Example, probability_of_frame, tuned

        known = [Example(rgb=self.frame(t), mask=mask) for t, mask in given.items() if mask.any()]
        if not known:
            return {t: given.get(t, np.zeros(self.labels[t].shape, bool)) for t in self.frames}
        network = tuned(parent, known, settings)
        return {
            t: given[t] if t in given else probability_of_frame(network, self.frame(t), settings) > 0.5
            for t in self.frames
        }


def _refined(settings: RefinementSettings, one: _ObjectInVideo) -> RefinedObject:
    from ...trained_networks import trained_network

    parent, _ = trained_network(settings.osvos, "osvos", settings.device, settings.osvos_sha256)

    def clicked_on(method: MethodSpec, t: int, start: np.ndarray, counts: Sequence[int]) -> dict[int, Clicked]:
        return clicked(open_method(method), one.frame(t), one.labels[t], one.object_id, start, counts)

    empty = np.zeros(one.labels[0].shape, bool)
    first = clicked_on(settings.clicker, 0, empty, (settings.first_clicks,))[settings.first_clicks]
    masks = {
        FROM_TRUTH: one.segmented(parent, settings.tuning, {0: one.truth(0)}),
        FROM_CLICKS: one.segmented(parent, settings.tuning, {0: first.mask}),
    }
    worst = min(one.frames, key=lambda t: one.score(t, masks[FROM_CLICKS][t]))
    worst_mask = masks[FROM_CLICKS][worst]
    corrected = {spec.label: clicked_on(spec, worst, worst_mask, settings.counts) for spec in settings.refiners}
    learnt = corrected[settings.refiners[0].label][max(settings.counts)].mask
    masks[AFTER_REFINEMENT] = one.segmented(parent, settings.tuning, {0: first.mask, worst: learnt})
    row = RefinementRow(
        sequence=one.sequence.name,
        object_id=one.object_id,
        first_mask=one.score(0, first.mask),
        frames=one.frames,
        by_frame={name: tuple(one.score(t, found[t]) for t in one.frames) for name, found in masks.items()},
        worst_frame=worst,
        worst=one.score(worst, worst_mask),
        refined={
            label: {number: one.score(worst, found.mask) for number, found in by_count.items()}
            for label, by_count in corrected.items()
        },
    )
    return RefinedObject(row=row, first=first, worst=worst_mask, corrected=corrected)
