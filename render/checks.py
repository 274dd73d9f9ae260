"""Is this clip good? Deterministic reasons to draw a scene again."""

from __future__ import annotations

import enum
from collections.abc import Sequence

import numpy as np


class Reason(enum.StrEnum):
    """Why a scene was rejected: the short classes that are counted."""

    NO_CLEAR_PATH = "no clear path"
    BLACK_FRAME = "black frame"
    WHITE_FRAME = "white frame"
    CONSTANT_FRAME = "constant frame"
    OBJECT_UNSEEN = "object unseen"
    EMPTY_FIRST_FRAME = "empty first frame"
    MISSING_MASKS = "missing masks"
    GROUND_TRUTH = "inconsistent ground truth"


class RejectedScene(Exception):
    """A deterministic rejection: draw the clip again with the next attempt number.

    `reason` is a short class for counting (a `Reason`), `detail` says what was seen.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = str(reason)
        self.detail = detail


def check_frame(rgb: np.ndarray, frame: int) -> None:
    """Reject a frame that is black, blown out or constant.

    rgb: uint8 (H, W, 3). Raises RejectedScene.
    """
    mean, deviation = float(rgb.mean()), float(rgb.std())
    if mean < 4.0:
        raise RejectedScene(Reason.BLACK_FRAME, f"frame {frame} has mean {mean:.1f} of 255")
    if mean > 251.0:
        raise RejectedScene(Reason.WHITE_FRAME, f"frame {frame} has mean {mean:.1f} of 255")
    if deviation < 2.0:
        raise RejectedScene(Reason.CONSTANT_FRAME, f"frame {frame} has standard deviation {deviation:.1f} of 255")


def check_visibility(
    areas: Sequence[Sequence[int]],
    names: Sequence[str],
    smallest_area: int,
    smallest_share: float,
    smallest_first_frame_area: int | None = None,
) -> None:
    """Reject a clip in which an object is hardly ever seen, or no object is seen in the first frame.

    areas: one row of pixels per frame for each object; names: the objects' assets. Every object must cover
    `smallest_area` pixels in at least `smallest_share` of the frames, wherever they lie, so that objects may enter
    late; in the first frame one object at least must cover `smallest_first_frame_area` (None: `smallest_area`).
    Raises RejectedScene.
    """
    for instance_id, (row, name) in enumerate(zip(areas, names, strict=True), start=1):
        share = float(np.mean(np.asarray(row) >= smallest_area))
        if share < smallest_share:
            raise RejectedScene(
                Reason.OBJECT_UNSEEN, f"object {instance_id} ({name}) is seen in {share:.0%} of the frames"
            )
    least = smallest_area if smallest_first_frame_area is None else smallest_first_frame_area
    largest = max(row[0] for row in areas)
    if largest < least:
        raise RejectedScene(
            Reason.EMPTY_FIRST_FRAME,
            f"the largest object covers {largest} pixels of the first frame, {least} are needed to propagate a mask",
        )


def check_counts(num_frames: int, num_pictures: int, num_masks: int) -> None:
    """Reject a clip whose pictures or masks are not one a frame. Raises RejectedScene."""
    if not num_frames == num_pictures == num_masks:
        raise RejectedScene(
            Reason.MISSING_MASKS, f"{num_frames} frames have {num_pictures} pictures and {num_masks} masks"
        )
