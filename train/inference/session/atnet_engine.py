"""What the networks of ATNet do on the frames of one video (Heo, Koh, Kim, ECCV 2020). N objects, H W pixels."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ....models.atnet import Annotation, ATNetwork, FrameFeatures
from ..annotation import annotation_maps, as_inputs
from ..geometry import FrameGeometry
from ..propagation import masks_of
from .annotating_engine import AnnotatingEngine
from .atnet_settings import ATNetSettings
from .draft import Draft
from .passes import Pass, nearest_given
from .revision_cache import RevisionCache
from .state import Waiting
from .store import View
from .video_engine import Footage, in_grey


@dataclass(frozen=True, kw_only=True)
class AnnotatedFrame:
    """A frame with given masks as T-Net needs it.

    features: of the frame (1, ...). objects: what is transferred (N, C, h, w). masks: the map that local transfer
    begins with (N, 1, H', W'), at the network's size. known: the objects that it tells of, bool (N,).
    """

    features: FrameFeatures
    objects: Tensor
    masks: Tensor
    known: Tensor


class ATNetEngine(AnnotatingEngine):
    """A-Net on a frame, T-Net over the video; a pixel is an object's above a threshold.

    Modules of the clock: "a-net" and "t-net". What A-Net was given is kept, see `AnnotationStore`. Frames are padded to
    multiples of 16 with the mean colour (published: mirrored, to 32).
    """

    def __init__(self, network: ATNetwork, settings: ATNetSettings, footage: Footage) -> None:
        super().__init__(settings, footage, FrameGeometry.of(*footage.frames.size, settings.short_side))
        self._network, self._settings = network, settings
        self._annotated = self._keep(RevisionCache[AnnotatedFrame](settings.max_annotated_frames))

    def correct(self, draft: Draft) -> np.ndarray:
        """What A-Net makes of each object; see `VideoEngine`."""
        if not (draft.strokes or any(draft.clicks.values())):
            return draft.base.copy()
        planes = self._maps(draft)
        rgb = self._enter(draft.frame)
        with self._measured("a-net"):
            logits = self._in_passes(lambda rows: self._annotate(rgb, planes, rows).logits)
            return self._as_ids(self._above_threshold(self._soft(planes, logits.sigmoid())))

    def carried(self, one: Pass, item: Waiting, given: Sequence[int], base: View) -> Iterator[tuple[Tensor, Tensor]]:
        """From the nearest annotated frames and the frame beside it; see `VideoEngine`.

        Between two annotated frames the new probability weighs 0.5 at the earlier one and up to 1 at the new one (the
        paper's superposition); it stands alone for an object that was not known before. An object that none of the
        annotated frames tells of stays as it was.
        """
        nearest = nearest_given(one.source, given, self._settings.max_annotated_frames)
        sources = {t: self._annotation(t, base) for t in nearest}
        annotated = [source.features.f16 for source in sources.values()]
        previous, masks = sources[one.source].features, sources[one.source].masks
        told = torch.stack([source.known for source in sources.values()]).any(dim=0).view(-1, 1, 1)
        known_before = self._known_before(one, item, base)
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
                            [source.known[rows] for source in sources.values()],
                        ).logits
                    )
                )
                masks, previous = logits.sigmoid() * told[:, None], target
                soft, before = self._geometry.leave(masks)[:, 0], self._stored(t, base)
                if one.partner is not None:
                    share = 0.5 + 0.5 * one.distances(t)[0]
                    soft = torch.where(known_before, share * soft + (1 - share) * before, soft)
                soft = torch.where(told, soft, before)
                # As they are kept, so that ids and probabilities agree about the threshold.
                soft = in_grey(soft) / 255
                labels = self._above_threshold(soft)
            yield labels, soft

    def _soft(self, planes: np.ndarray, probabilities: Tensor) -> Tensor:
        """What A-Net says of the frame (N, H, W), without objects that it does not show and nobody drew."""
        return self._geometry.leave(probabilities)[:, 0] * self._on_device(planes.any(axis=(0, 2, 3)))

    def _maps(self, draft: Draft) -> np.ndarray:
        return annotation_maps(draft.base, draft.strokes, draft.clicks, self._ids, self._geometry)

    def _annotation(self, t: int, base: View) -> AnnotatedFrame:
        """An annotated frame, encoded once for each of its revisions."""
        revision = self._store.revision_of(t, base)
        return self._annotated.of(((t, revision),), lambda: self._encoded(t, base))

    def _encoded(self, t: int, base: View) -> AnnotatedFrame:
        planes, rgb, found = self._given.planes(t, base), self._enter(t), []

        def annotate(rows: slice) -> Tensor:
            annotation = self._annotate(rgb, planes, rows)
            found.append(self._network.transfer.object_features(annotation))
            return annotation.logits

        with self._measured("a-net"):
            probabilities = self._in_passes(annotate).sigmoid()
            features = self._network.transfer.encode(rgb)
            # Where nothing was drawn for an object, what stands is its mask, not what A-Net would say.
            shown = self._geometry.enter(masks_of(self._store.ids(t, base), self._ids).to(self._device))
            drawn = self._on_device(planes[1:].any(axis=(0, 2, 3)))
            # Nor is it where a region kept what stood there.
            stands = self._as_ids(self._above_threshold(self._soft(planes, probabilities))) == self._store.ids(t, base)
            stands = self._geometry.enter(torch.from_numpy(stands).to(self._device)[None, None].float()) > 0.5
            masks = torch.where(drawn[..., None] & stands, probabilities, shown)
        known = self._on_device(self._known(t, base)).flatten()
        return AnnotatedFrame(features=features, objects=torch.cat(found), masks=masks, known=known)

    def _annotate(self, rgb: Tensor, planes: np.ndarray, rows: slice) -> Annotation:
        maps = as_inputs(planes[:, rows], self._geometry, self._device)
        return self._network.annotation(rgb.expand(len(maps[0]), -1, -1, -1), *maps)

    def _in_passes(self, run: Callable[[slice], Tensor]) -> Tensor:
        """Run some objects at a time, rows of the batch."""
        step = self._settings.objects_per_pass
        return torch.cat([run(slice(start, start + step)) for start in range(0, len(self._ids), step)])

    def _above_threshold(self, soft: Tensor) -> Tensor:
        """The likeliest object of each pixel where it is likelier than the threshold, else background: (H, W)."""
        best = soft.max(dim=0)
        return torch.where(best.values > self._settings.threshold, best.indices + 1, 0)

    def _enter(self, t: int) -> Tensor:
        return self._geometry.enter_picture(self._frames.read(t), self._network.transfer.normalise.mean)
