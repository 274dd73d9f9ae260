"""Random points on an object, the first round of a user who only taps.

After Heo et al., "Interactive Video Object Segmentation Using Global and Local Transfer Modules" (ECCV 2020): one
random point for every k pixels of the object, k drawn anew for each object.
"""

import numpy as np

from ..regions import draw_pixels, region_box, require_masks, require_range

PIXELS_PER_POINT = (100, 3000)
"""The published range of k."""


def random_points(
    rng: np.random.Generator, mask: np.ndarray, pixels_per_point: tuple[int, int] = PIXELS_PER_POINT
) -> np.ndarray:
    """Draw one point for every k pixels of the mask, at least one; k is drawn evenly from `pixels_per_point`.

    mask: bool (H, W). Returns float64 (P, 2), the middles (x, y) of P different pixels of the mask in pixels; (0, 2)
    for an empty mask.
    """
    require_masks(mask=mask)
    require_range("pixels_per_point", pixels_per_point, 1)
    box = region_box(mask)
    if box is None:
        return np.zeros((0, 2))
    k = rng.integers(pixels_per_point[0], pixels_per_point[1] + 1)
    num_points = max(1, round(np.count_nonzero(mask[box]) / k))
    return draw_pixels(rng, mask[box], num_points) + [box[1].start + 0.5, box[0].start + 0.5]
