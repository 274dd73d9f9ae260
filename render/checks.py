"""Is this clip good? Deterministic reasons to draw a scene again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


class RejectedScene(Exception):
    """A deterministic rejection: draw the clip again with the next attempt number.

    `reason` is a short class for counting, `detail` says what was seen.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


def check_frame(rgb: np.ndarray, frame: int) -> None:
    """Reject a frame that is black, blown out or constant.

    rgb: uint8 (H, W, 3). Raises RejectedScene.
    """
    mean, deviation = float(rgb.mean()), float(rgb.std())
    if mean < 4.0:
        raise RejectedScene("black frame", f"frame {frame} has mean {mean:.1f} of 255")
    if mean > 251.0:
        raise RejectedScene("white frame", f"frame {frame} has mean {mean:.1f} of 255")
    if deviation < 2.0:
        raise RejectedScene("constant frame", f"frame {frame} has standard deviation {deviation:.1f} of 255")


def check_visibility(
    areas: Sequence[Sequence[int]], names: Sequence[str], smallest_area: int, smallest_share: float
) -> None:
    """Reject a clip in which an object is hardly ever seen, or no object is seen in the first frame.

    areas: one row of pixels per frame for each object; names: the objects' assets; an object must cover
    `smallest_area` pixels in at least `smallest_share` of the frames. Raises RejectedScene.
    """
    for instance_id, (row, name) in enumerate(zip(areas, names, strict=True), start=1):
        share = float(np.mean(np.asarray(row) >= smallest_area))
        if share < smallest_share:
            raise RejectedScene("object unseen", f"object {instance_id} ({name}) is seen in {share:.0%} of the frames")
    if not any(row[0] >= smallest_area for row in areas):
        raise RejectedScene("empty first frame", "no object is seen in the first frame, so no mask can be propagated")
