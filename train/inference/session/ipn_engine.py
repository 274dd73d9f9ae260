"""What the networks of IPN do on the frames of one video (Oh et al., CVPR 2019, Sec. 3.5). N objects, H W pixels."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import cv2
import numpy as np
import torch
from torch import Tensor

from ....models.aggregate import hard_labels, soft_aggregate
from ....models.ipn import NEUTRAL, IPNNetwork
from ....models.roi import RoiRule, guidance_box, roi_align, roi_paste
from ...networks import as_trained
from ..annotation import NEUTRAL_GREY, as_inputs
from ..geometry import FrameGeometry
from ..interaction import draw_hints
from .annotating_engine import AnnotatingEngine
from .draft import Draft, certain
from .ipn_settings import IPNSettings
from .passes import Pass
from .revision_cache import RevisionCache
from .state import Waiting
from .store import View
from .video_engine import Footage


class IPNEngine(AnnotatingEngine):
    """The interaction network on a frame, the propagation network over the video, each object in a region of interest.

    Modules of the clock: "i-net" and "p-net". What the interaction network was given is kept, see `AnnotationStore`.
    """

    def __init__(self, network: IPNNetwork, settings: IPNSettings, footage: Footage) -> None:
        # Regions are squares whatever the frame's size, so nothing is padded.
        geometry = replace(FrameGeometry.of(*footage.frames.size, settings.short_side), padding=(0, 0, 0, 0))
        super().__init__(settings, footage, geometry)
        self._network, self._settings = network, settings
        self._rule = RoiRule(scale=as_trained(network, "roi_scale", RoiRule.scale, settings.roi_scale))
        self._rounds_neighbour = as_trained(network, "round_neighbour", True, settings.round_neighbour)
        self._side = network.size.roi_side
        self._features = self._keep(RevisionCache[Tensor](settings.max_rounds))

    def correct(self, draft: Draft) -> np.ndarray:
        """What the interaction network makes of each object that something was said of; see `VideoEngine`."""
        masks, new = self._masks_before(draft)
        planes = self._planes(draft, masks, new)
        asked = _asked(planes, np.isin(self._ids, draft.base))
        if not asked.any():
            return draft.base.copy()
        with self._measured("i-net"):
            said, _ = self._interact(draft.frame, planes[:, asked])
            # An object of which nothing was said stays as it is, to the pixel; a new one is not in the frame.
            soft = torch.from_numpy(masks * ~new[:, None, None]).to(self._device) / 255
            soft[torch.from_numpy(asked).to(self._device)] = said
            return self._as_ids(hard_labels(soft_aggregate(soft)[1:]))

    def carried(self, one: Pass, item: Waiting, given: Sequence[int], base: View) -> Iterator[tuple[Tensor, Tensor]]:
        """From the frame beside it and the features of all rounds up to this one; see `VideoEngine`.

        Towards the partner the new masks weigh less, from 1 at the source to 0 at the partner; those of an object that
        was not known before weigh 1. An object that neither the source, nor the frame beside, nor the frame's earlier
        masks show is not looked for.
        """
        reference = self._reference(one.source, given, base)
        beside = self._stored(one.source, base)
        shown = _shows(beside)
        known_before = self._known_before(one, item, base)
        for t in one.frames:
            rgb, before = self._enter(t), self._stored(t, base)
            known = known_before & (self._store.revision_of(t, base) is not None)
            with self._measured("p-net"):
                present = shown | _shows(beside) | (known & _shows(before))
                carried = self._propagate(rgb, torch.where(known, before, NEUTRAL), beside, reference) * present
                beside = soft_aggregate(carried)[1:]
                soft = beside
                if one.partner is not None:
                    weight = one.distances(t)[0]
                    soft = torch.where(known, weight * soft + (1 - weight) * before, soft)
                labels = hard_labels(soft)
            yield labels, soft

    def _maps(self, draft: Draft) -> np.ndarray:
        """See `AnnotatingEngine`; the mask of an object that is not shown is neutral where it was not known before."""
        return self._planes(draft, *self._masks_before(draft))

    def _masks_before(self, draft: Draft) -> tuple[np.ndarray, np.ndarray]:
        """Grey values of the objects before strokes and clicks, uint8 (N, H, W), and which are new here, bool (N,)."""
        masks = certain(draft.base, self._ids)
        if np.array_equal(self._store.ids(draft.frame, draft.before), draft.base):
            masks = self._store.soft(draft.frame, draft.before)
        return masks, ~(np.isin(self._ids, draft.base) | self._known_in_masks(draft.frame, draft.before))

    def _planes(self, draft: Draft, masks: np.ndarray, new: np.ndarray) -> np.ndarray:
        height, width = self._geometry.inner
        drawn = draw_hints(draft.strokes, draft.clicks, self._ids, self._geometry, self._settings)
        scaled = np.stack([cv2.resize(one, (width, height), interpolation=cv2.INTER_AREA) for one in masks])
        scaled[new] = NEUTRAL_GREY
        return np.stack([scaled, *(hints.astype(np.uint8) * 255 for hints in drawn)])

    def _interact(self, t: int, planes: np.ndarray) -> tuple[Tensor, Tensor]:
        """Probabilities of objects in frame t, (N, H, W), and the features of their regions, (N, C, s, s)."""
        rgb = self._enter(t)
        maps = torch.cat(as_inputs(planes, self._geometry, self._device), dim=1)
        pasted, features = [], []
        for rows in maps.split(self._settings.objects_per_pass):
            regions, boxes, aligned = self._regions(rgb, rows)
            said = self._network.interaction(regions, *aligned.split(1, dim=1))
            pasted.append(roi_paste(said.probability, boxes, rows.shape[-2:]))
            features.append(said.features)
        return self._geometry.leave(torch.cat(pasted))[:, 0], torch.cat(features)

    def _propagate(self, rgb: Tensor, before: Tensor, beside: Tensor, reference: Tensor) -> Tensor:
        """Probabilities of the objects in a frame, (N, H, W), from those beside it and those it had."""
        beside = beside.round() if self._rounds_neighbour else beside
        maps, pasted = self._geometry.enter(torch.stack([before, beside], dim=1)), []
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
        """The features of all rounds up to that of the source, aggregated in their order: (N, C, s, s).

        Of each object those of the rounds in whose frames it was known.
        """
        newest = self._given.revision_of(source, base)
        revisions = {t: self._given.revision_of(t, base) for t in given}
        rounds = sorted((number, t) for t, number in revisions.items() if number is not None and number <= newest)
        reference, begun = None, False
        for number, t in rounds[-self._settings.max_rounds :]:
            features, known = self._features_of(t, number, base), self._on_device(self._known(t, base))[..., None]
            with self._measured("p-net"):
                joined = self._network.propagation.reference(features, reference)
                if reference is not None:
                    joined = torch.where(known, torch.where(begun, joined, features), reference)
            reference, begun = joined, known | begun
        return reference

    def _features_of(self, t: int, revision: int, base: View) -> Tensor:
        """The features of an interaction, computed once for each of its revisions."""

        def features() -> Tensor:
            with self._measured("i-net"):
                return self._interact(t, self._given.planes(t, base))[1]

        return self._features.of(((t, revision),), features)

    def _enter(self, t: int) -> Tensor:
        return self._geometry.enter_picture(self._frames.read(t), self._network.interaction.normalise.mean)


def _shows(soft: Tensor) -> Tensor:
    """Which objects some pixel is likely of, bool (N, 1, 1), from probabilities (N, H, W)."""
    return (soft > 0.5).flatten(1).any(dim=1).view(-1, 1, 1)


def _asked(planes: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """Which objects something was said of, bool (N,): a stroke on one, or a negative one on its mask.

    Of an object that the frame shows, bool (N,), too thin for the network's size, the surest pixels are its mask.
    """
    masks, positive, negative = planes
    surest = np.where(shown, masks.max(axis=(1, 2)), 255)[:, None, None]
    contradicted = (negative > 0) & (masks >= np.clip(surest, 1, NEUTRAL_GREY + 1))
    return (positive > 0).any(axis=(1, 2)) | contradicted.any(axis=(1, 2))
