"""Which frame the robot draws on next."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np


def next_frame(
    quality: np.ndarray, frames: Sequence[int], drawn_on: Collection[int], candidates: Collection[int] | None = None
) -> int:
    """Return the worst frame among the candidates, the first of equals; the robot's own frames come last.

    quality: float (T,), of each of the T scored `frames`. drawn_on: frames that the robot has drawn on, left out while
    other candidates remain; the frame of the first scribbles, which a person drew, is not among them. candidates: all
    frames without it.
    Source: DAVIS interactive benchmark, evaluation service.
    """
    allowed = list(frames) if candidates is None else [frame for frame in frames if frame in candidates]
    if not allowed:
        raise ValueError(f"no frame to draw on: the candidates {sorted(candidates or ())} have no annotation")
    remaining = [frame for frame in allowed if frame not in drawn_on] or allowed
    of_frame = dict(zip(frames, quality, strict=True))
    return min(remaining, key=lambda frame: (of_frame[frame], frame))
