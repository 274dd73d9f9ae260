"""One frame from its layers, back to front: background, objects behind, the still's own objects, objects in front."""

from collections.abc import Sequence

import cv2
import numpy as np

from ..augmentation.warp import View
from ..corpus.records import IGNORE_ID
from .plan import SequencePlan

_INSIDE = 128


def compose_frame(
    plan: SequencePlan, still: View, pasted: Sequence[View], background: np.ndarray | None, ids: np.ndarray
) -> np.ndarray:
    """Return rgb uint8 (S, S, 3) of a frame and write its ids into `ids`, uint8 (S, S), all 0 before.

    still, pasted: each layer of the plan in this frame. background: uint8 (S, S, 3), None to keep the still's own.
    A later layer covers an earlier one, in the picture and in the ids alike. A further mask of the still is of what is
    to be ignored; it lies under all of them.
    """
    numbers = plan.still.object_ids
    own = [(still.rgb, mask, number) for mask, number in zip(still.masks, numbers, strict=False)]
    for mask in still.masks[len(numbers) :]:
        ids[mask >= _INSIDE] = IGNORE_ID
    others = [(view.rgb, view.masks[0], layer.object_ids[0]) for view, layer in zip(pasted, plan.pasted, strict=True)]
    layers = others[: plan.num_behind] + own + others[plan.num_behind :]
    rgb = still.rgb if background is None else background
    # Its own objects over its own picture change nothing; they are painted where something else lies under them.
    is_painted = background is not None or bool(others)
    for picture, mask, object_id in layers:
        if is_painted:
            paint(rgb := rgb.copy() if rgb is still.rgb else rgb, picture, edge(mask, plan))
        if len(layers) == len(still.masks) == 1:
            cv2.threshold(mask, _INSIDE - 1, object_id, cv2.THRESH_BINARY, ids)
        else:
            ids[mask >= _INSIDE] = object_id
    return rgb


def edge(mask: np.ndarray, plan: SequencePlan) -> np.ndarray:
    """Return the opacity of an object, uint8 (S, S): its mask cut at the middle of its edge, or feathered."""
    if plan.settings.edges == "hard":
        return cv2.threshold(mask, _INSIDE - 1, 255, cv2.THRESH_BINARY)[1]
    sigma = plan.settings.feather_pixels
    return cv2.GaussianBlur(mask, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE) if sigma else mask


def paint(rgb: np.ndarray, picture: np.ndarray, opacity: np.ndarray) -> None:
    """Lay a picture over `rgb`, in place; both uint8 (S, S, 3), opacity uint8 (S, S), 255 covers."""
    left, top, width, height = cv2.boundingRect(opacity)
    part = np.s_[top : top + height, left : left + width]
    if not width:
        return
    share = cv2.merge([opacity[part]] * 3).astype(np.float32) * np.float32(1 / 255)
    under = rgb[part].astype(np.float32)
    rgb[part] = cv2.convertScaleAbs(under + (picture[part].astype(np.float32) - under) * share)
