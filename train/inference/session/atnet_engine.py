"""What the networks of ATNet do on the frames of one video (Heo, Koh, Kim, ECCV 2020). N objects, H W pixels."""

from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ....models.atnet import Annotation, ATNetwork, FrameFeatures
from ..annotation import annotation_maps, as_inputs
from ..geometry import FrameGeometry
from ..interaction import stitched
from .atnet_settings import ATNetSettings
from .draft import Draft
from .frames import FrameSource
from .module_times import ModuleClock
from .passes import Pass, nearest_given, passes_from
from .state import Waiting
from .store import ResultStore, View

ANNOTATIONS = "annotations"


@dataclass(frozen=True, kw_only=True)
class AnnotatedFrame:
    """A frame with given masks as T-Net needs it.

    features: of the frame (1, ...). objects: what is transferred (N, C, h, w). masks: the map that local transfer
    begins with (N, 1, H', W'), at the network's size.
    """

    features: FrameFeatures
    objects: Tensor
    masks: Tensor


class ATNetEngine:
    """Corrects frames by A-Net, and carries masks over frames into a store by T-Net.

    What A-Net was given on a frame is kept beside the masks, folder/annotations, so that a session that is resumed
    transfers the same object features. Frames are padded to multiples of 16 with the mean colour (published: mirrored,
    to 32). The clock says how long it took, modules "a-net" and "t-net".
    """

    def __init__(
        self,
        network: ATNetwork,
        settings: ATNetSettings,
        *,
        frames: FrameSource,
        object_ids: Sequence[int],
        store: ResultStore,
    ) -> None:
        self._network, self._settings, self._frames = network, settings, frames
        self._ids, self._store = tuple(object_ids), store
        self._device = torch.device(settings.device)
        self._geometry = FrameGeometry.of(*frames.size, settings.short_side)
        self._given = ResultStore(store.folder / ANNOTATIONS, self._geometry.inner, 3 * len(self._ids))
        self._lookup = np.array([0, *self._ids], np.uint8)
        self._annotated: dict[tuple[int, int], AnnotatedFrame] = {}
        self.clock = ModuleClock(self._device if settings.measure_times else None)

    def passes(self, frame: int, given: Sequence[int], propagated: Sequence[int], num_frames: int) -> tuple[Pass, ...]:
        """Where a propagation from a frame goes: to both sides, up to the next annotated frame."""
        return passes_from(frame, given, propagated, num_frames)

    def correct(self, draft: Draft) -> np.ndarray:
        """The ids of a frame after the strokes and clicks on it, uint8 (H, W)."""
        if not (draft.strokes or any(draft.clicks.values())):
            return draft.base.copy()
        planes = self._maps(draft)
        rgb = self._enter(draft.frame)
        with self._measured("a-net"):
            logits = self._in_passes(lambda rows: self._annotate(rgb, planes, rows).logits)
            ids = self._ids_of(self._present(self._geometry.leave(logits.sigmoid())[:, 0], planes))
        if draft.region is not None:
            ids = stitched(draft.base, ids, draft.region, self._settings.region_margin)
        return ids

    def committed(self, draft: Draft, revision: int) -> None:
        """Keep what A-Net was given on a frame whose masks stand now in `revision`."""
        planes = self._maps(draft).reshape(-1, *self._geometry.inner)
        self._given.write(draft.frame, revision, np.zeros(self._geometry.inner, np.uint8), planes)

    def carry(
        self, one: Pass, item: Waiting, given: Sequence[int], base: View, revision: int
    ) -> Iterator[tuple[int, np.ndarray]]:
        """Set the frames of a pass in `revision` of the store and yield them with their ids, uint8 (H, W).

        given: all annotated frames, of which the nearest are transferred from. base: what of the store stands. Between
        two annotated frames the new probability weighs 0.5 at the earlier one and up to 1 at the new one (the paper's
        superposition).
        """
        if not one.frames:
            return
        sources = {
            t: self._annotation(t, base) for t in nearest_given(one.source, given, self._settings.max_annotated_frames)
        }
        annotated = [source.features.f16 for source in sources.values()]
        previous, masks = sources[one.source].features, sources[one.source].masks
        for t in one.frames:
            rgb = self._enter(t)
            with self._measured("t-net"):
                target = self._network.transfer.encode(rgb)
                logits = self._in_passes(
                    lambda rows, target=target, previous=previous, masks=masks: (
                        self._network.transfer(
                            target,
                            annotated,
                            [source.objects[rows] for source in sources.values()],
                            previous.f4,
                            masks[rows],
                        ).logits
                    )
                )
                masks, previous = logits.sigmoid(), target
                soft = self._geometry.leave(masks)[:, 0]
                if one.partner is not None:
                    before = torch.from_numpy(self._store.soft(t, base)).to(self._device) / 255
                    share = 0.5 + 0.5 * one.distances(t)[0]
                    soft = share * soft + (1 - share) * before
                grey = (soft * 255).round().clamp(0, 255).to(torch.uint8)
                ids = self._ids_of(grey / 255)
            self._store.write(t, revision, ids, grey.cpu().numpy())
            yield t, ids

    def find(self, newest: int) -> None:
        """Take up what a session left, up to a revision."""
        self._given.find(newest)

    def forget_after(self, revision: int) -> None:
        """Drop what belongs to later revisions."""
        self._given.forget_after(revision)
        self._annotated = {key: value for key, value in self._annotated.items() if key[1] <= revision}

    def forget_before(self, revision: int, hidden: Set[int]) -> None:
        """Drop what no view of `revision` or later shows."""
        self._given.forget_before(revision, hidden)

    def _maps(self, draft: Draft) -> np.ndarray:
        return annotation_maps(draft.base, draft.strokes, draft.clicks, self._ids, self._geometry)

    def _annotation(self, t: int, base: View) -> AnnotatedFrame:
        """An annotated frame, encoded once for each of its revisions."""
        key = t, self._store.revision_of(t, base)
        if key not in self._annotated:
            while len(self._annotated) >= self._settings.max_annotated_frames:
                self._annotated.pop(next(iter(self._annotated)))
            planes = self._given.soft(t, base).reshape(3, len(self._ids), *self._geometry.inner)
            ids, rgb, found = self._store.ids(t, base), self._enter(t), []
            with self._measured("a-net"):

                def annotate(rows: slice) -> Tensor:
                    annotation = self._annotate(rgb, planes, rows)
                    found.append(self._network.transfer.object_features(annotation))
                    return annotation.logits

                probabilities = self._in_passes(annotate).sigmoid()
                features = self._network.transfer.encode(rgb)
                # Where nothing was drawn for an object, what stands is its mask, not what A-Net would say.
                shown = torch.from_numpy(np.stack([ids == value for value in self._ids]))[:, None]
                shown = self._geometry.enter(shown.to(self._device).float())
                drawn = torch.from_numpy(planes[1:].any(axis=(0, 2, 3))).to(self._device)
                masks = torch.where(drawn.view(-1, 1, 1, 1), probabilities, shown)
            self._annotated[key] = AnnotatedFrame(features=features, objects=torch.cat(found), masks=masks)
        return self._annotated[key]

    def _annotate(self, rgb: Tensor, planes: np.ndarray, rows: slice) -> Annotation:
        maps = as_inputs(planes[:, rows], self._geometry, self._device)
        return self._network.annotation(rgb.expand(len(maps[0]), -1, -1, -1), *maps)

    def _in_passes(self, run: Callable[[slice], Tensor]) -> Tensor:
        """Run some objects at a time, rows of the batch."""
        step = self._settings.objects_per_pass
        return torch.cat([run(slice(start, start + step)) for start in range(0, len(self._ids), step)])

    def _present(self, soft: Tensor, planes: np.ndarray) -> Tensor:
        """Without the objects of which the frame shows nothing and nothing was drawn: (N, H, W)."""
        present = torch.from_numpy(planes.any(axis=(0, 2, 3))).to(soft.device)
        return soft * present.view(-1, 1, 1)

    def _ids_of(self, soft: Tensor) -> np.ndarray:
        """The likeliest object of each pixel where it is likelier than the threshold, else background: uint8 (H, W)."""
        best = soft.max(dim=0)
        chosen = torch.where(best.values > self._settings.threshold, best.indices + 1, 0)
        return self._lookup[chosen.cpu().numpy()]

    def _enter(self, t: int) -> Tensor:
        frame = self._frames.read(t)
        return self._geometry.enter_picture(frame, self._network.transfer.normalise.mean)

    def _measured(self, module: str) -> AbstractContextManager[None]:
        return self.clock.inference(module, len(self._ids))
