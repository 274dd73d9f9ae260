"""What engines share that keep what the user drew on frames, as the networks were given it. N objects, h w pixels."""

from abc import abstractmethod

import numpy as np
import torch
from torch import Tensor

from ..annotation import NEUTRAL_GREY
from ..geometry import FrameGeometry
from .annotation_store import AnnotationStore
from .draft import Draft
from .passes import Pass
from .session_settings import SessionSettings
from .state import Waiting
from .store import View
from .video_engine import Footage, VideoEngine


class AnnotatingEngine(VideoEngine):
    """Keeps what its network was given on committed frames, and knows of which objects something was said where.

    A system gives `_maps`. An object is known in a frame that shows it, or on which it was drawn.
    """

    def __init__(self, settings: SessionSettings, footage: Footage, geometry: FrameGeometry) -> None:
        super().__init__(settings, footage)
        self._geometry = geometry
        self._given = self._keep(AnnotationStore(self._store.folder, geometry.inner, len(self._ids)))

    @abstractmethod
    def _maps(self, draft: Draft) -> np.ndarray:
        """What the network is given of each object, uint8 (3, N, h, w): mask before, positive and negative strokes."""

    def committed(self, draft: Draft, revision: int) -> None:
        """Keep what the network was given; see `VideoEngine`."""
        self._given.keep(draft.frame, revision, self._maps(draft))

    def _known(self, t: int, view: View) -> np.ndarray:
        """The objects that are known in a frame, bool (N,)."""
        masks, positive, _ = self._given.planes(t, view)
        drawn = (masks > NEUTRAL_GREY) | (positive > 0)
        return np.isin(self._ids, self._store.ids(t, view)) | drawn.any(axis=(1, 2))

    def _known_in_masks(self, t: int, view: View) -> np.ndarray:
        """The objects that were known when the masks of a frame were made, bool (N,); none where it has no masks."""
        known, made = np.zeros(len(self._ids), bool), self._store.revision_of(t, view)
        for given in self._given.frames(view) if made is not None else ():
            if given == t or self._given.revision_of(given, view) < made:
                known = known | self._known(given, view)
        return known

    def _known_before(self, one: Pass, item: Waiting, base: View) -> Tensor:
        """The objects that were known when the masks that stand before a pass were made, bool (N, 1, 1).

        Of the others those masks say nothing: they are empty because nobody had spoken of them.
        """
        known = self._known(one.source, item.before)
        for t in one.earlier:
            known = known | self._known(t, base)
        return self._on_device(known)

    def _on_device(self, objects: np.ndarray) -> Tensor:
        return torch.from_numpy(objects).to(self._device).view(-1, 1, 1)
