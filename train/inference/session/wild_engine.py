"""What the click network and OSVOS do on the frames of one video (Benard and Gygli, 2017). N objects, H W pixels."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from ....datagen.simulation.clicks.clicks import Click
from ....models.aggregate import most_likely, soft_aggregate
from ....models.click_net import ClickNetwork
from ....models.osvos import OSVOSNetwork
from ..click_interaction import clicks_on_stroke, probability_of_clicks
from ..geometry import FrameGeometry, Region
from ..osvos_tuning import Example, probability_of_frame, tuned
from .draft import Draft
from .passes import Pass
from .revision_cache import RevisionCache
from .state import Waiting
from .store import View
from .video_engine import Footage, VideoEngine
from .wild_settings import WildSettings

Tuned = Mapping[int, OSVOSNetwork | None]
"""Object id -> its network; None where no given frame shows it."""


class WildEngine(VideoEngine):
    """The click network on a frame, OSVOS on all others, tuned anew to every set of given frames.

    clicknet: None where the session does without. Objects share the pixels out by soft aggregation. Modules of the
    clock: "clicknet", "tuning" and "osvos".
    """

    def __init__(
        self, clicknet: ClickNetwork | None, osvos: OSVOSNetwork, settings: WildSettings, footage: Footage
    ) -> None:
        super().__init__(settings, footage)
        self._clicknet, self._osvos, self._settings = clicknet, osvos, settings
        self._tuned = self._keep(RevisionCache[Tuned](at_most=1))

    def passes(self, frame: int, given: Sequence[int], propagated: Sequence[int], num_frames: int) -> tuple[Pass, ...]:
        """All frames without given masks: those after the frame first, then those before it, the nearest first."""
        fixed = sorted({*given, frame})
        ahead = [range(t + 1, end) for t, end in zip(fixed, [*fixed[1:], num_frames], strict=True) if t >= frame]
        behind = [range(t - 1, end, -1) for t, end in zip(fixed, [-1, *fixed[:-1]], strict=True) if t <= frame]
        return tuple(Pass(source=frame, frames=one, partner=None) for one in (*ahead, *behind[::-1]) if len(one))

    def correct(self, draft: Draft) -> np.ndarray:
        """What the click network makes of each object; it sees a region alone. See `VideoEngine`."""
        if self._clicknet is None:
            raise ValueError("this session has no click network; give free-hand masks, or open it with one")
        height, width = draft.base.shape
        region = draft.region or Region(left=0, top=0, right=width, bottom=height)
        whole = FrameGeometry.of(height, width, self._settings.clicks.short_side)
        scale = whole.inner[0] / height
        said = {i: _within(clicks, region) for i, clicks in self._said(draft, scale).items()}
        if not any(said.values()):
            return draft.base.copy()
        rgb, base = self._frames.read(draft.frame)[region.slices], draft.base[region.slices]
        with self._measured("clicknet"):
            probabilities = []
            for object_id in self._ids:
                current, clicks = base == object_id, said[object_id]
                if current.any() or any(click.positive for click in clicks):
                    part = np.ascontiguousarray(rgb)
                    answer = probability_of_clicks(
                        self._clicknet, part, current, clicks, self._settings.clicks, scale=scale
                    )
                else:
                    # Nobody has spoken of this object yet: what is said is said of others.
                    answer = np.zeros(current.shape, np.float32)
                probabilities.append(answer)
            ids = draft.base.copy()
            ids[region.slices] = self._as_ids(most_likely(_shared(probabilities)))
        return ids

    def carried(self, one: Pass, item: Waiting, given: Sequence[int], base: View) -> Iterator[tuple[Tensor, Tensor]]:
        """By the networks tuned to all given frames, no frame from another; see `VideoEngine`."""
        networks = self._networks(given, base)
        for t in one.frames:
            rgb = self._frames.read(t)
            with self._measured("osvos"):
                soft = _shared(
                    [
                        np.zeros(rgb.shape[:2], np.float32)
                        if networks[i] is None
                        else probability_of_frame(networks[i], rgb, self._settings.tuning)
                        for i in self._ids
                    ]
                )
            yield most_likely(soft), soft[1:]

    def _said(self, draft: Draft, scale: float) -> dict[int, tuple[Click, ...]]:
        """What each object is told: its own clicks and strokes, and what is positive of others as negative.

        scale: of the network's input to the frame.
        """
        height, width = draft.base.shape
        spacing = self._settings.clicks.stroke_spacing / scale
        said: dict[int, tuple[Click, ...]] = {}
        for object_id in self._ids:
            own: tuple[Click, ...] = ()
            for stroke in draft.strokes:
                own += clicks_on_stroke(stroke, height, width, spacing, stroke.object_id == object_id)
            for other, clicks in draft.clicks.items():
                if other == object_id:
                    own += tuple(clicks)
                else:
                    own += tuple(Click(x=c.x, y=c.y, positive=False) for c in clicks if c.positive)
            said[object_id] = own
        return said

    def _networks(self, given: Sequence[int], base: View) -> Tuned:
        """The networks tuned to the given frames as they stand, made once for each set of them."""

        def tune_all() -> Tuned:
            known = [(self._frames.read(t), self._store.ids(t, base)) for t in given]
            return {i: self._tune([Example(rgb=rgb, mask=ids == i) for rgb, ids in known]) for i in self._ids}

        return self._tuned.of(tuple((t, self._store.revision_of(t, base)) for t in given), tune_all)

    def _tune(self, examples: Sequence[Example]) -> OSVOSNetwork | None:
        # A frame without the object teaches nothing: its class-balanced loss is zero.
        shown = [example for example in examples if example.mask.any()]
        if not shown:
            return None
        flags = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True)
        with flags, self.clock.measure("tuning", 1):
            return tuned(self._osvos, shown, self._settings.tuning)


def _shared(probabilities: Sequence[np.ndarray]) -> Tensor:
    """Probabilities (N + 1, H, W), background first, of float32 (H, W) of each object."""
    return soft_aggregate(torch.from_numpy(np.stack(probabilities)))


def _within(clicks: Sequence[Click], region: Region) -> tuple[Click, ...]:
    """The clicks in a region, in its own pixels."""
    return tuple(
        Click(x=click.x - region.left, y=click.y - region.top, positive=click.positive)
        for click in clicks
        if region.left <= click.x <= region.right and region.top <= click.y <= region.bottom
    )
