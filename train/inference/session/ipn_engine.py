"""What the networks of IPN do on the frames of one video (Oh et al., CVPR 2019, Sec. 3.5). N objects, H W pixels."""

from collections.abc import Iterator, Sequence, Set
from contextlib import AbstractContextManager

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ....models.aggregate import hard_labels, soft_aggregate
from ....models.ipn import NEUTRAL, IPNNetwork
from ....models.roi import RoiRule, guidance_box, roi_align, roi_paste
from ..annotation import NEUTRAL_GREY
from ..geometry import FrameGeometry
from ..interaction import draw_hints, stitched
from .draft import Draft
from .frames import FrameSource
from .ipn_settings import IPNSettings
from .module_times import ModuleClock
from .passes import Pass, passes_from
from .state import Waiting
from .store import ResultStore, View

ANNOTATIONS = "annotations"
_EVERYTHING = 1 << 30


class IPNEngine:
    """Corrects frames by the interaction network, and carries masks over frames into a store by the other.

    What the interaction network was given on a frame is kept beside the masks, folder/annotations, so that a session
    that is resumed aggregates the same features. The clock says how long it took, modules "i-net" and "p-net".
    """

    def __init__(
        self,
        network: IPNNetwork,
        settings: IPNSettings,
        *,
        frames: FrameSource,
        object_ids: Sequence[int],
        store: ResultStore,
    ) -> None:
        self._network, self._settings, self._frames = network, settings, frames
        self._ids, self._store = tuple(object_ids), store
        self._device = torch.device(settings.device)
        self._rule, self._side = RoiRule(scale=settings.roi_scale), network.size.roi_side
        self._geometry = FrameGeometry.of(*frames.size, settings.short_side)
        self._given = ResultStore(store.folder / ANNOTATIONS, self._geometry.inner, 3 * len(self._ids))
        self._lookup = np.array([0, *self._ids], np.uint8)
        self._features: dict[tuple[int, int], Tensor] = {}
        self.clock = ModuleClock(self._device if settings.measure_times else None)

    def passes(self, frame: int, given: Sequence[int], propagated: Sequence[int], num_frames: int) -> tuple[Pass, ...]:
        """Where a propagation from a frame goes: to both sides, up to the next frame that the user worked on."""
        return passes_from(frame, given, propagated, num_frames)

    def correct(self, draft: Draft) -> np.ndarray:
        """The ids of a frame after the strokes and clicks on it, uint8 (H, W)."""
        planes = self._maps(draft, View(revision=_EVERYTHING))
        asked = _asked(planes)
        if not asked.any():
            return draft.base.copy()
        with self._measured("i-net"):
            said, _ = self._interact(draft.frame, planes[:, asked])
            # An object of which nothing was said stays as it is; one that has no mask either is not in the frame.
            kept = np.where(planes[0] == NEUTRAL_GREY, 0, planes[0])
            soft = torch.from_numpy(kept).to(self._device).float() / 255
            soft = self._geometry.leave(F.pad(soft[:, None], self._geometry.padding))[:, 0]
            soft[torch.from_numpy(asked).to(self._device)] = said
            ids = self._ids_of(soft_aggregate(soft)[1:])
        if draft.region is not None:
            ids = stitched(draft.base, ids, draft.region, self._settings.region_margin)
        return ids

    def committed(self, draft: Draft, revision: int) -> None:
        """Keep what the interaction network was given on a frame whose masks stand now in `revision`."""
        planes = self._maps(draft, View(revision=revision - 1)).reshape(-1, *self._geometry.inner)
        self._given.write(draft.frame, revision, np.zeros(self._geometry.inner, np.uint8), planes)

    def carry(
        self, one: Pass, item: Waiting, given: Sequence[int], base: View, revision: int
    ) -> Iterator[tuple[int, np.ndarray]]:
        """Set the frames of a pass in `revision` of the store and yield them with their ids, uint8 (H, W).

        given: all frames with given masks; the features of those up to this round are aggregated. base: what of the
        store stands. Towards the partner the new masks weigh less, from 1 at the source to 0 at the partner.
        """
        if not one.frames:
            return
        reference = self._reference(one.source, given, base)
        beside = self._stored(one.source, base)
        shown = (beside > 0.5).flatten(1).any(dim=1)
        for t in one.frames:
            rgb = self._enter(t)
            before = None if self._store.revision_of(t, base) is None else self._stored(t, base)
            with self._measured("p-net"):
                present = shown | (beside > 0.5).flatten(1).any(dim=1)
                carried = self._propagate(rgb, before, beside, reference) * present.view(-1, 1, 1)
                beside = soft_aggregate(carried)[1:]
                soft = beside
                if one.partner is not None and before is not None:
                    weight = one.distances(t)[0]
                    soft = weight * soft + (1 - weight) * before
                grey = (soft * 255).round().clamp(0, 255).to(torch.uint8)
                ids = self._ids_of(soft)
            self._store.write(t, revision, ids, grey.cpu().numpy())
            yield t, ids

    def find(self, newest: int) -> None:
        """Take up what a session left, up to a revision."""
        self._given.find(newest)

    def forget_after(self, revision: int) -> None:
        """Drop what belongs to later revisions."""
        self._given.forget_after(revision)
        self._features = {key: value for key, value in self._features.items() if key[1] <= revision}

    def forget_before(self, revision: int, hidden: Set[int]) -> None:
        """Drop what no view of `revision` or later shows."""
        self._given.forget_before(revision, hidden)

    def _maps(self, draft: Draft, view: View) -> np.ndarray:
        """What the network is given of each object, uint8 (3, N, h, w): mask before, positive and negative strokes.

        view: the store before the draft. Where the frame has no masks yet they are neutral, 128 for 0.5.
        """
        height, width = self._geometry.inner
        drawn = draw_hints(draft.strokes, draft.clicks, self._ids, self._geometry, self._settings.interaction())
        masks = np.stack([draft.base == value for value in self._ids]).astype(np.uint8) * 255
        if self._store.revision_of(draft.frame, view) is None and not masks.any():
            masks = np.full((len(self._ids), height, width), NEUTRAL_GREY, np.uint8)
        elif np.array_equal(self._store.ids(draft.frame, view), draft.base):
            masks = self._store.soft(draft.frame, view)
        if masks.shape[1:] != (height, width):
            masks = np.stack([cv2.resize(one, (width, height), interpolation=cv2.INTER_AREA) for one in masks])
        return np.stack([masks, *(hints.astype(np.uint8) * 255 for hints in drawn)])

    def _interact(self, t: int, planes: np.ndarray) -> tuple[Tensor, Tensor]:
        """Probabilities of objects in frame t, (N, H, W), and the features of their regions, (N, C, s, s)."""
        rgb = self._enter(t)
        given = torch.from_numpy(np.ascontiguousarray(planes)).to(self._device)
        values = given.float() / 255
        values[0] = torch.where(given[0] == NEUTRAL_GREY, NEUTRAL, values[0])
        maps = F.pad(values.movedim(0, 1), self._geometry.padding)
        pasted, features = [], []
        for rows in maps.split(self._settings.objects_per_pass):
            regions, boxes, aligned = self._regions(rgb, rows)
            said = self._network.interaction(regions, *aligned.split(1, dim=1))
            pasted.append(roi_paste(said.probability, boxes, rows.shape[-2:]))
            features.append(said.features)
        return self._geometry.leave(torch.cat(pasted))[:, 0], torch.cat(features)

    def _propagate(self, rgb: Tensor, before: Tensor | None, beside: Tensor, reference: Tensor) -> Tensor:
        """Probabilities of the objects in a frame, (N, H, W), from those beside it and those it had, if any."""
        beside = beside.round() if self._settings.round_neighbour else beside
        neighbours = self._geometry.enter(beside[:, None])
        masks = torch.full_like(neighbours, NEUTRAL) if before is None else self._geometry.enter(before[:, None])
        maps, pasted = torch.cat([masks, neighbours], dim=1), []
        step = self._settings.objects_per_pass
        for rows, own in zip(maps.split(step), reference.split(step), strict=True):
            regions, boxes, aligned = self._regions(rgb, rows)
            said = self._network.propagation(regions, *aligned.split(1, dim=1), own)
            pasted.append(roi_paste(said.probability, boxes, rows.shape[-2:]))
        return self._geometry.leave(torch.cat(pasted))[:, 0]

    def _regions(self, rgb: Tensor, maps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        boxes = guidance_box(maps, self._side, self._rule)
        whole = rgb.expand(len(maps), -1, -1, -1)
        return roi_align(whole, boxes, self._side), boxes, roi_align(maps, boxes, self._side)

    def _reference(self, source: int, given: Sequence[int], base: View) -> Tensor:
        """The features of all rounds up to that of the source, aggregated in their order: (N, C, s, s)."""
        newest = self._given.revision_of(source, base)
        revisions = {t: self._given.revision_of(t, base) for t in given}
        rounds = sorted((number, t) for t, number in revisions.items() if number is not None and number <= newest)
        reference = None
        for number, t in rounds[-self._settings.max_rounds :]:
            features = self._features_of(t, number, base)
            with self._measured("p-net"):
                reference = self._network.propagation.reference(features, reference)
        return reference

    def _features_of(self, t: int, revision: int, base: View) -> Tensor:
        """The features of an interaction, computed once for each of its revisions."""
        key = t, revision
        if key not in self._features:
            while len(self._features) >= self._settings.max_rounds:
                self._features.pop(next(iter(self._features)))
            planes = self._given.soft(t, base).reshape(3, len(self._ids), *self._geometry.inner)
            with self._measured("i-net"):
                self._features[key] = self._interact(t, planes)[1]
        return self._features[key]

    def _stored(self, t: int, view: View) -> Tensor:
        return torch.from_numpy(self._store.soft(t, view)).to(self._device).float() / 255

    def _ids_of(self, soft: Tensor) -> np.ndarray:
        return self._lookup[hard_labels(soft).cpu().numpy()]

    def _enter(self, t: int) -> Tensor:
        return self._geometry.enter_picture(self._frames.read(t), self._network.interaction.normalise.mean)

    def _measured(self, module: str) -> AbstractContextManager[None]:
        return self.clock.inference(module, len(self._ids))


def _asked(planes: np.ndarray) -> np.ndarray:
    """Which objects something was said of, bool (N,): a stroke on one, or a negative one on its mask."""
    masks, positive, negative = planes
    contradicted = (negative > 0) & (masks > NEUTRAL_GREY)
    return (positive > 0).any(axis=(1, 2)) | contradicted.any(axis=(1, 2))
