"""What the networks of MiVOS do on the frames of one video. N objects, H W pixels."""

from collections.abc import Iterator, Sequence, Set
from contextlib import AbstractContextManager

import numpy as np
import torch
from torch import Tensor

from ....models.aggregate import most_likely
from ....models.fusion import FusionNetwork
from ....models.propagation import PropagationNetwork
from ....models.s2m import S2MNetwork
from ..frame_memory import MemorisedFrame
from ..geometry import FrameGeometry
from ..interaction import correct_ids
from ..mask_carrier import MaskCarrier
from ..propagation import masks_of
from .deciding import Change, FusionDecision
from .draft import Draft
from .frames import FrameSource
from .module_times import ModuleClock
from .passes import Pass, nearest_given, passes_from
from .settings import MiVOSSettings
from .state import Waiting
from .store import ResultStore, View


class MiVOSEngine:
    """Corrects frames, and carries masks over frames into a store.

    s2m, fusion: None where the session does without. The clock says how long it took.
    """

    def __init__(
        self,
        s2m: S2MNetwork | None,
        propagation: PropagationNetwork,
        fusion: FusionNetwork | None,
        settings: MiVOSSettings,
        *,
        frames: FrameSource,
        object_ids: Sequence[int],
        store: ResultStore,
    ) -> None:
        self._s2m, self._propagation, self._fusion = s2m, propagation, fusion
        self._settings, self._frames, self._ids, self._store = settings, frames, object_ids, store
        self._device = torch.device(settings.device)
        self._geometry = FrameGeometry.of(*frames.size, settings.short_side)
        self._lookup = np.array([0, *object_ids], np.uint8)
        self._memorised: dict[tuple[int, int], MemorisedFrame] = {}
        self.clock = ModuleClock(self._device if settings.measure_times else None)

    def passes(self, frame: int, given: Sequence[int], propagated: Sequence[int], num_frames: int) -> tuple[Pass, ...]:
        """Where a propagation from a frame goes: to both sides, up to the next given frame."""
        return passes_from(frame, given, propagated, num_frames)

    def correct(self, draft: Draft) -> np.ndarray:
        """The ids of a frame after the strokes and clicks on it, uint8 (H, W)."""
        if self._s2m is None:
            raise ValueError("this session has no Scribble-to-Mask network; give free-hand masks, or open it with one")
        rgb = self._frames.read(draft.frame)
        with self._measured("s2m"):
            return correct_ids(
                self._s2m,
                rgb,
                draft.base,
                draft.strokes,
                self._ids,
                self._settings.interaction(),
                clicks=draft.clicks,
                region=draft.region,
            )

    def carry(
        self, one: Pass, item: Waiting, given: Sequence[int], base: View, revision: int
    ) -> Iterator[tuple[int, np.ndarray]]:
        """Set the frames of a pass in `revision` of the store and yield them with their ids, uint8 (H, W).

        item: the frame that the pass begins at. given: all frames with given masks. base: what of the store stands.
        """
        if not one.frames:
            return
        carrier = MaskCarrier(self._propagation, self._geometry, self._settings.propagation())
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
                previous = self._store.soft(t, base)
                with self._measured("fusion"):
                    soft = decision.fuse(carried, self._from_grey(previous), one.distances(t))
            ids, grey = self._to_grey(soft)
            self._store.write(t, revision, ids, grey)
            yield t, ids

    def find(self, newest: int) -> None:
        """Nothing is kept but the masks."""

    def committed(self, draft: Draft, revision: int) -> None:
        """Nothing is kept but the masks."""

    def forget_before(self, revision: int, hidden: Set[int]) -> None:
        """Nothing is kept but the masks."""

    def forget_after(self, revision: int) -> None:
        """Drop what was memorised of later revisions."""
        self._memorised = {key: value for key, value in self._memorised.items() if key[1] <= revision}

    def _memorise(self, t: int, base: View) -> MemorisedFrame:
        """A frame with given masks, encoded once for each of its revisions."""
        key = t, self._store.revision_of(t, base)
        if key not in self._memorised:
            while len(self._memorised) >= self._settings.max_given_frames:
                self._memorised.pop(next(iter(self._memorised)))
            frame, masks = self._frames.read(t), masks_of(self._store.ids(t, base), self._ids)
            carrier = MaskCarrier(self._propagation, self._geometry, self._settings.propagation())
            with self._measured("propagation", num_objects=0):
                self._memorised[key] = carrier.encode(frame, masks, f"frame {t}")
        return self._memorised[key]

    def _decision(self, item: Waiting, base: View) -> FusionDecision | None:
        mode = self._settings.fusion
        if mode == "none":
            return None
        return FusionDecision(
            None if mode == "linear" else self._fusion,
            self._geometry,
            Change(
                before=self._from_grey(self._store.soft(item.frame, item.before))[:, None],
                after=masks_of(self._store.ids(item.frame, base), self._ids).to(self._device),
                memorised=self._memorise(item.frame, base),
            ),
            with_difference=mode == "difference",
            top_k=self._settings.attention_top_k,
            objects_per_pass=self._settings.objects_per_pass,
        )

    def _from_grey(self, soft: np.ndarray) -> Tensor:
        return torch.from_numpy(soft).to(self._device) / 255

    def _to_grey(self, soft: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """Ids uint8 (H, W) and probabilities uint8 (N, H, W) of (N + 1, H, W), brought over from the device at once."""
        grey = (soft[1:] * 255).round().clamp(0, 255).to(torch.uint8)
        results = torch.cat([most_likely(soft)[None].to(torch.uint8), grey]).cpu().numpy()
        return self._lookup[results[0]], results[1:]

    def _measured(self, module: str, num_objects: int | None = None) -> AbstractContextManager[None]:
        return self.clock.inference(module, len(self._ids) if num_objects is None else 0)
