"""The next click of the number-of-clicks protocol, by which interactive segmentation is compared.

The click goes to the middle of the largest error, where its size is its greatest distance to its boundary, as in the
published evaluations of f-BRS (Sofiiuk et al., CVPR 2020) and RITM (Sofiiuk et al., 2021).
"""

from collections.abc import Sequence

import cv2
import numpy as np

from ..distances import squared_distance
from ..regions import as_bytes, region_box, require_masks
from .clicks import Click


def next_click(
    true_mask: np.ndarray,
    predicted_mask: np.ndarray,
    clicks: Sequence[Click] = (),
    ignore_mask: np.ndarray | None = None,
) -> Click | None:
    """Return the click on the deepest pixel of the missing or of the wrong pixels, whichever is deeper.

    true_mask, predicted_mask, ignore_mask: bool (H, W); ignored pixels are never errors. clicks: the earlier ones,
    whose pixels are not clicked again. The picture's border is a boundary. Of equal depths a negative click comes
    first, and of equal pixels the first in raster order. None: there is no error left to click on.
    """
    require_masks(true_mask=true_mask, predicted_mask=predicted_mask)
    errors = true_mask ^ predicted_mask
    if ignore_mask is not None:
        require_masks(true_mask=true_mask, ignore_mask=ignore_mask)
        errors &= ~ignore_mask
    missing_depth, missing = _deepest(errors & true_mask, clicks)
    wrong_depth, wrong = _deepest(errors & predicted_mask, clicks)
    if max(missing_depth, wrong_depth) == 0:
        return None
    positive = missing_depth > wrong_depth
    row, column = missing if positive else wrong
    return Click(x=column + 0.5, y=row + 0.5, positive=positive)


def _deepest(region: np.ndarray, clicks: Sequence[Click]) -> tuple[int, tuple[int, int]]:
    """Return the greatest squared depth of pixels not yet clicked and the first (row, column) that has it."""
    box = region_box(region)
    if box is None:
        return 0, (0, 0)
    top, left = box[0].start, box[1].start
    padded = cv2.copyMakeBorder(as_bytes(region[box]), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    depth = squared_distance(padded)[1:-1, 1:-1]
    for click in clicks:
        row, column = click.pixel
        if top <= row < box[0].stop and left <= column < box[1].stop:
            depth[row - top, column - left] = 0
    row, column = np.unravel_index(int(np.argmax(depth)), depth.shape)
    return int(depth[row, column]), (int(row) + top, int(column) + left)
