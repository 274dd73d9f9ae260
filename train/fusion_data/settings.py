"""How fusion data is made, and the published sets by name."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ...datagen.corpus.soft_masks import Reference
from ..inference.propagation import ids_of


@dataclass(frozen=True, kw_only=True)
class FusionDataSettings:
    """Which masks are carried where; the defaults are those of MiVOS for BL30K.

    Every `separation`-th frame is a reference. memory_every: frames between permanent memory frames, many more than the
    5 of inference, so that the masks have the errors that fusion is for; with several values every clip is made once
    with each. reach: frames to both sides of a reference, None for the whole clip. The objects of a reference are
    those with more than `min_area` pixels in it, the `max_objects` largest. top_k, short_side: see
    `PropagationSettings`.
    """

    separation: int = 30
    memory_every: tuple[int, ...] = (20,)
    reach: int | None = 90
    min_area: int = 100
    max_objects: int = 5
    top_k: int | None = 50
    short_side: int | None = None

    def __post_init__(self) -> None:
        if not self.memory_every or len(set(self.memory_every)) < len(self.memory_every):
            raise ValueError(f"memory_every is {self.memory_every}; give one number or several different ones")
        for name, least in (("separation", 1), ("reach", 1), ("max_objects", 1), ("min_area", 0), ("top_k", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"{name} is {value}, it must be at least {least}")
        for value in (*self.memory_every, 16 if self.short_side is None else self.short_side):
            if value < 1:
                raise ValueError(f"memory_every {self.memory_every} and short_side {self.short_side} must be above 0")


PRESETS: Mapping[str, FusionDataSettings] = {
    "bl30k": FusionDataSettings(separation=30, memory_every=(20,), reach=90),
    "davis": FusionDataSettings(separation=5, memory_every=(10, 20, 30), reach=None),
}
"""Names of the sets that MiVOS was trained on (MiVOS, issue 4): BL30K, from clips 0-4999 and 5000-9999; DAVIS-train."""


def reference_frames(annotated: np.ndarray, separation: int) -> list[int]:
    """Return the reference frames among the frames that have ids: in each block of `separation` frames the first.

    annotated: int (A,), ascending. Where every frame has ids these are 0, separation, 2 * separation and so on, as
    published.
    """
    _, firsts = np.unique(annotated // separation, return_index=True)
    return [int(t) for t in annotated[firsts]]


def reference_at(frame: int, ids: np.ndarray, num_frames: int, settings: FusionDataSettings) -> Reference | None:
    """Return the reference at a frame with these true ids, uint8 (H, W); None when no object is large enough."""
    areas = np.bincount(ids.ravel(), minlength=256)
    large = [i for i in ids_of(ids) if areas[i] > settings.min_area]
    if not large:
        return None
    chosen = sorted(large, key=lambda i: (-areas[i], i))[: settings.max_objects]
    reach = num_frames if settings.reach is None else settings.reach
    return Reference(
        frame=frame,
        object_ids=tuple(sorted(chosen)),
        first=max(0, frame - reach),
        last=min(num_frames - 1, frame + reach),
    )
