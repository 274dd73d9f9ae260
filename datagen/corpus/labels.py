"""Labels of chosen objects, out of the ids of a clip."""

from collections.abc import Sequence

import numpy as np

from .records import IGNORE_ID


def labels_of(ids: np.ndarray, chosen: Sequence[int]) -> np.ndarray:
    """Return 1, 2, ... on the chosen objects, in their order, 255 on pixels to be ignored, else 0.

    ids: uint8, any shape; the labels are the same.
    """
    labels = np.zeros(ids.shape, np.uint8)
    for label, object_id in enumerate(chosen, start=1):
        labels[ids == object_id] = label
    labels[ids == IGNORE_ID] = IGNORE_ID
    return labels
