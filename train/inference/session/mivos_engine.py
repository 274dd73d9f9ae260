"""What the networks of MiVOS do on the frames of one video. N objects, H W pixels."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from ....models.aggregate import most_likely
from ....models.fusion import FusionNetwork
from ....models.propagation import PropagationNetwork
from ....models.s2m import S2MNetwork
from ..frame_memory import MemorisedFrame
from ..fusion import attention_cells
from ..geometry import FrameGeometry
from ..interaction import correct_ids
from ..mask_carrier import MaskCarrier
from ..propagation import masks_of
from .deciding import Change, FusionDecision
from .draft import Draft
from .mivos_settings import MiVOSSettings
from .passes import Pass, nearest_given
from .revision_cache import RevisionCache
from .state import Waiting
from .store import View
from .video_engine import Footage, VideoEngine


@dataclass(frozen=True, kw_only=True)
class MiVOSNetworks:
    """s2m, fusion: None where the session does without."""

    s2m: S2MNetwork | None
    propagation: PropagationNetwork
    fusion: FusionNetwork | None


class MiVOSEngine(VideoEngine):
    """Scribble-to-Mask on a frame, the propagation network over the video, fusion between two given frames.

    Modules of the clock: "s2m", "propagation" and "fusion".
    """

    def __init__(self, networks: MiVOSNetworks, settings: MiVOSSettings, footage: Footage) -> None:
        super().__init__(settings, footage)
        self._networks, self._settings = networks, settings
        self._geometry = FrameGeometry.of(*footage.frames.size, settings.short_side)
        self._memorised = self._keep(RevisionCache[MemorisedFrame](settings.max_given_frames))

    def correct(self, draft: Draft) -> np.ndarray:
        """What Scribble-to-Mask makes of all objects together; it sees a region alone. See `VideoEngine`."""
        if self._networks.s2m is None:
            raise ValueError("this session has no Scribble-to-Mask network; give free-hand masks, or open it with one")
        rgb = self._frames.read(draft.frame)
        with self._measured("s2m"):
            return correct_ids(
                self._networks.s2m,
                rgb,
                draft.base,
                draft.strokes,
                self._ids,
                self._settings,
                clicks=draft.clicks,
                region=draft.region,
            )

    def carried(self, one: Pass, item: Waiting, given: Sequence[int], base: View) -> Iterator[tuple[Tensor, Tensor]]:
        """From a memory that begins with the nearest given frames; see `VideoEngine`."""
        carrier = self._carrier()
        carrier.remember(
            [self._memorise(t, base) for t in nearest_given(one.source, given, self._settings.max_given_frames)]
        )
        decision = self._decision(item, base) if one.partner is not None else None
        for t in one.frames:
            frame = self._frames.read(t)
            with self._measured("propagation"):
                carried = carrier.carry(frame, f"frame {t}")
            soft = carried.soft
            if decision is not None:
                previous = self._stored(t, base)
                with self._measured("fusion"):
                    soft = decision.fuse(carried, previous, one.distances(t))
            yield most_likely(soft), soft[1:]

    def _carrier(self) -> MaskCarrier:
        return MaskCarrier(self._networks.propagation, self._geometry, self._settings)

    def _memorise(self, t: int, base: View) -> MemorisedFrame:
        """A frame with given masks, encoded once for each of its revisions."""

        def encoded() -> MemorisedFrame:
            frame, masks = self._frames.read(t), masks_of(self._store.ids(t, base), self._ids)
            # On no frame to be set: it counts for the seconds alone.
            with self.clock.inference("propagation", 0):
                return self._carrier().encode(frame, masks, f"frame {t}")

        return self._memorised.of(((t, self._store.revision_of(t, base)),), encoded)

    def _decision(self, item: Waiting, base: View) -> FusionDecision | None:
        mode = self._settings.fusion
        if mode == "none":
            return None
        return FusionDecision(
            None if mode == "linear" else self._networks.fusion,
            self._geometry,
            Change(
                before=self._stored(item.frame, item.before)[:, None],
                after=masks_of(self._store.ids(item.frame, base), self._ids).to(self._device),
                memorised=self._memorise(item.frame, base),
            ),
            with_difference=mode == "difference",
            top_k=attention_cells(self._networks.fusion, self._settings.attention_top_k),
            objects_per_pass=self._settings.objects_per_pass,
        )
